"""Bytes of any container that is taken → mono float32 at the model's sample rate, no more of it than is wanted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from inference.audio.channels import Mixer
from inference.audio.containers import Encoded, opened
from inference.audio.reading import Reading
from inference.audio.resampling import Resampling
from inference.errors import AudioTooLong, LongerThanWindow
from inference.types import AudioLimits, DecodedAudio, Waveform


def decode(
    audio: Encoded | Path, limits: AudioLimits, sample_rate: int, checkpoint: Callable[[], None] = lambda: None
) -> DecodedAudio:
    """Decode, mix down and resample to `sample_rate` Hz; where overlength is "clip", cut to `limits.limit_seconds`.

    What lies behind the limit is not decoded. `checkpoint` is called between blocks and may raise to stop.
    Raises LongerThanWindow where that is for a recording's way, any InputError: what arrives here is what a stranger
    sent; OSError where a file cannot be read.
    """
    mixer, resampling = Mixer(), Resampling(sample_rate, limits.resampler)
    most = limits.window_seconds if limits.overlength == "window" else limits.limit_seconds
    with opened(audio) as data:
        reading = Reading(data, limits, most, checkpoint)
        samples = []
        for block in reading:
            (mixed,) = mixer.take(block.samples)
            samples.append(resampling.take(mixed, block.sample_rate))
    if reading.full and limits.overlength == "window":
        raise LongerThanWindow(f"longer than {most:g} s, the most that is heard at once")
    if reading.full and limits.overlength == "reject":
        raise AudioTooLong(f"longer than {most:g} s, the most that is taken at once")
    samples.append(resampling.finish())
    waveform = Waveform(np.concatenate(samples), sample_rate)
    return DecodedAudio(waveform, reading.duration, reading.full, reading.warnings + mixer.warnings())
