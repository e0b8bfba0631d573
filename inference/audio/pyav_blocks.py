"""Blocks of samples by FFmpeg's libraries (PyAV), for what libsndfile does not read.

FFmpeg can open local files, sockets and whole playlists at the word of the bytes that it is given. Here it has one
demuxer, that of the container found, decoders of sound alone, no protocol, and a stream without a name.
"""

import errno
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from inference.audio.blocks import Block, block_frames
from inference.audio.containers import Container
from inference.errors import UndecodableAudio, UnsupportedCodec
from inference.types import Float32Array

_DECODERS = frozenset(
    """
    aac aac_latm ac3 adpcm_ima_amv adpcm_ima_apm adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha alac amrnb
    amrwb flac g722 g726 g726le gsm gsm_ms mp1 mp1float mp2 mp2float mp3 mp3float nellymoser opus pcm_alaw pcm_bluray
    pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le pcm_s24be pcm_s24le pcm_s32be
    pcm_s32le pcm_s8 pcm_u8 pcm_u16be pcm_u16le speex libspeex tta vorbis wavpack wmalossless wmapro wmav1 wmav2
    wmavoice
    """.split()  # noqa: SIM905 (a list of them would be 50 lines)
)
_BETTER = {"amrnb": "libopencore_amrnb", "amrwb": "libopencore_amrwb"}  # which know frames of silence (DTX)
_UNREADABLE = (("aiff", "gsm"),)  # whose demuxer takes a block for a sample
_WITH_CHECKSUMS = ("flac", "tta", "wavpack")
_SAYS_ITS_LENGTH = ("aiff", "au", "caf", "w64", "wv", "tta")
_MOST_PLANES = 7  # PyAV counts planes up to a null pointer, for which eight in their array leave no room
_MOST_SAMPLES = 1 << 18  # of a frame
_COUNTS_SAMPLES = ("aiff", "au")
_SLIP_SECONDS = 0.01
_DELAY_SECONDS = 0.15  # encoders' delays: a file may be so much shorter than it says
_DAMAGE_SECONDS = 0.25  # what may be missing of a recording
_WITH_TIMES = ("matroska", "mov", "flv", "mpegts", "ogg", "asf")
_MAY_PAUSE = ("opus", "amr", "speex")  # codecs that send nothing where nobody speaks (DTX)
_FRAMES_ALONE = ("mp3", "aac", "ac3")  # whose demuxers step over whatever is no frame, in silence
_LARGEST_FRAME = 2_000  # bytes: the first of an MP3 may count frames, and the last be cut off
_GAP_SECONDS = 0.05  # so that words keep their times to 80 ms
_LEAP_SECONDS = 0.005  # between two frames: what is lost leaps, a clock that runs faster creeps
_LEAD_SECONDS = 0.5  # times that go back further begin anew, as of a second file; others shake
_LONGEST_GAP_SECONDS = 600.0  # a longer one is rather a fault of a clock
_FULL_SCALE = {"u1": 2.0**7, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63}


