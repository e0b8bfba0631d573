"""Transcript → plain text, SubRip, WebVTT, tab-separated values. Where nobody spoke each is empty, but for its head."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from inference.types import Transcript
from server.formats.cues import Cue, cues_of


def text(transcript: Transcript) -> str:
    """All that was said, as one line."""
    return f"{transcript.text}\n"


def srt(transcript: Transcript) -> str:
    """SubRip, which knows no voices: of channels that were transcribed apart the cues stand in the order of time."""
    return "".join(
        "\n".join((str(number), f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}", *cue.lines, "", ""))
        for number, cue in enumerate(cues_of(transcript), 1)
    )


def vtt(transcript: Transcript) -> str:
    """WebVTT (W3C), with a voice tag for each channel that was transcribed apart."""
    found = (f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_tagged(cue)}\n" for cue in cues_of(transcript))
    return "\n".join(["WEBVTT\n", *found])


def tsv(transcript: Transcript) -> str:
    """Start and end in milliseconds, and the text, of each segment; as Whisper's own."""
    rows = (
        f"{_milliseconds(each.start)}\t{_milliseconds(each.end)}\t{' '.join(each.text.split())}\n"
        for each in transcript.segments
        if each.text
    )
    return "".join(["start\tend\ttext\n", *rows])


RENDERINGS: Mapping[str, tuple[Callable[[Transcript], str], str]] = {
    "text": (text, "text/plain; charset=utf-8"),
    "srt": (srt, "application/x-subrip; charset=utf-8"),
    "vtt": (vtt, "text/vtt; charset=utf-8"),
    "tsv": (tsv, "text/tab-separated-values; charset=utf-8"),
}
"""Format → what renders it, and its media type."""


def described(formats: Iterable[str]) -> dict[str, Any]:
    """Describe those of some formats that are no JSON to OpenAPI."""
    media_types = (RENDERINGS[name][1].partition(";")[0] for name in formats if name in RENDERINGS)
    return {media_type: {"schema": {"type": "string"}} for media_type in media_types}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(seconds: float, comma: str) -> str:
    """Hours, of which there may be over 99, minutes, seconds and milliseconds; rounded before they are told apart."""
    rest, milliseconds = divmod(_milliseconds(seconds), 1000)
    rest, seconds_left = divmod(rest, 60)
    hours, minutes = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}:{seconds_left:02}{comma}{milliseconds:03}"


def _tagged(cue: Cue) -> str:
    said = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return said if cue.channel is None else f"<v channel {cue.channel}>{said}"
