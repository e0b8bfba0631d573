"""Made-up music."""

import numpy as np
import pytest

from training.acoustics.instruments import drum, held, modulated, music, string, struck


@pytest.mark.parametrize("seed", range(12))
def test_pieces_are_finite_heard_and_no_two_alike(seed):
    piece, again, other = (music(32_000, np.random.default_rng(each)) for each in (seed, seed, seed + 100))
    assert piece.shape == (32_000,)
    assert piece.dtype == np.float32
    assert np.isfinite(piece).all()
    assert np.square(piece).mean() > 1e-6
    assert np.array_equal(piece, again)
    assert not np.allclose(piece, other, atol=0.01)


@pytest.mark.parametrize("kind", [struck, string, modulated, held])
@pytest.mark.parametrize("hertz", [110.0, 440.0])
def test_instruments_play_in_tune(kind, hertz):
    """A note repeats itself after each period, as long as it does not bend."""
    periods = []
    for seed in range(8):
        note = kind(np.random.default_rng(seed))(hertz, 8_000)[2_000:6_000]
        spectrum = np.abs(np.fft.rfft(note, 2**16)) ** 2
        again = np.fft.irfft(spectrum)[:1_000]
        earliest = round(16_000 / hertz) * 3 // 4
        periods.append(earliest + int(np.argmax(again[earliest : round(16_000 / hertz) * 5 // 4])))
    assert np.median(periods) == pytest.approx(16_000 / hertz, rel=0.03)


def test_drums_die_away():
    for seed in range(6):
        beat = drum(np.random.default_rng(seed))(150.0, 16_000)
        assert np.abs(beat[12_000:]).max() < 0.2 * np.abs(beat).max()