class PyavBlocks:
    """An open container and its first stream of sound."""

    def __init__(self, container: Any, stream: Any, kind: Container, size: int) -> None:
        """`container` and `stream` are PyAV's, of so many bytes."""
        import av  # late: 22 MiB, which a process that never meets such a file need not pay

        self._av = av
        self._container = container
        self._stream = stream
        self._kind = kind
        self._codec = _codec_context(av, stream, kind)
        self.codec = str(self._codec.codec.long_name)
        self.announced = float((stream.duration or 0) * (stream.time_base or 0))
        self.shortest = self.announced - _DELAY_SECONDS if kind.demuxer in _SAYS_ITS_LENGTH else 0.0
        self.warnings: list[str] = []
        self._failure, self._damaged, self._lost = "", 0, 0.0
        self._alone = kind.demuxer in _FRAMES_ALONE
        self._unheard = size if self._alone else 0  # bytes that were in no frame up to now
        self._usual = 0  # bytes of a frame
        self._packers: dict[tuple[str, str, int], Any] = {}
        self._counted = self._missing = 0.0  # seconds that came, and of which nothing did
        self._leapt = 0.0  # seconds that frames came later than the one before says, since the last gap
        self._due: float | None = None  # when it says that the next one comes
        self._until = self._begin()

    def _begin(self) -> float | None:
        """When the sound is to begin, where the picture beside it says so; else with its first frame."""
        alone = len(self._container.streams) == 1 or self._container.start_time is None
        return None if alone else self._container.start_time / self._av.time_base

    def __iter__(self) -> Iterator[Block]:
        """All blocks, shorter where the format changes."""
        gathered: list[Float32Array] = []
        frames = rate = 0
        for samples, its_rate in self._frames():
            if gathered and (its_rate != rate or samples.shape[1] != gathered[0].shape[1]):
                yield Block(np.concatenate(gathered), rate)
                gathered, frames = [], 0
            rate = its_rate
            gathered.append(samples)
            frames += len(samples)
            if frames >= block_frames(rate, samples.shape[1]):
                yield Block(np.concatenate(gathered), rate)
                gathered, frames = [], 0
        if gathered:
            yield Block(np.concatenate(gathered), rate)

    def _frames(self) -> Iterator[tuple[Float32Array, int]]:
        decoded = False
        for packet in self._packets():
            try:
                frames = self._codec.decode(packet)
            except EOFError:
                break
            except self._av.error.FFmpegError as error:
                self._failure = str(error.strerror)
                if decoded:  # before the first one there may be halves of frames, as in any piece of a stream
                    self._damaged += 1
                    self._lost += float((packet.duration or 0) * (packet.time_base or 0))
                    self._unheard += max(0, packet.size - self._usual)  # what is no frame lies in that before it
                continue
            for frame in itertools.chain.from_iterable(map(self._in_one_plane, frames)):
                decoded = True
                samples = _samples(frame)
                yield from self._silence_before(frame, samples)
                yield samples, frame.sample_rate
        self._check_what_came(decoded=decoded)

    def _check_what_came(self, *, decoded: bool) -> None:
        name = self._kind.name
        if self._failure and not decoded:
            raise UndecodableAudio(f"{name}: no frame of sound can be decoded ({self._failure})")
        if self._lost > _DAMAGE_SECONDS:
            raise UndecodableAudio(f"{name}: damaged, {self._lost:.2f} s of sound are lost")
        if self._damaged:
            self.warnings.append(f"Damaged frames were left out: {1000 * self._lost:.0f} ms.")
        frames = self._alone or (self._kind.demuxer == "wav" and self._codec.name.startswith("mp"))
        if frames and self._unheard > _LARGEST_FRAME:
            self.warnings.append(f"{self._unheard} bytes between frames are no sound, and were left out.")
        if self._missing > _GAP_SECONDS:
            self.warnings.append(f"{self._missing:.1f} s of sound are missing; silence stands in their place.")
        if self._kind.demuxer in _COUNTS_SAMPLES and self._counted < self.announced - _SLIP_SECONDS:
            self.warnings.append("The recording is cut off at its end; what arrived whole was taken.")

    def _in_one_plane(self, frame: Any) -> list[Any]:
        """Frames whose samples PyAV can give out: of eight planes and more it reads beyond the last one."""
        if not frame.format.is_planar or frame.layout.nb_channels <= _MOST_PLANES:
            return [frame]
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind not in self._packers:
            self._packers[kind] = self._av.AudioResampler(frame.format.packed.name, frame.layout, frame.sample_rate)
        packed: list[Any] = self._packers[kind].resample(frame)
        return packed

    def _silence_before(self, frame: Any, samples: Float32Array) -> Iterator[tuple[Float32Array, int]]:
        """What a recorder left out since nobody spoke (DTX), or lost on its way: later words keep their times."""
        rate, first = frame.sample_rate, not self._counted
        gap = self._gap(frame)
        self._counted += len(samples) / rate
        if self._until is not None:
            self._until += len(samples) / rate
        if self._due is not None:
            self._due += len(samples) / rate
        if gap and not first and not any(name in self._codec.name for name in _MAY_PAUSE):
            self._missing += min(gap, self._leapt)
        self._leapt = 0.0 if gap else self._leapt
        left, at_once = round(gap * rate), block_frames(rate, samples.shape[1])
        while left > 0:
            yield np.zeros((min(left, at_once), samples.shape[1]), np.float32), rate
            left -= at_once

    def _gap(self, frame: Any) -> float:
        """Seconds by which it comes late, 0 for a slip; what single packets leave out adds up to more."""
        if self._kind.demuxer not in _WITH_TIMES or frame.time is None:
            return 0.0
        late = 0.0 if self._until is None else frame.time - self._until
        leap = 0.0 if self._due is None else frame.time - self._due
        if abs(leap) > _LEAP_SECONDS:  # back again where times shake
            self._leapt = max(0.0, self._leapt + leap)
        self._due = float(frame.time)
        if self._until is None or not -_LEAD_SECONDS < late <= _GAP_SECONDS:
            self._until = float(frame.time)
        return late if _GAP_SECONDS < late < _LONGEST_GAP_SECONDS else 0.0

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream, as far as the container can be read, and the one that ends it."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self._unheard -= packet.size * self._alone
                    yield packet
                    self._usual = packet.size
        except self._av.error.FFmpegError as error:
            self.warnings.append(f"The {self._kind.name} container could not be read to its end ({error.strerror}).")
        except IndexError:
            pass  # PyAV, behind the last packet, where a stream was found on the way that the head had not told of
        yield None


