"""Bytes of any container that is taken → mono float32 at the model's sample rate."""

import importlib
import importlib.util
import io

import numpy as np
import soundfile
import soxr

from inference.audio.ogg import check_ogg_pages
from inference.audio.riff import read_wav_header
from inference.errors import (
    AudioOutOfLimits,
    AudioTooLong,
    AudioTooShort,
    InvalidSamples,
    MissingDependency,
    UndecodableAudio,
    UnsupportedCodec,
)
from inference.types import DecodedAudio, Float32Array, Options, Resampler, Waveform

CONTAINERS_TAKEN = "WAV (PCM or float), FLAC, OGG (Vorbis or Opus)"
_SAMPLE_RATES = (8_000, 96_000)  # Hz
_MOST_CHANNELS = 32
_SHORTEST_SECONDS = 0.1
_LONGEST_SECONDS = 4 * 3600.0  # a compressed bomb is not decoded to its end
_LARGEST_SAMPLE = 2.0**24  # beyond the range of any integer format, and safely below float32's when squared
_BLOCK_FRAMES = 1 << 18

_TAKEN = {b"RIFF": "WAV", b"fLaC": "FLAC", b"OggS": "OGG"}
_KNOWN_BUT_NOT_TAKEN = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"\xff\xf2": "MP3",
    b"\xff\xf1": "AAC",
    b"\xff\xf9": "AAC",
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
    b"RF64": "RF64",
    b"wvpk": "WavPack",
    b"0&\xb2u": "WMA",
}


def decode(data: bytes, options: Options, sample_rate: int) -> DecodedAudio:
    """Decode, mix down, cut to `options.limit_seconds` and resample to `sample_rate` Hz.

    Raises any InputError: what arrives here is what a stranger sent.
    """
    container = identify(data)
    if container == "WAV":
        read_wav_header(data)
    elif container == "OGG":
        check_ogg_pages(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            samples, duration = _read(sound, container, options)
            original_rate = sound.samplerate
    except soundfile.LibsndfileError as error:
        raise UndecodableAudio(f"{container}: {error.error_string}") from error
    clipped = round(duration * original_rate) > samples.size
    resampled = _resample(samples, original_rate, sample_rate, options.resampler)
    return DecodedAudio(Waveform(resampled, sample_rate), duration, clipped)


def identify(data: bytes) -> str:
    """Name the container by its first bytes; raise UnsupportedCodec or UndecodableAudio for any not taken."""
    for magic, name in _TAKEN.items():
        if data.startswith(magic) and (magic != b"RIFF" or data[8:12] == b"WAVE"):
            return name
    for magic, name in _KNOWN_BUT_NOT_TAKEN.items():
        if data.startswith(magic):
            raise UnsupportedCodec(f"{name} is not taken; {CONTAINERS_TAKEN} are")
    if data[4:8] == b"ftyp":
        raise UnsupportedCodec(f"MP4 or M4A is not taken; {CONTAINERS_TAKEN} are")
    raise UndecodableAudio(f"not audio: the first bytes are of no known container; {CONTAINERS_TAKEN} are taken")


def estimate_seconds(data: bytes) -> float:
    """Guess the duration without decoding, in under a millisecond; for admission and nothing else.

    WAV is counted; compressed audio is taken to come at 16 kbit/s, about the least at which speech is sent, so that the
    guess errs towards too long.
    """
    if data.startswith(b"RIFF"):
        try:
            return read_wav_header(data).seconds
        except (UndecodableAudio, UnsupportedCodec):
            return 0.0
    return len(data) / 2_000


def require_resampler(resampler: Resampler) -> None:
    """Raise MissingDependency where the library chosen is not installed."""
    if importlib.util.find_spec(resampler) is None:
        raise MissingDependency(f"the resampler '{resampler}' is not installed: pip install resampy, or choose soxr")


def _read(sound: soundfile.SoundFile, container: str, options: Options) -> tuple[Float32Array, float]:
    """Mono samples up to the limit, and the duration of the whole in seconds."""
    _check_format(sound)
    wanted = round(options.limit_seconds * sound.samplerate)
    kept: list[Float32Array] = []
    counted = 0
    while True:
        block = sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            break
        if counted < wanted:
            kept.append(_mix_down(block[: wanted - counted]))
        counted += len(block)
        _check_length(counted / sound.samplerate, options)
    announced = sound.frames
    if counted < announced < np.iinfo(np.int64).max:
        raise UndecodableAudio(f"{container}: the header announces {announced} frames, {counted} could be decoded")
    if counted < _SHORTEST_SECONDS * sound.samplerate:
        raise AudioTooShort(f"{counted / sound.samplerate:.3f} s of audio; {_SHORTEST_SECONDS} s is the least")
    return np.concatenate(kept), counted / sound.samplerate


def _check_format(sound: soundfile.SoundFile) -> None:
    lowest, highest = _SAMPLE_RATES
    if not lowest <= sound.samplerate <= highest:
        raise AudioOutOfLimits(f"sample rate {sound.samplerate} Hz; {lowest} to {highest} Hz are taken")
    if sound.channels > _MOST_CHANNELS:
        raise AudioOutOfLimits(f"{sound.channels} channels; up to {_MOST_CHANNELS} are taken")


def _check_length(seconds: float, options: Options) -> None:
    if options.overlength == "reject" and seconds > options.limit_seconds:
        raise AudioTooLong(f"longer than {options.limit_seconds:g} s, the most that is taken at once")
    if seconds > _LONGEST_SECONDS:
        raise AudioTooLong(f"longer than {_LONGEST_SECONDS / 3600:g} hours")


def _mix_down(block: Float32Array) -> Float32Array:
    # A NaN compares false with everything, so this one test finds it too.
    if not np.abs(block).max() <= _LARGEST_SAMPLE:
        raise InvalidSamples("the audio holds samples that are NaN, infinite or absurdly large")
    mono: Float32Array = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
    return mono


def _resample(samples: Float32Array, original_rate: int, sample_rate: int, resampler: Resampler) -> Float32Array:
    if original_rate == sample_rate:
        return np.ascontiguousarray(samples)
    if resampler == "resampy":
        # By name, since it is optional and takes seconds to import.
        resampy = importlib.import_module("resampy")
        resampled = resampy.resample(samples, original_rate, sample_rate)
    else:
        resampled = soxr.resample(samples, original_rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
