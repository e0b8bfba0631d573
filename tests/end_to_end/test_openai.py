"""OpenAI's own client, unmodified, with strict types: every format, every refusal."""

import asyncio
import os

import pytest

openai = pytest.importorskip("openai")  # it is installed with the rest of requirements/dev.txt, not everywhere else

from inference.types import Options  # noqa: E402
from server.formats.renderings import RENDERINGS  # noqa: E402
from tests.samples import DATA  # noqa: E402

NAMASTE, WATER = DATA / "namaste.wav", DATA / "water.wav"


def connected(server, kind=openai.OpenAI, strict=True):
    return kind(
        base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60, _strict_response_validation=strict
    )


@pytest.fixture(scope="module")
def client(server):
    with connected(server) as client:
        yield client


@pytest.fixture(scope="module")
def heard(pipeline):
    return pipeline.transcribe(NAMASTE.read_bytes(), options=Options(words=True))


def create(client, **wishes):
    return client.audio.transcriptions.create(**{"file": NAMASTE, "model": "whisper-1"} | wishes)


def test_json(client, heard):
    reply = create(client, language="hi-IN", response_format="json")
    assert (reply.text, reply.usage.type, reply.usage.seconds) == (heard.text, "duration", heard.duration)
    assert [language.code for language in reply.languages] == ["hi"]


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_texts(client, heard, form):
    assert create(client, response_format=form) == RENDERINGS[form][0](heard)


def test_words_alone(client, heard):
    reply = create(client, response_format="verbose_json", timestamp_granularities=["word"])
    assert (reply.text, reply.language, reply.duration, reply.segments) == (heard.text, "hi", heard.duration, None)
    words = [(word.word, word.start, word.end) for word in reply.words]
    assert words == [(word.text, word.start, word.end) for each in heard.segments for word in each.words]


