"""The vocoder's maths: what it makes of a pitch, of a filter, and of a change of speaker."""

import importlib.util

import numpy as np
import pytest

from tests.training.needs import needs

pytestmark = [
    pytest.mark.training,
    needs("torch"),
]
if importlib.util.find_spec("torch"):
    import torch

    from training.synthesis.vocoder import BINS, Change, Vocoder, excitation, load, save
    from training.train_vocoder import Pair, SpectralLoss, examples, train


def spectrum(samples):
    """Power at 0, 1, 2 … Hz of one second."""
    return np.abs(np.fft.rfft(samples.numpy())) ** 2


@pytest.mark.parametrize("hertz", [100.0, 3000.0])
def test_the_pulse_train_holds_the_harmonics_and_nothing_else(hertz):
    pulses = excitation(torch.full((1, 80), hertz))[0]
    power = spectrum(pulses)
    harmonics = np.arange(int(hertz), 8000, int(hertz))
    assert power[harmonics].sum() > 0.99 * power.sum(), "an aliased harmonic would lie between the others"
    assert power[harmonics].max() < 1.2 * power[harmonics].min()
    assert float(pulses.square().mean()) == pytest.approx(1, rel=0.1)


def test_there_are_no_pulses_where_there_is_no_voice():
    pitch = torch.cat([torch.zeros(1, 40), torch.full((1, 40), 150.0)], 1)
    pulses = excitation(pitch)[0]
    assert float(pulses[: 40 * 200].abs().max()) == 0
    assert float(pulses[40 * 200 :].square().mean()) == pytest.approx(1, rel=0.1)
    assert torch.isfinite(excitation(torch.zeros(2, 10))).all()


def test_formants_move_up_by_the_factor():
    filters = torch.zeros(1, BINS, 3)
    filters[:, 100] = 1
    moved = Change(formants=1.1).of_filter(filters)
    assert moved[0, :, 0].argmax() == 110
    assert torch.equal(Change().of_filter(filters), filters)


def test_pitch_moves_and_flattens_where_there_is_a_voice():
    pitch = torch.tensor([[0.0, 100.0, 200.0, 0.0]])
    assert Change(pitch=1.5).of_pitch(pitch).tolist()[0] == pytest.approx([0, 150, 300, 0])
    assert Change(flatness=1).of_pitch(pitch).tolist()[0] == pytest.approx([0, 141.42, 141.42, 0], abs=0.01)


def pair(frames=200):
    chance = np.random.default_rng(1)
    pulses = excitation(torch.full((1, frames), 120.0))[0].numpy()
    return Pair(
        chance.standard_normal((512, frames)).astype(np.float16),
        np.full(frames, 120.0, np.float32),
        np.zeros(128, np.float32),
        (3000 * pulses).clip(-32767, 32767).astype(np.int16),
    )


def test_it_learns_and_is_read_back(tmp_path):
    torch.manual_seed(3)
    features, pitch, style, audio = examples([pair()], 2, np.random.default_rng(2))
    with torch.no_grad():
        before = float(SpectralLoss()(Vocoder()(features, pitch, style), audio))
    vocoder = train([pair()], minutes=5, steps=12, batch=2)
    with torch.no_grad():
        made = vocoder(features, pitch, style)
    assert made.shape == audio.shape
    assert float(SpectralLoss()(made, audio)) < 0.7 * before
    save(vocoder, tmp_path / "vocoder.pt")
    assert torch.equal(load(tmp_path / "vocoder.pt").enter.weight, vocoder.enter.weight)
