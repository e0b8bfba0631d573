"""Transcript → JSON as OpenAI's API has it: `json`, `verbose_json`, and the events of a stream.

What is not known is left out. Where a transcript has been written otherwise than `heard`, that text stands beside.
"""

import json
import zlib
from collections.abc import Collection, Iterable
from typing import Any

from inference.types import Segment, Transcript
from server.formats.times import shown_times


def simple(transcript: Transcript, heard: Transcript, *, logprobs: bool = False) -> str:
    """`response_format=json`, with log-probabilities of the tokens that were heard."""
    said = _logprobs(heard.segments, first=True) if logprobs else {}
    return _encoded({**_text(transcript), **said, **_usage(transcript), **_rest(transcript, heard)})


def verbose(transcript: Transcript, heard: Transcript, granularities: Collection[str]) -> str:
    """`response_format=verbose_json`, with segments, words, or both."""
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if "segment" in granularities:
        spoken = [each for each in transcript.segments if each.text]
        content["segments"] = [_segment(number, each, transcript.duration) for number, each in enumerate(spoken)]
    if "word" in granularities:
        words = (word for each in transcript.segments for word in each.words)
        content["words"] = [
            {
                "word": each.text,
                "start": round(each.start, 3),
                "end": round(each.end, 3),
                "confidence": round(each.confidence, 4),
            }
            for each in words
        ]
    return _encoded({**content, **_usage(transcript), **_rest(transcript, heard)})


def text_delta(segments: Iterable[Segment], *, first: bool, heard: Iterable[Segment] | None = None) -> str:
    """The text of segments that follow others, or are the first; with log-probabilities of the tokens heard."""
    text = " ".join(segment.text for segment in segments)
    said = {} if heard is None else _logprobs(heard, first=first)
    return _encoded({"type": "transcript.text.delta", "delta": text if first else f" {text}", **said})


def text_segment(number: int, segment: Segment) -> str:
    """A segment and when it was said. The type wants a speaker; nobody knows which, so that it has no name."""
    start, end = shown_times(segment, segment.end)
    times = {"id": f"seg_{number}", "start": start, "end": end, "speaker": ""}
    return _encoded({"type": "transcript.text.segment", "text": segment.text, **times})


def text_done(transcript: Transcript, heard: Transcript, *, logprobs: bool = False) -> str:
    """The whole, without usage, of which the type counts tokens."""
    said = _logprobs(heard.segments, first=True) if logprobs else {}
    return _encoded({"type": "transcript.text.done", **_text(transcript), **said, **_rest(transcript, heard)})


def _text(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, "languages": [{"code": transcript.language}]}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"usage": {"type": "duration", "seconds": transcript.duration}}


def _rest(transcript: Transcript, heard: Transcript) -> dict[str, Any]:
    """What OpenAI's own does not have, where there is something to say."""
    raw_text = {"raw_text": heard.text} if transcript is not heard else {}
    return {**raw_text, **({"warnings": list(heard.warnings)} if heard.warnings else {})}


def _logprobs(segments: Iterable[Segment], *, first: bool) -> dict[str, Any]:
    """The tokens as parts of a text, of which each word but the first begins with a space."""
    found: list[dict[str, Any]] = []
    for word in (word for segment in segments for word in segment.words):
        space = "" if first and not found else " "
        for token in word.tokens:
            text = space + token.text
            found.append({"token": text, "logprob": token.log_probability, "bytes": list(text.encode())})
            space = ""
    return {"logprobs": found}


def _segment(number: int, segment: Segment, duration: float) -> dict[str, Any]:
    """Of a transcript with words. That nobody spoke is as likely as that its surest word is wrong."""
    text = segment.text.encode()
    tokens = [token for word in segment.words for token in word.tokens]
    likely = [token.log_probability for token in tokens]
    surest = max((word.confidence for word in segment.words), default=0.0)
    start, end = shown_times(segment, duration)
    return {
        "id": number,
        "seek": 0,
        "start": start,
        "end": end,
        "text": segment.text,
        "tokens": [token.id for token in tokens],
        **({"avg_logprob": round(sum(likely) / len(likely), 4)} if likely else {}),
        "no_speech_prob": round(1 - surest, 4),
        "temperature": 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),  # as Whisper computes it
    }


def _encoded(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
