"""What a file is made of: one recording, or several behind one another, each with the decoder that reads it."""

import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from inference.audio.blocks import Blocks
from inference.audio.boxes import (
    asf_properties,
    chunks_are_cut,
    flv_is_cut,
    mp4_counts_fit,
    mp4_has_index,
    mp4_is_cut,
    mp4_seconds,
    webm_is_cut,
    webm_seconds,
)
from inference.audio.containers import TRANSPORT_PACKET, Container, Decoder, identify, opened
from inference.audio.flac import FLAC_BEGINS, counted_samples, flac_channels, flac_samples, with_samples
from inference.audio.joined import joined_files
from inference.audio.mpeg import frames_are_cut, guessed_seconds, xing_seconds
from inference.audio.ogg import check_ogg_pages, ogg_seconds
from inference.audio.opus import opus_has_gaps
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.raw import is_wrapped, wrapped_seconds
from inference.audio.riff import next_wave, read_wav_header
from inference.audio.soundfile_blocks import soundfile_blocks
from inference.audio.source import Part, occurrences
from inference.audio.tags import id3v2_bytes
from inference.audio.unfinished import right_header
from inference.errors import UndecodableAudio, UnsupportedCodec

_MOST_PIECES = 1000
_SLIP_SECONDS = 0.15  # encoders' delays
_MOST_SECONDS = 1e9  # thirty years: whoever says more says nothing
_UNKNOWN_BYTES_PER_SECOND = 2_000  # 16 kbit/s, about the least at which speech is sent


@dataclass(frozen=True, slots=True)
class Piece:
    """One recording."""

    container: Container
    start: int
    end: int
    """Where its bytes are in the file."""
    stated: float
    """Seconds that it says it lasts; 0 where it does not say."""
    decoder: Decoder
    """Who reads it; for what is inside, not always its container's."""
    prefix: bytes = b""
    """A header that takes the place of the bytes before `start`."""
    warnings: tuple[str, ...] = ()

    def blocks(self, data: bytes | mmap, checkpoint: Callable[[], None]) -> AbstractContextManager[Blocks]:
        """Open its decoder."""
        if self.decoder == "PyAV":
            return pyav_blocks(Part(data, self.start, self.end, self.prefix, checkpoint), self.container)
        whole = isinstance(data, bytes) and not self.prefix and self.end - self.start == len(data)
        return soundfile_blocks(
            io.BytesIO(data) if whole else Part(data, self.start, self.end, self.prefix), self.container.name
        )

    def check_end(self, data: bytes | mmap, counted: float, checkpoint: Callable[[], None]) -> tuple[str, ...]:
        """Once all is decoded that could be: warn where the end is missing; raise UndecodableAudio where much is."""
        demuxer = self.container.demuxer
        is_cut = None if self.prefix else _CUT.get(demuxer)  # a header of ours tells what there is
        cut = is_cut is not None and is_cut(data, self.start, self.end, checkpoint)
        cut = cut or (demuxer == "mp3" and self.stated > counted + _SLIP_SECONDS)
        if not cut:
            return ()
        if self.stated > counted + _SLIP_SECONDS:
            raise UndecodableAudio(f"{self.container.name}: cut off, {counted:.2f} of {self.stated:.2f} s arrived")
        where = "or damaged" if demuxer == "matroska" else "at its end"  # which its nested lengths do not tell apart
        return (f"The recording is cut off {where}; what arrived whole was taken.",)


def pieces_of(data: bytes | mmap, checkpoint: Callable[[], None]) -> list[Piece]:
    """Find out what a file is made of; raise UndecodableAudio or UnsupportedCodec."""
    container, start, end = identify(data)
    pieces: Iterator[Piece]
    match container.demuxer:
        case "wav":
            pieces = _waves(data, container, start, end)
        case "flac":
            pieces = _flacs(data, container, start, end, checkpoint)
        case "ogg":
            pieces = _links(data, container, start, end, checkpoint)
        case "au" if is_wrapped(data, start, end):
            pieces = iter([Piece(container, start, end, wrapped_seconds(data, start, end), "soundfile")])
        case _:
            pieces = _joined(data, container, start, end, checkpoint)
    taken = list(itertools.islice(pieces, _MOST_PIECES + 1))
    if len(taken) > _MOST_PIECES:
        raise UndecodableAudio(f"{container.name}: more than {_MOST_PIECES} recordings in one file")
    return taken


def estimate_seconds(audio: bytes | Path, *, guess: bool = True) -> float:
    """Say how long the audio claims to last, in a millisecond or so; for admission and nothing else.

    WAV is counted; others are asked; what does not say is taken to come at 16 kbit/s, so that the guess errs towards
    too long, or 0 seconds where there is to be no guess. What cannot be read or decoded costs nothing.
    """
    try:
        with opened(audio) as data:
            container, start, end = identify(data)
            return stated_seconds(container, data, start, end) or guess * _guess(container, data, start, end)
    except (OSError, UndecodableAudio, UnsupportedCodec):
        return 0.0


