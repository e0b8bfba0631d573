"""Transcript → JSON as OpenAI's API has it: `json`, `verbose_json`, and the events of a stream.

What is not known is left out. Where a transcript has been written otherwise than `heard`, that text stands beside.
"""

import json
import zlib
from collections.abc import Collection, Iterable
from typing import Any

from inference.types import Segment, Transcript
from server.formats.times import shown_times


def simple(transcript: Transcript, heard: Transcript) -> str:
    """`response_format=json`."""
    return _encoded({**_text(transcript), **_usage(transcript), **_rest(transcript, heard)})


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
            {"word": each.text, "start": round(each.start, 3), "end": round(each.end, 3)} for each in words
        ]
    return _encoded({**content, **_usage(transcript), **_rest(transcript, heard)})


def text_delta(segments: Iterable[Segment], *, first: bool) -> str:
    """The text of segments that follow others, or are the first."""
    text = " ".join(segment.text for segment in segments)
    return _encoded({"type": "transcript.text.delta", "delta": text if first else f" {text}"})


def text_segment(number: int, segment: Segment) -> str:
    """A segment and when it was said. The type wants a speaker; nobody knows which, so that it has no name."""
    start, end = shown_times(segment, segment.end)
    times = {"id": f"seg_{number}", "start": start, "end": end, "speaker": ""}
    return _encoded({"type": "transcript.text.segment", "text": segment.text, **times})


def text_done(transcript: Transcript, heard: Transcript) -> str:
    """The whole, without usage, of which the type counts tokens."""
    return _encoded({"type": "transcript.text.done", **_text(transcript), **_rest(transcript, heard)})


def _text(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, "languages": [{"code": transcript.language}]}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"usage": {"type": "duration", "seconds": transcript.duration}}


def _rest(transcript: Transcript, heard: Transcript) -> dict[str, Any]:
    """What OpenAI's own does not have, where there is something to say."""
    raw_text = {"raw_text": heard.text} if transcript is not heard else {}
    return {**raw_text, **({"warnings": list(heard.warnings)} if heard.warnings else {})}


def _segment(number: int, segment: Segment, duration: float) -> dict[str, Any]:
    """Without `tokens`, `avg_logprob` and `no_speech_prob`, of which a transcript says nothing."""
    text = segment.text.encode()
    start, end = shown_times(segment, duration)
    return {
        "id": number,
        "seek": 0,
        "start": start,
        "end": end,
        "text": segment.text,
        "temperature": 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),  # as Whisper computes it
    }


def _encoded(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
