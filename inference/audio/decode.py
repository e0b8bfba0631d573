"""Bytes of any container that is taken → mono float32 at the model's sample rate, no more of it than is wanted."""

import importlib
import importlib.util
import time
from collections.abc import Callable
from mmap import mmap
from pathlib import Path

import numpy as np
import soxr

from inference.audio.blocks import Blocks
from inference.audio.containers import opened
from inference.audio.mono import Mono, Run
from inference.audio.pieces import Piece, pieces_of
from inference.errors import (
    AudioTooCostly,
    AudioTooLong,
    AudioTooShort,
    LongerThanWindow,
    MissingDependency,
    UndecodableAudio,
)
from inference.types import AudioLimits, DecodedAudio, Float32Array, Resampler, Waveform

_SHORTEST_SECONDS = 0.1


def decode(
    audio: bytes | Path, limits: AudioLimits, sample_rate: int, checkpoint: Callable[[], None] = lambda: None
) -> DecodedAudio:
    """Decode, mix down and resample to `sample_rate` Hz; where overlength is "clip", cut to `limits.limit_seconds`.

    What lies behind the limit is not decoded. `checkpoint` is called between blocks and may raise to stop.
    Raises LongerThanWindow where that is for a recording's way, any InputError: what arrives here is what a stranger
    sent; OSError where a file cannot be read.
    """
    go_on = _within(limits.decode_seconds, checkpoint)
    with opened(audio) as data:
        pieces = pieces_of(data, go_on)
        mono = Mono(limits)
        duration, warnings = _read(data, pieces, mono, limits, go_on)
        channel = mono.louder_channel()
        if channel is not None:
            mono = Mono(limits, channel)
            duration, warnings = _read(data, pieces, mono, limits, go_on)
            warnings += (f"The channels cancel each other out; channel {channel + 1} alone was heard.",)
    if mono.seconds < _SHORTEST_SECONDS:
        raise AudioTooShort(f"{mono.seconds:.3f} s of audio; {_SHORTEST_SECONDS} s is the least")
    go_on()
    samples = [_resample(run, sample_rate, limits.resampler) for run in mono.runs if run.kept]
    waveform = Waveform(samples[0] if len(samples) == 1 else np.concatenate(samples), sample_rate)
    return DecodedAudio(waveform, duration, mono.full, warnings)


def require_resampler(resampler: Resampler) -> None:
    """Raise MissingDependency where the library chosen is not installed."""
    if importlib.util.find_spec(resampler) is None:
        raise MissingDependency(f"the resampler '{resampler}' is not installed: pip install resampy, or choose soxr")


def _within(seconds: float, checkpoint: Callable[[], None]) -> Callable[[], None]:
    """A checkpoint that ends what takes too much of a processor; by its time, so that a busy machine ends nothing."""
    began = time.thread_time()

    def go_on() -> None:
        checkpoint()
        if time.thread_time() - began > seconds:
            raise AudioTooCostly(f"decoding takes more than {seconds:g} s of processor time")

    return go_on


def _read(
    data: bytes | mmap, pieces: list[Piece], mono: Mono, limits: AudioLimits, go_on: Callable[[], None]
) -> tuple[float, tuple[str, ...]]:
    """Fill `mono`; give the duration of the whole in seconds, and the warnings."""
    warnings: tuple[str, ...] = ()
    for place, piece in enumerate(pieces):
        before = mono.seconds
        with piece.blocks(data, go_on) as blocks:
            _fill(mono, blocks, go_on)
            counted = mono.seconds - before
            warnings += piece.warnings
            if mono.full:
                if limits.overlength == "window":
                    raise LongerThanWindow(f"longer than {limits.window_seconds:g} s, the most that is heard at once")
                if limits.overlength == "reject":
                    raise AudioTooLong(f"longer than {limits.limit_seconds:g} s, the most that is taken at once")
                stated = piece.stated or blocks.announced
                return before + max(counted, stated) + sum(each.stated for each in pieces[place + 1 :]), warnings
            if counted < blocks.shortest:
                raise UndecodableAudio(
                    f"{piece.container.name}: {blocks.announced:.3f} s are announced, {counted:.3f} could be decoded"
                )
            warnings += tuple(blocks.warnings) + piece.check_end(data, counted, go_on)
    return mono.seconds, warnings


def _fill(mono: Mono, blocks: Blocks, go_on: Callable[[], None]) -> None:
    go_on()
    for block in blocks:
        mono.take(block)
        if mono.full:
            return
        go_on()


def _resample(run: Run, sample_rate: int, resampler: Resampler) -> Float32Array:
    samples = run.kept[0] if len(run.kept) == 1 else np.concatenate(run.kept)
    if run.sample_rate == sample_rate:
        return np.ascontiguousarray(samples)
    if resampler == "resampy":
        # By name, since it is optional and takes seconds to import.
        resampy = importlib.import_module("resampy")
        resampled = resampy.resample(samples, run.sample_rate, sample_rate)
    else:
        resampled = soxr.resample(samples, run.sample_rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
