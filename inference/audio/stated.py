"""How long a file says that it lasts, each kind by its own words; and a guess for those that do not say."""

from collections.abc import Callable
from mmap import mmap

from inference.audio.boxes import asf_properties, mp4_seconds, webm_seconds
from inference.audio.containers import Container
from inference.audio.flac import counted_samples, flac_samples, proven_samples
from inference.audio.mpeg import guessed_seconds, xing_seconds
from inference.audio.ogg import ogg_seconds
from inference.audio.raw import wrapped_seconds
from inference.audio.riff import read_wav_header

_MOST_SECONDS = 1e9  # thirty years: whoever says more says nothing
_UNKNOWN_BYTES_PER_SECOND = 2_000  # 16 kbit/s, about the least at which speech is sent


def stated_seconds(container: Container, data: bytes | mmap, start: int, end: int) -> float:
    """Duration by the file's own words, 0 where it has none; raise UndecodableAudio where they make no sense."""
    stated = _STATED.get(container.demuxer)
    seconds = stated(data, start, end) if stated else 0.0
    return seconds if seconds < _MOST_SECONDS else 0.0


def guess_seconds(container: Container, data: bytes | mmap, start: int, end: int) -> float:
    """Duration if all frames were like the first, or at 16 kbit/s."""
    if container.demuxer in ("mp3", "aac", "ac3"):
        return guessed_seconds(data, start, end)
    return (end - start) / _UNKNOWN_BYTES_PER_SECOND


def _flac_seconds(data: bytes | mmap, start: int, end: int) -> float:
    announced, rate = flac_samples(data, start, end)
    samples = max(announced, proven_samples(data, start, end)) or counted_samples(data, start, end)
    return samples / rate if rate else 0.0


_STATED: dict[str, Callable[[bytes | mmap, int, int], float]] = {
    "wav": lambda data, start, end: read_wav_header(data, start, end).seconds,
    "flac": _flac_seconds,
    "ogg": ogg_seconds,
    "au": wrapped_seconds,
    "mp3": xing_seconds,
    "mov": mp4_seconds,
    "matroska": webm_seconds,
    "asf": lambda data, start, end: asf_properties(data, start, end)[0],
}
