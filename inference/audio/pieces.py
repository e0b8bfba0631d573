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
    webm_is_cut,
)
from inference.audio.containers import TRANSPORT_PACKET, Container, Decoder, identify, opened
from inference.audio.flac import (
    FLAC_BEGINS,
    counted_samples,
    flac_channels,
    flac_samples,
    proven_samples,
    with_samples,
)
from inference.audio.joined import joined_files
from inference.audio.mpeg import frames_are_cut
from inference.audio.ogg import check_ogg_pages, ogg_seconds
from inference.audio.opus import opus_has_gaps
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.raw import is_wrapped, wrapped_seconds
from inference.audio.riff import next_wave, read_wav_header
from inference.audio.soundfile_blocks import soundfile_blocks
from inference.audio.source import Part, occurrences
from inference.audio.stated import guess_seconds, stated_seconds
from inference.audio.unfinished import right_header
from inference.errors import UndecodableAudio, UnsupportedCodec

_MOST_PIECES = 1000
_SLIP_SECONDS = 0.15  # encoders' delays
_FLAC_SLIP_SECONDS = 0.01


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
    shortfall: str = ""
    """How much is missing of it, to be told where its decoder fails."""

    def blocks(self, data: bytes | mmap, checkpoint: Callable[[], None]) -> AbstractContextManager[Blocks]:
        """Open its decoder."""
        if self.decoder == "PyAV":
            return pyav_blocks(Part(data, self.start, self.end, self.prefix, checkpoint), self.container)
        whole = isinstance(data, bytes) and not self.prefix and self.end - self.start == len(data)
        stream = io.BytesIO(data) if whole else Part(data, self.start, self.end, self.prefix)
        return soundfile_blocks(stream, self.container.name, self.shortfall)

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
            pieces = _waves(data, container, start, end, checkpoint)
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
            return stated_seconds(container, data, start, end) or guess * guess_seconds(container, data, start, end)
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


def _waves(
    data: bytes | mmap, container: Container, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[Piece]:
    """WAV files that somebody joined as they were."""
    while True:
        checkpoint()
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
        yield _flac(data, container, start, stop)
        start = stop


def _flac(data: bytes | mmap, container: Container, start: int, stop: int) -> Piece:
    """With the number of samples that there are; where many are missing, that is told once all others were heard."""
    announced, rate = flac_samples(data, start, stop)
    samples = proven_samples(data, start, stop) or (0 if announced else counted_samples(data, start, stop))
    if not rate or not samples or samples == announced:
        return Piece(container, start, stop, announced / rate if rate else 0.0, "soundfile")
    missing, warning = announced - samples, ""
    if missing > _FLAC_SLIP_SECONDS * rate:
        shortfall = f"{announced / rate:.3f} s are announced, {samples / rate:.3f} arrived"
        return Piece(container, start, stop, announced / rate, "soundfile", shortfall=shortfall)
    if missing > 0:
        warning = f"The header announces {missing} samples more than there are."
    elif announced:
        warning = f"The header announces {announced} samples; all {samples} were taken."
    prefix = with_samples(data, start, samples)
    warnings = (warning,) if warning else ()
    return Piece(container, start + len(prefix), stop, samples / rate, "soundfile", prefix, warnings)


def _joined(
    data: bytes | mmap, container: Container, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[Piece]:
    for begin, stop, unheard in joined_files(container.demuxer, data, start, end, checkpoint):
        if container.demuxer == "mov":
            if not mp4_has_index(data, begin, stop, checkpoint):
                raise UndecodableAudio("MP4: no index (moov) in it: not finished by its recorder, or cut off")
            if not mp4_counts_fit(data, begin, stop, checkpoint):
                raise UndecodableAudio("MP4: its index claims more samples than the file has bytes")
        stated = stated_seconds(container, data, begin, stop)
        prefix, warnings = right_header(container.demuxer, data, begin, stop)
        if unheard and not prefix:
            warnings = (f"{unheard} bytes behind the recording are no sound, and were left out.",)
        yield Piece(container, begin + len(prefix), stop, stated, "PyAV", prefix, warnings)


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
