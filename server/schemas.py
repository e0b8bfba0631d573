"""The shapes of replies, as OpenAPI shows them."""

from time import monotonic
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, create_model

from inference.types import STAGES, Options, Segment, Transcript, Word
from server.formats.times import shown_times
from server.parameters import Parameters

_NONE = Parameters(Options())
_seconds: Any = {stage: (float, Field(description=meaning)) for stage, meaning in STAGES.items()}
Processing = create_model(
    "Processing",
    __doc__="Seconds spent in each stage.",
    **_seconds,
    total=(float, Field(description="From the last byte of the request to the text.")),
)


class WordReply(BaseModel):
    """A word, when it was said, and how sure that is."""

    text: str
    start: float = Field(description="Seconds from the beginning of the audio.")
    end: float
    confidence: float = Field(
        description="How likely it is right, from 0 to 1 ([models.md](models.md#how-sure-each-word-is))."
    )

    @classmethod
    def of(cls, word: Word) -> Self:
        """Render one."""
        confidence = round(word.confidence, 4)
        return cls(text=word.text, start=round(word.start, 3), end=round(word.end, 3), confidence=confidence)


class SegmentReply(BaseModel):
    """A stretch of speech."""

    text: str = Field(description="What was said in it.")
    start: float = Field(description="Seconds from the beginning of the audio.")
    end: float = Field(description="Likewise.")
    channel: int | None = Field(description="Counted from 0, where channels are heard apart; else null.")
    words: list[WordReply] = Field([], description="With `format=verbose_json`: each word of it.")

    @classmethod
    def of(cls, segment: Segment, duration: float, *, words: bool = False) -> Self:
        """Render one of so much audio."""
        start, end = shown_times(segment, duration)
        said = {"words": [WordReply.of(word) for word in segment.words]} if words else {}
        return cls(text=segment.text, start=start, end=end, channel=segment.channel, **said)


class TranscriptionReply(BaseModel):
    """What `POST /transcribe` answers."""

    text: str = Field(description="What was said; empty where nothing was heard.")
    segments: list[SegmentReply] = Field(description="The same in stretches of speech, by time; of all channels.")
    words: list[WordReply] = Field([], description="With `words=true`: each word, by time.")
    raw_text: str = Field("", description="With `numerals` or `punctuate`: the text as the model heard it.")
    language: str = Field(description="BCP 47 tag of the model's language.")
    model: str = Field(description="Name of the package that heard it.")
    duration: float = Field(description="Seconds of audio received.")
    clipped: bool = Field(description="Whether only the beginning was transcribed.")
    warnings: list[str] = Field(description="What to know about the audio, as sentences; mostly none.")
    processing: Processing
    request_id: str = Field(description="Of this request, as in the header `X-Request-ID`.")

    @classmethod
    def of(cls, heard: Transcript, request_id: str, parameters: Parameters = _NONE) -> Self:
        """Render a transcript that has just been made; what was not asked for is not set."""
        transcript, verbose = parameters.written(heard), parameters.format == "verbose_json"
        seconds = {stage: round(transcript.seconds(stage), 4) for stage in STAGES}  # 0 where there was none
        total = round(monotonic() - transcript.stages[0].began, 4)
        return cls(
            text=transcript.text,
            segments=[
                SegmentReply.of(each, transcript.duration, words=verbose and parameters.words)
                for each in transcript.segments
                if each.text
            ],
            language=transcript.language,
            model=transcript.model,
            duration=transcript.duration,
            clipped=transcript.clipped,
            warnings=list(transcript.warnings),
            processing=Processing(**seconds, total=total),
            request_id=request_id,
            **({"raw_text": heard.text} if transcript is not heard else {}),
            **({"words": _words(transcript)} if parameters.words and not verbose else {}),
        )


def _words(transcript: Transcript) -> list[WordReply]:
    """Those of all segments, by time."""
    words = sorted((word for each in transcript.segments for word in each.words), key=lambda word: word.start)
    return [WordReply.of(word) for word in words]


class Model(BaseModel):
    """A package that is served, as OpenAI's API lists models."""

    id: str = Field(description="Its name, for `?model=`.")
    object: Literal["model"] = "model"
    created: int = Field(description="When its description was written, in seconds since 1970.")
    owned_by: str = Field(description="Where its weights come from.")
    language: str = Field(description="BCP 47 tag.")
    default: bool = Field(description="Whether it is used where a request names none.")
    calibrated: list[str] = Field(
        description="Decoders whose words' `confidence` was learnt from clips; others have scores of no unit."
    )


class AudioContainer(BaseModel):
    """A kind of file that is taken."""

    name: str
    codecs: str = Field(description="Those inside it that are taken.")
    known_by: str = Field(description="What stands in its first bytes.")
    decoder: str = Field(description="The library that reads it.")


class Models(BaseModel):
    """All packages that are served, and the files that they are given."""

    object: Literal["list"] = "list"
    data: list[Model]
    containers: list[AudioContainer] = Field(description="Kinds of files that are taken, whatever the model.")


class Problem(BaseModel):
    """Every failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    violated_policies: list[str] | None = Field(
        None,
        alias="violated-policies",
        description="Of `quota-exceeded`: names of the limits, as in `RateLimit-Policy`.",
    )


class OpenAIFailure(BaseModel):
    """Every failure under `/v1/`, as OpenAI's API has it."""

    error: dict[str, str | None] = Field(description="`message`, `type`, `param` and `code`.")


class Health(BaseModel):
    """State of a worker."""

    status: str


class Readiness(Health):
    """Whether a worker can serve, and what works worse there than it could."""

    warnings: list[str] = Field(description="Sentences; empty where all is well.")
