"""Transcript → JSON as OpenAI's API has it, `json` and `verbose_json`; what is not known is left out."""

import json
import zlib
from collections.abc import Collection
from typing import Any

from inference.types import Segment, Transcript
from server.formats.times import shown_times


def simple(transcript: Transcript) -> str:
    """`response_format=json`."""
    return _encoded({"text": transcript.text, "languages": [{"code": transcript.language}], **_rest(transcript)})


def verbose(transcript: Transcript, granularities: Collection[str]) -> str:
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
    return _encoded({**content, **_rest(transcript)})


def _rest(transcript: Transcript) -> dict[str, Any]:
    warnings = {"warnings": list(transcript.warnings)} if transcript.warnings else {}
    return {"usage": {"type": "duration", "seconds": transcript.duration}, **warnings}


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
