"""Answers that go wrong, or are left, after their status has been sent: what counts and logs say of them."""

import asyncio
import json
import threading
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import Response
from loguru import logger
from prometheus_client import REGISTRY
from starlette.requests import ClientDisconnect

from inference.errors import DeadlineExceeded, UndecodableAudio
from inference.types import Options, Segment, Transcript
from loadtest.harness.processes import wait_until
from server.errors import CLIENT_LEFT, LaneCrashed
from server.http.disconnect import unless_disconnected
from server.parameters import Parameters
from server.routes.events import TranscriptEvents
from server.streaming import SegmentStream
from tests.server import live_app

SEGMENT = Segment("नमस्ते", 0.0, 1.0)
TRANSCRIPT = Transcript((SEGMENT,), "hi", "model", duration=4 * 3600.0, heard=1.0, clipped=False, stages=())
ERRORS = {error.__name__: error for error in (LaneCrashed, DeadlineExceeded, UndecodableAudio, RuntimeError)}
THREADS = []


class Written(Parameters):
    """Says in which thread a transcript is written."""

    def written(self, transcript):
        THREADS.append(threading.get_ident())
        return super().written(transcript)


class Broken(Response):
    """Goes wrong outside of what tells a client so."""

    async def __call__(self, _scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise {"ends": asyncio.CancelledError, "bug": RuntimeError}[self.body.decode()]


def streaming(how):
    async def work(tell):
        tell([SEGMENT])
        if how == "waits":
            await asyncio.Event().wait()
        if how in ERRORS:
            raise ERRORS[how]("the cause")
        return TRANSCRIPT

    return work


@pytest.fixture(scope="module")
def port():
    empty = live_app.application

    def application(sample):
        app = empty(sample)

        @app.get("/stream/{how}")
        async def stream(how: str):
            async with AsyncExitStack() as held:
                segments = await held.enter_async_context(SegmentStream(streaming(how)))
                return TranscriptEvents(segments, Written(Options()), held.pop_all())

        @app.get("/broken/{how}")
        async def broken(how: str):
            return Broken(how)

        @app.get("/loop")
        async def loop():
            return threading.get_ident()

        return app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_app, "application", application)
        with live_app.serving() as port:
            yield port


@pytest.fixture
def client(port):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client


def counts():
    """Requests by status and by outcome."""
    label = {"asr_http_requests_total": "status", "asr_http_request_seconds_count": "outcome"}
    samples = [sample for family in REGISTRY.collect() for sample in family.samples if sample.name in label]
    return {(sample.labels["route"], sample.labels[label[sample.name]]): sample.value for sample in samples}


@pytest.fixture
def recorded():
    """What is said of the one request of a test: `status`, `failed` and `problem` of its line, and what was counted."""
    before, found = counts(), []
    number = logger.add(lambda message: found.append(message.record), level="INFO")

    def said():
        fields = wait_until(lambda: [r["extra"] for r in found if r["message"] == "request"], "the line")[0]
        counted = {name for (_, name), value in counts().items() - before.items()}
        return fields["status"], fields.get("failed"), fields.get("problem"), counted

    yield said
    logger.remove(number)


def test_one_that_is_served(client, recorded):
    assert '"transcript.text.done"' in client.get("/stream/well").text
    assert recorded() == (200, None, None, {"200", "served"})


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        ("LaneCrashed", 500, "failed"),
        ("DeadlineExceeded", 504, "failed"),
        ("UndecodableAudio", 422, "rejected"),
        ("RuntimeError", 500, "failed"),
    ],
)
def test_one_that_fails(client, recorded, error, status, outcome):
    reply = client.get(f"/stream/{error}")
    assert reply.status_code == 200
    told = json.loads(reply.text.rpartition("event: error\ndata: ")[2])
    assert told["status"] == status
    assert recorded() == (200, status, told["type"].removeprefix("/problems/"), {str(status), outcome})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("ends", (200, 503, "shutting-down", {"503", "refused"})),
        ("bug", (200, 500, "internal-error", {"500", "failed"})),
    ],
)
def test_one_that_is_broken_off(client, recorded, how, said):
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/broken/{how}")
    assert recorded() == said


