"""Audio for tests: the committed clips, and files made on the spot."""

import io
import struct
from pathlib import Path

import numpy as np
import soundfile

DATA = Path(__file__).parent / "data"
CLIPS = sorted(DATA.glob("*.wav"))


def expected_texts():
    """Sample clip → what was spoken."""
    rows = (line.split("\t") for line in (DATA / "expected.tsv").read_text(encoding="utf-8").splitlines())
    return {DATA / name: text for name, text in rows}


def seconds_of(path):
    """Duration of a clip, by libsndfile."""
    return soundfile.info(path).duration


def tone(seconds=0.5, rate=16_000, hertz=1000.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seconds=0.5, rate=16_000, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=round(seconds * rate))


def encode(samples, rate=16_000, container="WAV", subtype="PCM_16"):
    """A file in memory, made by libsndfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def wav(samples=None, *, codec=1, channels=1, rate=16_000, bits=16, size=None):
    """A WAV file written by hand, so that its header can lie: `size` is what it announces as data."""
    data = (tone() * 32767).astype("<i2").tobytes() if samples is None else samples
    announced = len(data) if size is None else size
    align = channels * bits // 8
    layout = struct.pack("<HHIIHH", codec, channels, rate, (rate * align) & 0xFFFFFFFF, align, bits)
    chunks = b"WAVE" + b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", announced)
    return b"RIFF" + struct.pack("<I", min(announced + 36, 0xFFFFFFFF)) + chunks + data


def sentence_of(seconds, seed=0):
    """Real speech of that length: the sample clips one after another, from a place that `seed` chooses."""
    speech = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in CLIPS])
    speech = np.tile(speech, int(seconds * 16_000 / speech.size) + 2)
    start = (seed * 7_919) % (speech.size // 2)
    return encode(speech[start : start + round(seconds * 16_000)])


class Counted(bytes):
    """Bytes that count how many of them were copied out."""

    read = 0

    def __getitem__(self, key):
        found = bytes.__getitem__(self, key)
        Counted.read += len(found) if isinstance(key, slice) else 1
        return found
