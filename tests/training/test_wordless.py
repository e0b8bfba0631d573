"""Clips without speech."""

import numpy as np
import pytest
import soundfile

from training.files import read_manifest
from training.wordless import KINDS, TEST_KINDS, clip, make


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_finite_within_full_scale_and_of_its_length(kind):
    levels = []
    for seed in range(6):
        samples = clip(kind, np.random.default_rng(seed))
        assert samples.dtype == np.float32
        assert 0.5 * 16_000 - 1 <= len(samples) <= 10 * 16_000
        assert np.abs(samples).max() <= 0.96
        levels.append(float(np.sqrt(np.mean(samples**2))))
    assert all(level == 0 for level in levels) if kind == "silence" else min(levels) > 1e-5
    assert max(levels) < 10 ** (-9 / 20)


def test_kinds_sound_different():
    spectra = [np.abs(np.fft.rfft(KINDS[kind](16_000, np.random.default_rng(1)))) for kind in ("hum", "rain", "birds")]
    centres = [float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum()) for spectrum in spectra]
    assert centres[0] < 600
    assert min(centres[1:]) > 1500


def test_the_test_s_clips_are_others(tmp_path):
    kinds = tuple(kind for kind in KINDS if kind not in TEST_KINDS)
    train = read_manifest(make(len(kinds), tmp_path / "train", kinds, 1))
    test = read_manifest(make(len(KINDS), tmp_path / "test", tuple(KINDS), 2))
    assert all(row["text"] == "" for row in train + test)
    assert {row["voice"] for row in test} - {row["voice"] for row in train} == set(TEST_KINDS)
    noises = [next(row for row in rows if row["voice"] == "noise")["audio_filepath"] for rows in (train, test)]
    assert soundfile.info(noises[0]).frames != soundfile.info(noises[1]).frames
    written = soundfile.read(noises[0])[0]
    make(len(kinds), tmp_path / "train", kinds, 1)
    assert np.array_equal(soundfile.read(noises[0])[0], written), "the same every time"
