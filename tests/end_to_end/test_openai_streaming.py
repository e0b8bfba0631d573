"""`stream=true`, asked for by OpenAI's own client with strict types."""

import asyncio

import numpy as np
import pytest
import soundfile

openai = pytest.importorskip("openai")  # it is installed with the rest of requirements/dev.txt, not everywhere else

from loadtest.harness.processes import paused, wait_until  # noqa: E402
from tests.end_to_end.test_openai import connected, create  # noqa: E402
from tests.samples import CLIPS, DATA, encode  # noqa: E402

NAMASTE = DATA / "namaste.wav"
_SENTENCES = [soundfile.read(path)[0] for path in CLIPS]
LONG = encode(np.concatenate([part for each in 6 * _SENTENCES for part in (each, np.zeros(16_000))]), container="FLAC")
"""24 windows, so many that its decoder waits for the lanes."""


@pytest.fixture(scope="module")
def client(server):
    with connected(server) as client:
        yield client


def text_of(deltas):
    return "".join(event.delta for event in deltas)


def test_a_clip(client):
    *deltas, done = create(client, stream=True)
    assert [event.type for event in (*deltas, done)] == ["transcript.text.delta", "transcript.text.done"]
    assert text_of(deltas) == done.text == create(client).text
    assert [each.code for each in done.languages] == ["hi"]


def test_a_clip_in_which_nobody_speaks(client):
    (done,) = create(client, stream=True, file=("silence.wav", encode(np.zeros(32_000))))
    assert (done.type, done.text) == ("transcript.text.done", "")


def test_a_recording_without_waiting(server):
    async def ask():
        async with connected(server, openai.AsyncOpenAI) as client:
            stream = await create(client, stream=True, file=("long.flac", LONG))
            return [event async for event in stream], await create(client, file=("long.flac", LONG))

    (*deltas, done), whole = asyncio.run(ask())
    assert len(deltas) > 2
    assert text_of(deltas) == done.text == whole.text


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
    for wishes in ({"response_format": "srt"}, {"response_format": "verbose_json"}):
        with pytest.raises(openai.BadRequestError, match="json is streamed") as refusal:
            create(client, stream=True, **wishes)
        assert refusal.value.param == "stream"


def test_a_client_that_leaves_in_the_middle(client, server):
    stream = create(client, stream=True, file=("long.flac", LONG))
    assert next(stream).delta
    with paused(*server.lanes()):
        stream.close()
        wait_until(lambda: not server.decoders(), "the decoder gone")
        server.wait_metric(0, "asr_windows")
    server.wait_idle()
    assert create(client, file=NAMASTE).text
