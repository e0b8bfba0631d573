"""Bytes of any container that is taken → mono float32 at the model's sample rate, no more of it than is wanted."""

import importlib
import importlib.util
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from inference.audio.containers import identify, opened
from inference.audio.ogg import check_ogg_pages
from inference.audio.riff import read_wav_header
from inference.errors import (
    AudioOutOfLimits,
    AudioTooCostly,
    AudioTooLong,
    AudioTooShort,
    InvalidSamples,
    MissingDependency,
    UndecodableAudio,
)
from inference.types import AudioLimits, DecodedAudio, Float32Array, Resampler, Waveform

_SHORTEST_SECONDS = 0.1
_LARGEST_SAMPLE = 2.0**24  # beyond the range of any integer format, and safely below float32's when squared
_BLOCK_SECONDS = 1.0  # between two looks whether to go on


def decode(
    audio: bytes | Path, limits: AudioLimits, sample_rate: int, checkpoint: Callable[[], None] = lambda: None
) -> DecodedAudio:
    """Decode, mix down, cut to `limits.limit_seconds` and resample to `sample_rate` Hz.

    What lies behind the limit is not decoded. `checkpoint` is called between blocks and may raise to stop.
    Raises any InputError: what arrives here is what a stranger sent; OSError where a file cannot be read.
    """
    go_on = _within(limits.decode_seconds, checkpoint)
    with opened(audio) as data:
        container = identify(data)
        if container == "WAV":
            read_wav_header(data)
        elif container == "OGG":
            check_ogg_pages(data, go_on)
        try:
            with _stream(audio) as stream, soundfile.SoundFile(stream) as sound:
                samples, duration = _read(sound, container, limits, go_on)
                original_rate = sound.samplerate
        except soundfile.LibsndfileError as error:
            raise UndecodableAudio(f"{container}: {error.error_string}") from error
    clipped = round(duration * original_rate) > samples.size
    resampled = _resample(samples, original_rate, sample_rate, limits.resampler)
    return DecodedAudio(Waveform(resampled, sample_rate), duration, clipped)


def require_resampler(resampler: Resampler) -> None:
    """Raise MissingDependency where the library chosen is not installed."""
    if importlib.util.find_spec(resampler) is None:
        raise MissingDependency(f"the resampler '{resampler}' is not installed: pip install resampy, or choose soxr")


def _stream(audio: bytes | Path) -> BinaryIO:
    return io.BytesIO(audio) if isinstance(audio, bytes) else audio.open("rb")


def _within(seconds: float, checkpoint: Callable[[], None]) -> Callable[[], None]:
    """A checkpoint that ends what takes too much of a processor; by its time, so that a busy machine ends nothing."""
    began = time.thread_time()

    def go_on() -> None:
        checkpoint()
        if time.thread_time() - began > seconds:
            raise AudioTooCostly(f"decoding takes more than {seconds:g} s of processor time")

    return go_on


def _read(
    sound: soundfile.SoundFile, container: str, limits: AudioLimits, go_on: Callable[[], None]
) -> tuple[Float32Array, float]:
    """Mono samples up to the limit, and the duration of the whole in seconds."""
    _check_format(sound, limits)
    rate = sound.samplerate
    wanted = round(limits.limit_seconds * rate)
    kept: list[Float32Array] = []
    counted = 0
    while counted <= wanted:
        go_on()
        block = sound.read(round(_BLOCK_SECONDS * rate), dtype="float32", always_2d=True)
        if not len(block):
            break
        if counted < wanted:
            kept.append(_mix_down(block[: wanted - counted]))
        counted += len(block)
    announced = sound.frames if 0 < sound.frames < np.iinfo(np.int64).max else 0
    if counted > wanted:
        if limits.overlength == "reject":
            raise AudioTooLong(f"longer than {limits.limit_seconds:g} s, the most that is taken at once")
        return np.concatenate(kept), max(announced, counted) / rate
    if counted < announced:
        raise UndecodableAudio(f"{container}: the header announces {announced} frames, {counted} could be decoded")
    if counted < _SHORTEST_SECONDS * rate:
        raise AudioTooShort(f"{counted / rate:.3f} s of audio; {_SHORTEST_SECONDS} s is the least")
    return np.concatenate(kept), counted / rate


def _check_format(sound: soundfile.SoundFile, limits: AudioLimits) -> None:
    lowest, highest = limits.sample_rates
    if not lowest <= sound.samplerate <= highest:
        raise AudioOutOfLimits(f"sample rate {sound.samplerate} Hz; {lowest} to {highest} Hz are taken")
    if sound.channels > limits.channels:
        raise AudioOutOfLimits(f"{sound.channels} channels; up to {limits.channels} are taken")


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