def test_one_that_is_left(client, recorded):
    with client.stream("GET", "/stream/waits") as reply:
        assert any("delta" in text for text in reply.iter_lines())
    assert recorded() == (200, 499, None, {"499", "gone"})


def told(how):
    """What is sent where the client leaves a stream that is under way, or the worker ends; and why its work ends."""

    async def scene():
        sent, reasons, begun, left = [], [], asyncio.Event(), asyncio.Event()

        async def work(tell):
            tell([SEGMENT])
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                reasons.append(error.args)
                raise

        async def send(message):
            sent.append(message)
            if b"delta" in message.get("body", b""):
                begun.set()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        async with AsyncExitStack() as held:
            stream = await held.enter_async_context(SegmentStream(work))
            events = TranscriptEvents(stream, Written(Options()), held.pop_all())
        scope = {"state": {"request_id": "r", "log_fields": {}}, "path": "/v1/audio/transcriptions"}
        answering = asyncio.create_task(events(scope, receive, send))
        await begun.wait()
        left.set() if how == "left" else answering.cancel("the worker ends")
        with pytest.raises(ClientDisconnect if how == "left" else asyncio.CancelledError):
            await answering
        return sent, reasons, scope["state"]["log_fields"]

    return asyncio.run(scene())


def test_where_the_worker_ends_the_client_is_told_and_the_work_is_not_its_own_to_pay():
    sent, reasons, fields = told("ends")
    assert sent[-1]["body"].startswith(b"event: error\ndata: ")
    assert b"try again" in sent[-1]["body"]
    assert not sent[-1].get("more_body")
    assert fields == {"failed": 503, "problem": "shutting-down", "heard": 1.0}
    assert reasons == [()]


def test_where_the_client_leaves_the_work_hears_of_it():
    sent, reasons, fields = told("left")
    assert not any(b"error" in message.get("body", b"") for message in sent)
    assert reasons == [(CLIENT_LEFT,)]
    assert fields == {"heard": 1.0}


def test_how_much_was_told_is_known_before_anybody_reads_it():
    """Of channels heard apart each counts, up to the end of its last text; segments without one tell nothing."""
    segments = [(SEGMENT,), (Segment("", 1.0, 9.0),), (Segment("एक", 1.0, 2.0, channel=1), Segment("दो", 1.0, 2.5))]
    told = []

    async def work(tell):
        for each in segments:
            tell(each)
        raise DeadlineExceeded("the cause")

    async def scene():
        async with SegmentStream(work, told.append) as stream:
            await stream.wait_for_first(60)
            assert told == [1.0, 4.5]

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["left", "ends"])
def test_work_hears_why_it_ends_through_groups_and_limits_of_time(how):
    async def scene():
        reasons, begun = [], asyncio.Event()

        async def work():
            try:
                async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(60))
                    begun.set()
                    await asyncio.create_task(asyncio.Event().wait())
            except asyncio.CancelledError as error:
                reasons.append(error.args)
                raise

        async def receive():
            await begun.wait()
            await asyncio.sleep(0 if how == "left" else 60)
            return {"type": "http.disconnect"}

        answering = asyncio.create_task(unless_disconnected(receive, work()))
        await begun.wait()
        if how == "ends":
            answering.cancel("the worker ends")
        with pytest.raises(ClientDisconnect if how == "left" else asyncio.CancelledError):
            await answering
        return reasons

    assert asyncio.run(scene()) == [(CLIENT_LEFT,) if how == "left" else ()]


def test_the_whole_is_written_off_the_loop(client):
    """For hours of audio it takes a second, in which nobody else would be answered."""
    THREADS.clear()
    client.get("/stream/well")
    (thread,) = THREADS
    assert thread != client.get("/loop").json()
