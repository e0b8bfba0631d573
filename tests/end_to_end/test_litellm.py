"""litellm, unmodified, waiting and not: every format, streams, refusals. `make test-clients` installs it."""

import json
import subprocess
from pathlib import Path

import pytest

from inference.types import Options
from server.formats.renderings import RENDERINGS
from tests.samples import DATA

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients/bin/python"
NAMASTE = DATA / "namaste.wav"
VERBOSE = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
NEWER = {"model": "openai/gpt-4o-transcribe", "languages": ["hi", "en"], "keywords": ["नाम"], "temperature": 0}

pytestmark = [
    pytest.mark.measuring,
    pytest.mark.skipif(not PYTHON.exists(), reason="litellm has an environment of its own: make test-clients"),
]


@pytest.fixture(scope="module")
def ask(server):
    """Wishes → what litellm makes of the reply, which is the same whether it waits or not."""
    command = [PYTHON, Path(__file__).with_name("litellm_client.py"), f"{server.url}/v1", NAMASTE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as client:

        def ask(**wishes):
            client.stdin.write(f"{json.dumps(wishes)}\n")
            client.stdin.flush()
            waited, not_waited = (json.loads(client.stdout.readline()) for _ in range(2))
            assert waited == not_waited
            return waited

        yield ask
        client.stdin.close()
    assert client.returncode == 0


@pytest.fixture(scope="module")
def heard(pipeline):
    return pipeline.transcribe(NAMASTE.read_bytes(), options=Options(words=True))


def test_texts(ask, heard):
    for form in ("text", "srt", "vtt"):
        assert ask(response_format=form)["text"] == RENDERINGS[form][0](heard)


def test_json(ask, heard):
    usage = {"type": "duration", "seconds": heard.duration}
    for wishes in ({"response_format": "json"}, {}, NEWER, {"language": "hi-IN", "prompt": "नमस्ते"}):
        reply = ask(**wishes)
        assert (reply["text"], reply["usage"]) == (heard.text, usage)
    verbose = ask(**VERBOSE)
    assert [word["word"] for word in verbose["words"]] == verbose["segments"][0]["text"].split() == heard.text.split()
    assert ask(extra_body={"punctuate": "pauses"})["text"] == f"{heard.text}।"


@pytest.mark.parametrize("form", [{}, {"response_format": "json"}])
def test_streams(ask, heard, form):
    """litellm asks for verbose_json where no format is wished for."""
    delta, segment, done = ask(stream=True, **form)
    assert delta["delta"] == segment["text"] == done["text"] == heard.text
    assert segment["type"] == "transcript.text.segment"


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"language": "ta"}, "hears hi"),
        ({"model": "openai/whisper-2"}, "whisper-1"),
        ({"stream": True, "response_format": "srt"}, "comes whole"),
        ({"response_format": "text", "timestamp_granularities": ["word"]}, "verbose_json"),
    ],
)
def test_refusals(ask, wishes, said):
    reply = ask(**wishes)
    assert reply["error"] == "BadRequestError"
    assert said in reply["said"]
