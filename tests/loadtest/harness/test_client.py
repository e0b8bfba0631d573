"""The load generator's own client, against sockets that misbehave."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from loadtest.harness.client import LOST, Client, Connecting
from loadtest.harness.clips import Clip

CLIP = Clip(b"RIFF", 1.0, "नमस्ते")
REFUSAL = (b"HTTP/1.1 429 Too Many Requests\r\nContent-", b"Length: 2\r\n\r\n{}")


@asynccontextmanager
async def clients(serve, patience=60.0, **how):
    """A client of a server that serves each connection so; the sockets that it opened."""
    connections = []

    async def counted(reader, writer):
        connections.append(writer.get_extra_info("peername"))
        await serve(reader, writer)

    server = await asyncio.start_server(counted, "127.0.0.1", 0)
    async with server:
        with Client(("127.0.0.1", server.sockets[0].getsockname()[1]), patience, Connecting(**how)) as client:
            yield client, connections
        await asyncio.sleep(0.1)  # the other side closes as well


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is awaited sends no events
        await asyncio.sleep(0)


async def _refuse(reader, writer):
    while await reader.read(65_536):
        writer.write(REFUSAL[0])
        await asyncio.sleep(0.05)
        writer.write(REFUSAL[1])
    writer.close()


async def _echo(reader, writer):
    """Answers each request with its body, which is four bytes long."""
    while head := await reader.readline():
        while (line := await reader.readline()) != b"\r\n":
            head += line
        body = await reader.readexactly(4)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)
    writer.close()


async def _answer_pairs(reader, writer):
    """Answers when two requests are there."""
    while two := [await reader.readuntil(b"body") for _ in range(2)]:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * len(two))


async def _hang_up(reader, writer):
    await reader.readuntil(b"RIFF")
    writer.close()


async def _say_nothing(reader, writer):
    await reader.read()
    writer.close()


def test_an_answer_in_two_pieces_and_a_connection_that_is_kept():
    async def ask():
        async with clients(_refuse) as (client, connections):
            return [await client.transcribe(CLIP) for _ in range(3)], connections

    outcomes, connections = asyncio.run(ask())
    assert [outcome.kind for outcome in outcomes] == ["refused"] * 3
    assert len(connections) == 1


@pytest.mark.parametrize(("serve", "patience"), [(_hang_up, 60.0), (_say_nothing, 0.3)])
def test_no_answer_is_an_outcome_too(serve, patience):
    async def ask():
        async with clients(serve, patience) as (client, _):
            return await client.transcribe(CLIP)

    began = time.monotonic()
    assert asyncio.run(ask()).kind == "lost"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("how", [{}, {"most": 1}])
def test_nobody_there(how):
    async def ask():
        async with clients(_refuse, **how) as (client, _):
            pass
        return await asyncio.gather(*(client.transcribe(CLIP) for _ in range(3)))

    assert {outcome.kind for outcome in asyncio.run(ask())} == {"lost"}


def test_a_connection_that_is_lost_as_soon_as_it_is_open_keeps_nobody_waiting():
    async def ask():
        async with clients(_echo, most=1) as (client, _):
            asked = [client.ask("POST", "/", b"body") for _ in range(3)]
            await until(lambda: client.connections)
            for connection in client.connections:
                connection.transport.abort()
            return await asyncio.gather(*asked)

    assert [reply.status for reply in asyncio.run(ask())] == [LOST, 200, 200]


@pytest.mark.parametrize(("how", "expected"), [({"most": 2}, 2), ({"most": 1, "depth": 4}, 1), ({}, 8)])
def test_connections_are_no_more_than_wanted_and_answers_find_their_questions(how, expected):
    async def ask():
        async with clients(_echo, **how) as (client, connections):
            bodies = [f"{number:04}".encode() for number in range(8)]
            replies = await asyncio.gather(*(client.ask("POST", "/", body) for body in bodies))
            return bodies, replies, connections

    bodies, replies, connections = asyncio.run(ask())
    assert [reply.body for reply in replies] == bodies
    assert len(connections) == expected


@pytest.mark.parametrize(("depth", "patience", "status"), [(2, 60.0, 200), (1, 0.3, LOST)])
def test_requests_follow_each_other_before_there_are_answers(depth, patience, status):
    async def ask():
        async with clients(_answer_pairs, patience, most=1, depth=depth) as (client, _):
            return await asyncio.gather(*(client.ask("POST", "/", b"body") for _ in range(4)))

    assert {reply.status for reply in asyncio.run(ask())} == {status}


def test_who_is_cancelled_hangs_up_and_others_are_answered():
    async def ask():
        async with clients(_echo, most=1) as (client, connections):
            first, second, third = (client.ask("POST", "/", b"body") for _ in range(3))
            await until(lambda: any(connection.under_way for connection in client.connections))
            first.cancel()
            second.cancel()
            return await third, connections

    reply, connections = asyncio.run(ask())
    assert reply.body == b"body"
    assert len(connections) == 2  # the first was hung up


def test_requests_come_from_the_address_that_is_wanted():
    async def ask():
        async with clients(_refuse, source="127.0.0.2") as (client, connections):
            await client.transcribe(CLIP)
            return connections

    assert asyncio.run(ask())[0][0] == "127.0.0.2"


def test_lost_is_no_status():
    async def ask():
        async with clients(_hang_up) as (client, _):
            return await client.ask("POST", "/", b"RIFF")

    assert asyncio.run(ask()).status == LOST
