"""The load generator's own client, against sockets that misbehave."""

import asyncio
import time

import pytest

from tools.client import LOST, Client
from tools.clips import Clip

CLIP = Clip(b"RIFF", 1.0, "नमस्ते")


async def _answers(serve, count=1, patience=60.0):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = Client("127.0.0.1", server.sockets[0].getsockname()[1], patience)
        try:
            return [await client.transcribe(CLIP) for _ in range(count)]
        finally:
            client.close()
            await asyncio.sleep(0.1)  # the other side closes as well


async def _refuse(reader, writer):
    while await reader.read(65_536):
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-")
        await asyncio.sleep(0.05)
        writer.write(b"Length: 2\r\n\r\n{}")
    writer.close()


async def _hang_up(reader, writer):
    await reader.readuntil(b"RIFF")
    writer.close()


async def _say_nothing(reader, writer):
    await reader.read()
    writer.close()


def test_an_answer_in_two_pieces_and_a_connection_that_is_kept():
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        await _refuse(reader, writer)

    answers = asyncio.run(_answers(serve, 3))
    assert [answer.status for answer in answers] == [429] * 3
    assert len(connections) == 1


@pytest.mark.parametrize(("serve", "timeout"), [(_hang_up, 60.0), (_say_nothing, 0.3)])
def test_no_answer_is_an_answer_too(serve, timeout):
    began = time.monotonic()
    (answer,) = asyncio.run(_answers(serve, patience=timeout))
    assert (answer.status, answer.correct) == (LOST, False)
    assert time.monotonic() - began < 30


def test_nobody_there():
    async def ask():
        server = await asyncio.start_server(_refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await Client("127.0.0.1", port).transcribe(CLIP)

    assert asyncio.run(ask()).status == LOST
