"""`stream=true`, asked for by OpenAI's own client with strict types."""

import asyncio
import json

import numpy as np
import pytest
import soundfile

openai = pytest.importorskip("openai")  # it is installed with the rest of requirements/dev.txt, not everywhere else

from loadtest.harness.processes import paused, wait_until  # noqa: E402
from tests.end_to_end.test_openai import connected, create  # noqa: E402
from tests.samples import CLIPS, DATA, encode, seconds_of  # noqa: E402

NAMASTE = DATA / "namaste.wav"
_SENTENCES = [soundfile.read(path)[0] for path in CLIPS]
LONG = encode(np.concatenate([part for each in 6 * _SENTENCES for part in (each, np.zeros(16_000))]), container="FLAC")
"""24 windows, so many that its decoder waits for the lanes."""


@pytest.fixture(scope="module")
def client(server):
    with connected(server) as client:
        yield client


def of_kind(events, kind):
    return [event for event in events if event.type == f"transcript.text.{kind}"]


def text_of(events):
    return "".join(event.delta for event in of_kind(events, "delta"))


@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_a_clip(client, form):
    delta, segment, done = create(client, stream=True, response_format=form)
    kinds = [event.type.removeprefix("transcript.text.") for event in (delta, segment, done)]
    assert kinds == ["delta", "segment", "done"]
    assert delta.delta == segment.text == done.text == create(client).text
    assert (segment.start, segment.end, segment.speaker) == (0.0, seconds_of(NAMASTE), "")
    assert [each.code for each in done.languages] == ["hi"]


def test_a_clip_in_which_nobody_speaks(client):
    (done,) = create(client, stream=True, file=("silence.wav", encode(np.zeros(32_000))))
    assert (done.type, done.text) == ("transcript.text.done", "")


def test_a_recording_without_waiting(server):
    async def ask():
        async with connected(server, openai.AsyncOpenAI) as client:
            stream = await create(client, stream=True, include=["logprobs"], file=("long.flac", LONG))
            events = [event async for event in stream]
            wishes = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
            return events, await create(client, file=("long.flac", LONG), **wishes)

    events, whole = asyncio.run(ask())
    assert len(of_kind(events, "delta")) > 2
    segments, (done,) = of_kind(events, "segment"), of_kind(events, "done")
    assert text_of(events) == " ".join(segment.text for segment in segments) == done.text == whole.text
    tokens = [token for event in of_kind(events, "delta") for token in event.logprobs]
    assert "".join(token.token for token in tokens) == done.text
    assert [token.logprob for token in done.logprobs] == [token.logprob for token in tokens]
    assert len({segment.id for segment in segments}) == len(segments)
    times = [time for segment in segments for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert (times[0], times[-1]) <= (whole.words[0].start, whole.duration)


def test_lines_come_while_no_text_does(server):
    """So that no proxy takes the connection for dead, and a client that has gone is noticed."""
    with server.client(timeout=120) as client, paused(*server.lanes()):
        form = {"data": {"stream": "true"}, "files": {"file": NAMASTE.read_bytes()}}
        with client.stream("POST", "/v1/audio/transcriptions", **form) as reply:
            lines = (line for line in reply.iter_lines() if line)
            assert reply.status_code == 200
            assert [next(lines)[0] for _ in range(2)] == [":", ":"]
            for lane in server.lanes():
                lane.resume()
            events = [line for line in lines if not line.startswith(":")]
    assert [json.loads(event.removeprefix("data: "))["type"].rpartition(".")[2] for event in events] == [
        "delta", "segment", "done",
    ]  # fmt: skip


def test_what_to_know_about_the_audio_is_told_at_the_end(client):
    samples = soundfile.read(NAMASTE)[0]
    inverted = ("inverted.wav", encode(np.stack([samples, -samples], axis=1)))
    *_, done = create(client, stream=True, file=inverted)
    assert done.warnings == create(client, file=inverted).warnings
    assert len(done.warnings) == 1


def test_what_is_wrong_further_on_comes_after_the_first_texts(client):
    """So these were there before all was decoded."""
    events = []
    broken = LONG[: len(LONG) * 3 // 4] + bytes(len(LONG) // 4)
    with pytest.raises(openai.APIError, match="FLAC") as failure:
        events.extend(create(client, stream=True, file=("broken.flac", broken)))
    assert failure.value.code == "undecodable_audio"
    stream = create(client, stream=True, file=("broken.flac", broken))
    assert next(stream).delta
    stream.close()


def test_what_is_wrong_at_the_start_has_a_status(client):
    with pytest.raises(openai.UnprocessableEntityError, match="not audio"):
        create(client, stream=True, file=("a.wav", b"hello, this is no audio"))
    with pytest.raises(openai.BadRequestError, match="hears hi"):
        create(client, stream=True, language="ta")


def test_a_client_that_leaves_in_the_middle(client, server):
    stream = create(client, stream=True, file=("long.flac", LONG), extra_headers={"X-Request-ID": "leaving"})
    assert next(stream).delta
    with paused(*server.lanes()):
        stream.close()
        wait_until(lambda: not server.decoders(), "the decoder gone")
        server.wait_metric(0, "asr_windows")
    server.wait_idle()
    (line,) = wait_until(lambda: [e for e in server.logged("request") if e["request_id"] == "leaving"], "its line")
    assert (line["status"], line["failed"]) == (200, 499)
    assert create(client, file=NAMASTE).text