@contextmanager
def pyav_blocks(stream: Any, kind: Container) -> Iterator[PyavBlocks]:
    """Open a container; raise UndecodableAudio or UnsupportedCodec here and while it is read."""
    import av  # late, as above

    safe = {
        "protocol_whitelist": "none",
        "format_whitelist": kind.demuxer,
        "codec_whitelist": ",".join(sorted(_DECODERS)),
        "max_streams": "100",
    }
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    try:
        with av.open(
            stream, "r", format=kind.demuxer, options=safe, metadata_errors="ignore", io_open=_refuse
        ) as container:
            if not container.streams.audio:
                raise UndecodableAudio(f"{kind.name}: no audio stream in it")
            yield PyavBlocks(container, container.streams.audio[0], kind, size)
    except av.error.FFmpegError as error:
        # FFmpeg's demuxers say -1 for anything, which is an error of the system by its number.
        reason = "damaged" if error.errno == errno.EPERM else error.strerror or error
        raise UndecodableAudio(f"{kind.name}: {reason}") from error
    except (ValueError, OverflowError, MemoryError) as error:  # of PyAV, for values that no file should have
        raise UndecodableAudio(f"{kind.name}: {error}") from error


def _refuse(*_: object) -> None:
    raise UndecodableAudio("the file refers to another, and nothing but itself is read")


def _codec_context(av: Any, stream: Any, kind: Container) -> Any:
    context = stream.codec_context
    name = context.codec.name if context is not None else "an unknown codec"
    if name not in _DECODERS or (kind.demuxer, name) in _UNREADABLE:
        raise UnsupportedCodec(f"{kind.name} with {name} is not taken")
    if name in _BETTER:
        better = av.CodecContext.create(_BETTER[name], "r")
        better.sample_rate, better.layout = context.sample_rate or 8_000, "mono"
        context = better
    context.thread_count = 1
    context.options = {"max_samples": str(_MOST_SAMPLES)}
    if name in _WITH_CHECKSUMS:
        context.options = {**context.options, "err_detect": "crccheck+explode"}
    if (kind.demuxer, name) == ("caf", "alac"):  # whose end its demuxer cuts off already
        context.options = {**context.options, "flags2": "+skip_manual"}
    return context


def _samples(frame: Any) -> Float32Array:
    """`[frames, channels]` float32 of any sample format."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    array = array.reshape(-1, channels) if frame.format.is_packed else array.T
    scale = _FULL_SCALE.get(array.dtype.str[1:])
    samples: Float32Array = array.astype(np.float32)
    if array.dtype.kind == "u":
        samples -= 128.0
    return samples / np.float32(scale) if scale else samples
