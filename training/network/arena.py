"""Clips of a manifest, decoded once into one file of 16-bit samples that every process maps into memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from inference.audio.speech import spans
from inference.audio.speech_network import probabilities
from inference.types import Waveform
from training.files import RecipeError, atomic_path, read_manifest, require_space
from training.utterance import SAMPLE_RATE

_LESS_SILENCE = int(0.2 * SAMPLE_RATE)
"""Of the silence that the detector's spans keep on each side, so much may go: 0.12 s stay."""


def _decode(row: dict[str, Any]) -> NDArray[np.int16]:
    path = row["audio_filepath"]
    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecipeError(f"{path} cannot be read ({error}): delete it and make the clips again") from error
    if rate != 16_000 or samples.ndim != 1 or len(samples) < 4_000:
        raise RecipeError(f"{path}: {rate} Hz, shape {samples.shape}; 16 kHz mono of 0.25 s or more wanted")
    return np.asarray(samples, dtype=np.int16)


def _spoken(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Where somebody speaks, by the server's detector; all of a clip where nobody is heard to."""
    found = spans(probabilities(Waveform(samples.astype(np.float32) / np.float32(32768), SAMPLE_RATE)))
    if not found:
        return 0, len(samples)
    return int(found[0].start * SAMPLE_RATE), min(len(samples), int(found[-1].end * SAMPLE_RATE))


def cut(wave: NDArray[np.float32], spoken: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.float32]:
    """What a server hears that cuts where nobody speaks, with that much silence beside speech or with less."""
    first, end = (int(each) for each in spoken)
    if first > 0:
        first += int(chance.integers(_LESS_SILENCE))
    if end < len(wave):
        end -= int(chance.integers(_LESS_SILENCE))
    return wave[first:end]


class Arena:
    """Decoded clips of one manifest: ``arena[i]`` is the float32 waveform of row i."""

    def __init__(self, manifest: Path, cache: Path) -> None:
        """Decode into `cache`, or map what an earlier run of the same manifest decoded."""
        self.rows = read_manifest(manifest)
        if not self.rows:
            raise RecipeError(f"{manifest} names no clips")
        stamp = f"{manifest.parent.name}-{manifest.stem}-{manifest.stat().st_mtime_ns}"
        self._samples_path, self._offsets_path = cache / f"{stamp}.pcm", cache / f"{stamp}.npy"
        if not self._offsets_path.exists():
            self._decode_all(cache)
        self.offsets = np.load(self._offsets_path)
        self.spoken = np.load(cache / f"{stamp}-spoken.npy")
        """First sample of speech in each clip and the one behind its last: `[clips, 2]`."""
        self.samples = np.memmap(self._samples_path, dtype=np.int16, mode="r")

    def _decode_all(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        lengths, spoken = [], []
        with atomic_path(self._samples_path) as temporary, temporary.open("wb") as sink, ThreadPoolExecutor(2) as pool:
            for samples in tqdm(pool.map(_decode, self.rows), total=len(self.rows), desc="decode", unit="clip"):
                require_space(cache)
                lengths.append(len(samples))
                spoken.append(_spoken(samples))
                sink.write(samples.tobytes())
        spoken_path = self._offsets_path.with_stem(f"{self._offsets_path.stem}-spoken")
        with atomic_path(spoken_path) as temporary, temporary.open("wb") as sink:
            np.save(sink, np.array(spoken))
        with atomic_path(self._offsets_path) as temporary, temporary.open("wb") as sink:
            np.save(sink, np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Waveform of row `index`."""
        return self.samples[self.offsets[index] : self.offsets[index + 1]].astype(np.float32) / np.float32(32768)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Length of every clip."""
        return np.asarray(np.diff(self.offsets) / 16_000)