def stated_channels(audio: bytes | Path) -> int:
    """Say how many channels the audio claims to have; 1 where its kind is not WAV or FLAC, or it is damaged."""
    try:
        with opened(audio) as data:
            container, start, end = identify(data)
            match container.demuxer:
                case "wav":
                    return read_wav_header(data, start, end).channels
                case "flac":
                    return flac_channels(data, start, end)
    except (OSError, UndecodableAudio, UnsupportedCodec):
        pass
    return 1


def _flac_seconds(data: bytes | mmap, start: int, end: int) -> float:
    samples, rate = flac_samples(data, start, end)
    return (samples or counted_samples(data, start, end)) / rate if rate else 0.0


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

# Of AAC the half of a frame is told as damage.
_CUT: dict[str, Callable[[bytes | mmap, int, int, Callable[[], None]], bool]] = {
    "mov": mp4_is_cut,
    "matroska": webm_is_cut,
    "asf": lambda data, start, end, _: asf_properties(data, start, end)[1],
    "caf": lambda data, start, end, _: chunks_are_cut(data, start, end, wave64=False),
    "w64": lambda data, start, end, _: chunks_are_cut(data, start, end, wave64=True),
    "mp3": lambda data, start, end, _: frames_are_cut(data, start, end),
    "ac3": lambda data, start, end, _: frames_are_cut(data, start, end),
    "mpegts": lambda _, start, end, __: bool((end - start) % TRANSPORT_PACKET),
    "flv": lambda data, start, end, _: flv_is_cut(data, start, end),
}


def stated_seconds(container: Container, data: bytes | mmap, start: int, end: int) -> float:
    """Duration by the file's own words, 0 where it has none; raise UndecodableAudio where they make no sense."""
    stated = _STATED.get(container.demuxer)
    seconds = stated(data, start, end) if stated else 0.0
    return seconds if seconds < _MOST_SECONDS else 0.0


def _guess(container: Container, data: bytes | mmap, start: int, end: int) -> float:
    if container.demuxer in ("mp3", "aac", "ac3"):
        return guessed_seconds(data, start, end)
    return (end - start) / _UNKNOWN_BYTES_PER_SECOND


def _waves(data: bytes | mmap, container: Container, start: int, end: int) -> Iterator[Piece]:
    """WAV files that somebody joined as they were."""
    while True:
        header = read_wav_header(data, start, end)
        behind = header.data_offset + header.data_bytes
        decoder: Decoder = "PyAV" if header.compressed else "soundfile"
        if header.prefix:
            yield Piece(container, header.data_offset, behind, header.seconds, decoder, header.prefix, header.warnings)
        following = next_wave(data, behind, end)
        if not header.prefix:
            yield Piece(container, start, following, header.seconds, decoder, b"", header.warnings)
        if following >= end:
            return
        start = following


def _flacs(
    data: bytes | mmap, container: Container, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[Piece]:
    while start < end:
        stop = next(occurrences(FLAC_BEGINS, data, start + 4, end, checkpoint), end)
        samples, rate = flac_samples(data, start, stop)
        if samples or not rate or not (samples := counted_samples(data, start, stop)):
            yield Piece(container, start, stop, samples / rate if rate else 0.0, "soundfile")
        else:
            prefix = with_samples(data, start, samples)
            yield Piece(container, start + len(prefix), stop, samples / rate, "soundfile", prefix)
        start = stop


def _joined(
    data: bytes | mmap, container: Container, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[Piece]:
    for begin, stop in joined_files(container.demuxer, data, start, end, checkpoint):
        if container.demuxer == "mov":
            if not mp4_has_index(data, begin, stop, checkpoint):
                raise UndecodableAudio("MP4: no index (moov) in it: not finished by its recorder, or cut off")
            if not mp4_counts_fit(data, begin, stop, checkpoint):
                raise UndecodableAudio("MP4: its index claims more samples than the file has bytes")
        sound = begin + id3v2_bytes(data[begin : begin + 10])
        stated = stated_seconds(container, data, sound, stop)
        prefix = right_header(container.demuxer, data, sound, stop)
        yield Piece(container, sound + len(prefix), stop, stated, "PyAV", prefix)


def _links(
    data: bytes | mmap, container: Container, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[Piece]:
    for link in check_ogg_pages(data, checkpoint, start, end):
        begin, stop = link.start, link.end
        plain = len(link.heads) == 1 and link.heads[0].startswith((b"OpusHead", b"\x01vorbis"))
        if plain and link.heads[0].startswith(b"OpusHead"):  # libsndfile would close the gaps, and times would be wrong
            plain = not opus_has_gaps(data, begin, stop, checkpoint)
        decoder: Decoder = "soundfile" if plain else "PyAV"
        yield Piece(container, begin, stop, ogg_seconds(data, begin, stop), decoder, b"", link.warnings)
