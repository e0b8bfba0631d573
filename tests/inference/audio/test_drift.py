"""Ten minutes in codecs whose frames fit no second: what is heard in the last of them is still in its place."""

import functools

import numpy as np
import pytest

from inference.audio.reading import Reading
from inference.audio.resampling import Resampling
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, remuxed
from tests.samples import encode, tone

SAMPLE_RATE = 16_000
SECONDS = 600
CLICKS = np.array([0.5, 150.25, 300.5, 450.75, 599.5])
LENGTH = 0.02
SLIP = 0.08


def clicks(rate):
    samples = np.zeros(SECONDS * rate, np.float32)
    click = tone(LENGTH, rate)
    for begin in CLICKS:
        samples[round(begin * rate) :][: click.size] = click * np.hanning(click.size)
    return samples


@functools.cache
def opus():
    fast = {"compression_level": "0", "frame_duration": "60"}
    return ffmpeg(clicks(48_000), "ogg", "libopus", 48_000, of_codec=fast)


FILES = {
    "MP3, 44.1 kHz": lambda: encode(clicks(44_100), 44_100, "MP3", "MPEG_LAYER_III"),
    "OGG, Opus": opus,
    "WebM, Opus": lambda: remuxed(opus(), "webm"),
}


@pytest.mark.parametrize("kind", FILES)
def test_places_do_not_drift(kind):
    reading, resampling = Reading(FILES[kind](), AudioLimits(), SECONDS + 1), Resampling(SAMPLE_RATE)
    pieces = [resampling.take(block.samples[:, 0], block.sample_rate) for block in reading]
    samples = np.concatenate([*pieces, resampling.finish()])
    around = round(0.4 * SAMPLE_RATE)
    found = [place - around + np.abs(samples[place - around : place + around]).argmax()
             for place in np.round((CLICKS + LENGTH / 2) * SAMPLE_RATE).astype(int)]  # fmt: skip
    assert np.abs(samples[found]).min() > 0.1
    errors = np.array(found) / SAMPLE_RATE - LENGTH / 2 - CLICKS
    assert np.abs(errors).max() <= SLIP
    assert reading.duration == pytest.approx(SECONDS, abs=SLIP)
    assert reading.warnings == ()
