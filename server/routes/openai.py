"""`POST /v1/audio/transcriptions`, as OpenAI's API and its clients have it."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from inference.types import Transcript
from server.errors import InvalidParameter
from server.formats.openai import simple, verbose
from server.formats.renderings import RENDERINGS, described
from server.http.disconnect import unless_disconnected
from server.http.upload import request_body
from server.parameters import PARAMETERS, Field, Parameters
from server.routes.events import QUIET_SECONDS, TranscriptEvents
from server.routes.failures import failures
from server.routes.requests import Given, TranscriptionRequest, read_request, rendered, transcribe_request
from server.streaming import SegmentStream

router = APIRouter(tags=["openai"])

_NUMBER = r"\d{1,9}(\.\d{0,9})?"
_VAD = "chunking_strategy"
_VAD_NUMBERS = ("threshold", "prefix_padding_ms", "silence_duration_ms")
_VAD_MEMBER = rf'"(type"\s*:\s*"server_vad"|({"|".join(_VAD_NUMBERS)})"\s*:\s*{_NUMBER})'
_NOTHING = r"(?!)"
_NO_EFFECT = "Taken, without effect: "
_GRANULARITIES = "timestamp_granularities[]"
_INCLUDE = "include[]"
_SPEAKERS = Field(
    "Refused: speakers are not told apart.", pattern=_NOTHING, taken="nothing, speakers are not told apart"
)

FIELDS: Mapping[str, Field] = {
    "model": Field("A package's name, or one of `ASR_MODEL_ALIASES` for the default one."),
    "language": PARAMETERS["language"],
    "languages[]": replace(
        PARAMETERS["language"], meaning="What may be spoken; the model must hear one.", several=True
    ),
    "response_format": Field(
        "JSON, plain text, subtitles, or JSON with times.",
        ("json", "text", "srt", "vtt", "verbose_json"),
        default="json",
    ),
    _GRANULARITIES: Field(
        "With `verbose_json`: times of words, of segments, or both.",
        ("segment", "word"),
        default="segment",
        several=True,
    ),
    "stream": Field(
        "With `json` and `verbose_json`: server-sent events, some for each window of the audio.",
        ("false", "true"),
        default="false",
    ),
    _INCLUDE: Field(
        "With `json`, streamed or whole: log-probabilities of the tokens that were heard.", ("logprobs",), several=True
    ),
    "prompt": Field(f"{_NO_EFFECT}the model knows no prompts."),
    "keywords[]": Field(f"{_NO_EFFECT}the model is not biased towards words.", several=True),
    "temperature": Field(
        f"{_NO_EFFECT}the model always gives the likeliest text.",
        pattern=r"(0|0?\.\d+|0\.|1|1\.0*|\d(\.\d+)?e-\d+)",
        taken="a number from 0 to 1",
    ),
    _VAD: Field(
        f"{_NO_EFFECT}long audio is cut where nobody speaks, whatever is asked for.",
        pattern=rf'(auto|\{{(?=.*"type")\s*{_VAD_MEMBER}\s*(,\s*{_VAD_MEMBER}\s*)*\}})',
        taken="auto, or an object with the type server_vad",
    ),
    f"{_VAD}[type]": Field("The same, as forms write objects.", ("server_vad",)),
    **{f"{_VAD}[{name}]": Field("The same.", pattern=_NUMBER, taken="a number") for name in _VAD_NUMBERS},
    "known_speaker_names[]": _SPEAKERS,
    "known_speaker_references[]": _SPEAKERS,
    **{name: PARAMETERS[name] for name in ("numerals", "punctuate")},
}

_SCHEMAS = {name: {**field.schema, "description": field.meaning} for name, field in FIELDS.items()}
_FORM = request_body(
    {name: {"type": "array", "items": schema} if FIELDS[name].several else schema for name, schema in _SCHEMAS.items()}
)
_PATH = "/v1/audio/transcriptions"
_JSON = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_EVENT = {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}}
_CONTENT = {
    "application/json": {"schema": _JSON},
    "text/event-stream": {"schema": _EVENT},
    **described(FIELDS["response_format"].values),
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "In the format that was asked for.", "content": _CONTENT},
    **failures(_PATH, audio=True),
}


@router.post(_PATH, response_class=Response, responses=_RESPONSES, openapi_extra={"requestBody": _FORM})
async def transcriptions(request: Request) -> Response:
    """Turn speech into text, for clients of OpenAI's API."""
    async with AsyncExitStack() as held:
        wanted = await held.enter_async_context(read_request(request, FIELDS, _parameters))
        if wanted.given.get("stream") == ("true",):
            stream = await held.enter_async_context(SegmentStream(wanted.transcribe, request.state.meter.told))
            # Until then a failure has a status.
            await unless_disconnected(request.receive, stream.wait_for_first(QUIET_SECONDS))
            return TranscriptEvents(stream, wanted.parameters, held.pop_all())
        heard = await transcribe_request(request, wanted)
    _, media_type = RENDERINGS.get(wanted.parameters.format, (None, "application/json"))
    return Response(await rendered(heard, lambda: _render(heard, wanted)), media_type=media_type)


@router.post("/v1/audio/translations", include_in_schema=False)
async def translations() -> Response:
    """Say that there is none."""
    raise HTTPException(404, "This server transcribes and does not translate.")


def _render(heard: Transcript, wanted: TranscriptionRequest) -> str:
    parameters = wanted.parameters
    transcript = parameters.written(heard)
    if parameters.format in RENDERINGS:
        render, _ = RENDERINGS[parameters.format]
        return render(transcript)
    if parameters.format == "verbose_json":
        return verbose(transcript, heard, _granularities(wanted.given))
    return simple(transcript, heard, logprobs=parameters.logprobs)


def _granularities(given: Given) -> tuple[str, ...]:
    """Raise InvalidParameter where the format has no place for them, or a stream has none for words."""
    granularities = given.get(_GRANULARITIES, ("segment",))
    if _GRANULARITIES in given and given.get("response_format") != ("verbose_json",):
        raise InvalidParameter(
            f"{_GRANULARITIES}: response_format=verbose_json alone has a place for them", _GRANULARITIES
        )
    if "word" in granularities and given.get("stream") == ("true",):
        raise InvalidParameter(
            f"{_GRANULARITIES}: a stream has no place for words; segment is streamed", _GRANULARITIES
        )
    return granularities


def _parameters(given: Given) -> Parameters:
    """In the server's own terms; raise InvalidParameter for those that exclude each other."""
    form = given.get("response_format", ("json",))[0]
    if given.get("stream") == ("true",) and form in RENDERINGS:
        raise InvalidParameter(
            f"stream: response_format={form} comes whole; json and verbose_json are streamed", "stream"
        )
    if "language" in given and "languages[]" in given:
        raise InvalidParameter("languages[]: language is given too", "languages[]")
    if _INCLUDE in given and form != "json":
        raise InvalidParameter(f"{_INCLUDE}: response_format=json alone has a place for logprobs", _INCLUDE)
    words = "true" if "word" in _granularities(given) else "false"
    same = {name: values[0] for name, values in given.items() if name in PARAMETERS}
    parameters = Parameters.of({**same, "format": form, "words": words})
    if form == "verbose_json" or _INCLUDE in given:  # of which words know the tokens
        options = replace(parameters.options, words=True)
        parameters = replace(parameters, options=options, logprobs=_INCLUDE in given)
    if several := given.get("languages[]"):
        return replace(parameters, languages=several, languages_field="languages[]")
    return parameters