def test_segments_say_all_that_the_type_wants(client, heard):
    reply = create(client, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert create(client, response_format="verbose_json").words is None
    (segment,) = reply.segments
    assert (segment.id, segment.seek, segment.temperature, segment.text) == (0, 0, 0.0, heard.text)
    assert 0 <= segment.start < segment.end <= reply.duration
    assert segment.compression_ratio > 0
    words = heard.segments[0].words
    assert segment.tokens == [token.id for word in words for token in word.tokens]
    likely = [token.log_probability for word in words for token in word.tokens]
    assert segment.avg_logprob == pytest.approx(sum(likely) / len(likely), abs=1e-4)
    assert segment.no_speech_prob == pytest.approx(1 - max(word.confidence for word in words), abs=1e-4)
    assert [word.word for word in reply.words] == segment.text.split()
    assert [word.confidence for word in reply.words] == [word.confidence for word in words]


def test_logprobs(client, heard):
    tokens = [token for word in heard.segments[0].words for token in word.tokens]
    reply = create(client, include=["logprobs"])
    assert create(client).logprobs is None
    delta, _, done = create(client, include=["logprobs"], stream=True, extra_body={"punctuate": "pauses"})
    assert done.text == f"{heard.text}।"
    for each in (reply, delta, done):
        assert "".join(token.token for token in each.logprobs) == heard.text
        assert bytes(byte for token in each.logprobs for byte in map(int, token.bytes)).decode() == heard.text
        assert [token.logprob for token in each.logprobs] == [token.log_probability for token in tokens]
        assert all(token.logprob <= 0 for token in each.logprobs)


def test_what_is_taken_without_effect(client, heard):
    strategy = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
    for chunking in ("auto", strategy):
        reply = create(
            client, model="hi-demo", prompt="नमस्ते", temperature=0.2, keywords=["नाम", "आपका"], languages=["hi", "en"],
            chunking_strategy=chunking, stream=False,
        )  # fmt: skip
        assert reply.text == heard.text


def test_every_format_without_waiting(server, client):
    wishes = [{"response_format": form} for form in ("json", "text", "srt", "vtt")]
    wishes += [{"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}]
    wishes += [{"include": ["logprobs"]}]

    async def all_of_them():
        async with connected(server, openai.AsyncOpenAI) as waiting:
            return await asyncio.gather(*(create(waiting, **each) for each in wishes))

    assert asyncio.run(all_of_them()) == [create(client, **each) for each in wishes]


def test_numbers_and_dandas(client, spoken_texts):
    said, wishes = spoken_texts[WATER], {"numerals": "ascii", "punctuate": "pauses"}
    digits = f"{said.replace('एक', '1')}।"
    assert create(client, file=WATER, response_format="text", extra_body=wishes) == f"{digits}\n"
    for form in ({}, {"response_format": "verbose_json", "timestamp_granularities": ["word"]}):
        reply = create(client, file=WATER, extra_body=wishes, **form)
        assert (reply.text, reply.raw_text) == (digits, said)
    assert " ".join(word.word for word in reply.words) == digits
    *_, segment, done = create(client, file=WATER, stream=True, extra_body=wishes)
    assert (segment.text, done.text, done.raw_text) == (digits, digits, said)


@pytest.mark.parametrize(
    ("wishes", "param", "said"),
    [
        ({"response_format": "diarized_json"}, "response_format", "json, text, srt, vtt, verbose_json"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities[]", "verbose_json"),
        ({"timestamp_granularities": ["char"]}, "timestamp_granularities[]", "segment, word"),
        ({"temperature": 2}, "temperature", "0 to 1"),
        ({"language": "ta"}, "language", "hears hi"),
        ({"languages": ["ta", "te"]}, "languages[]", "hears hi"),
        ({"language": "hi", "languages": ["hi"]}, "languages[]", "language is given too"),
        ({"include": ["words"]}, "include[]", "logprobs"),
        ({"include": ["logprobs"], "response_format": "verbose_json"}, "include[]", "json alone"),
        ({"known_speaker_names": ["a"]}, "known_speaker_names[]", "speakers"),
        ({"chunking_strategy": {"type": "client_vad"}}, "chunking_strategy[type]", "server_vad"),
        ({"stream": True, "response_format": "vtt"}, "stream", "json and verbose_json are streamed"),
        (
            {"stream": True, "response_format": "verbose_json", "timestamp_granularities": ["word"]},
            "timestamp_granularities[]",
            "no place for words",
        ),
        ({"extra_body": {"numerals": "roman"}}, "numerals", "words, ascii, devanagari"),
        ({"extra_body": {"colour": "red"}}, "colour", "no such field"),
        ({"model": "whisper-2"}, "model", "whisper-1"),
        ({"file": ("empty.wav", b"")}, "file", "empty"),
        ({"file": ("a.wav", b"hello, this is no audio")}, "file", "not audio"),
    ],
)
def test_refusals_are_in_openais_shape(client, wishes, param, said):
    with pytest.raises(openai.APIStatusError, match=said) as refusal:
        create(client, **wishes)
    error = refusal.value
    assert (error.param, error.type) == (param, "invalid_request_error")
    assert error.status_code == (422 if param == "file" else 400)
    assert error.code
    assert error.request_id == error.response.headers["x-request-id"]


def test_what_middleware_refuses(client):
    with pytest.raises(openai.APIStatusError, match="ASR_MAX_UPLOAD_MB") as refusal:
        create(client, file=("large.wav", os.urandom(3 * 2**20)))
    assert (refusal.value.status_code, refusal.value.code) == (413, "body_too_large")
    with pytest.raises(openai.BadRequestError, match="X-Request-Timeout"):
        create(client, extra_headers={"X-Request-Timeout": "soon"})
    with pytest.raises(openai.RateLimitError) as refusal:
        create(client, extra_headers={"X-Request-Timeout": "0.000001"})
    assert (refusal.value.type, refusal.value.code) == ("rate_limit_error", "overloaded")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translations_are_not_offered(client):
    with pytest.raises(openai.NotFoundError, match="does not translate") as refusal:
        client.audio.translations.create(file=NAMASTE, model="whisper-1")
    assert refusal.value.type == "invalid_request_error"


def test_models(client):
    assert [model.id for model in client.models.list()] == ["hi-demo"]
    assert client.models.retrieve("whisper-1") == client.models.retrieve("hi-demo")
    with pytest.raises(openai.NotFoundError, match="whisper-2"):
        client.models.retrieve("whisper-2")


@pytest.mark.parametrize("place", [0, 3, 6])
def test_fields_in_any_order_empty_and_without_brackets(server, heard, place):
    parts = [
        ("language", ""), ("prompt", ""), ("timestamp_granularities", "word"), ("timestamp_granularities[]", "segment"),
        ("response_format", "verbose_json"), ("model", ""),
    ]  # fmt: skip
    files = [(name, (None, value)) for name, value in parts]
    files.insert(place, ("file", (None, NAMASTE.read_bytes())))
    with server.client() as client:
        reply = client.post("/v1/audio/transcriptions", files=files).json()
    assert reply["text"] == heard.text
    assert len(reply["words"]) == 5
    assert len(reply["segments"]) == 1


def test_a_field_that_is_no_text(server):
    files = [("prompt", (None, b"\xff")), ("file", (None, NAMASTE.read_bytes()))]
    with server.client() as client:
        error = client.post("/v1/audio/transcriptions", files=files).json()["error"]
    assert (error["param"], error["message"]) == ("prompt", "prompt: not UTF-8")
