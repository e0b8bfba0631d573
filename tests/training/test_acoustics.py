"""Rooms, codecs and noises that a training clip is put into."""

import numpy as np
import pytest

from training.acoustics.augment import add_background, add_box
from training.acoustics.codecs import CODECS, through_codec
from training.acoustics.rooms import Room, draw_room, impulse_response

RATE = 16_000
SIZE, MOUTH, MICROPHONE = np.array([5.0, 4.0, 3.0]), np.array([1.0, 2.0, 1.5]), np.array([2.0, 2.0, 1.5])


def room(kept):
    return Room(SIZE, MOUTH, MICROPHONE, kept)


def test_the_first_echo_comes_from_the_nearest_wall():
    """It lies 1 m behind the mouth: the echo has gone 3 m where the voice has gone 1, and half of it is kept."""
    heard = np.abs(impulse_response(room(0.5), np.random.default_rng(1)))
    place = int((3 - 1) / 343 * RATE)
    assert heard[0] == 1
    assert heard[1:place].max() < 1e-6, "nothing comes sooner"
    assert heard[place : place + 2].sum() == pytest.approx(0.5 / 3, rel=1e-3)


def test_hard_walls_ring_longer():
    energies = []
    for kept in (0.3, 0.7, 0.95):
        heard = impulse_response(room(kept), np.random.default_rng(1))
        energies.append(float((heard[int(0.03 * RATE) :] ** 2).sum()))
    assert energies[0] < 0.1 * energies[1]
    assert energies[1] < 0.5 * energies[2]
    assert room(0.3).decay < room(0.7).decay < room(0.95).decay


def test_sound_dies_away_as_the_room_s_formula_says():
    hard = room(0.93)
    energy = np.mean([impulse_response(hard, np.random.default_rng(seed)) ** 2 for seed in range(40)], 0)
    left = 10 * np.log10(energy[::-1].cumsum()[::-1])
    first, second = int(0.03 * RATE), int(0.09 * RATE)
    fall = (left[first] - left[second]) / (second - first) * RATE
    assert 60 / fall == pytest.approx(hard.decay, rel=0.35)


def test_any_room_is_finite_and_keeps_the_length():
    chance = np.random.default_rng(2)
    voice = chance.standard_normal(8_000).astype(np.float32)
    for _ in range(60):
        heard = impulse_response(draw_room(chance), chance)
        assert np.isfinite(heard).all()
        assert len(heard) <= RATE / 2 + 1
        assert abs(heard[0]) == 1
    assert add_box(voice, chance).shape == voice.shape


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.encoder)
def test_a_codec_gives_back_what_it_was_given(codec):
    chance = np.random.default_rng(3)
    times = np.arange(RATE) / RATE
    tone = (0.4 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    for length in (200, 5_001, RATE):
        assert through_codec(tone[:length], chance, codec).shape == (length,)
    heard = through_codec(tone, chance, codec)[4_000:-4_000]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RATE / len(heard) == pytest.approx(440, abs=5)
    assert heard.std() == pytest.approx(tone.std(), rel=0.25)
    assert not np.array_equal(heard, tone[4_000:-4_000]), "something is lost"


def test_a_background_has_the_colour_of_what_was_recorded():
    chance = np.random.default_rng(4)
    hum = np.sin(2 * np.pi * 100 * np.arange(6_000) / RATE).astype(np.float32)
    voice = (0.1 * chance.standard_normal(RATE)).astype(np.float32)
    noise = add_background(voice, hum, chance) - voice
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[80:120].sum() > 0.9 * spectrum.sum()
    assert 3 <= 10 * np.log10((voice**2).mean() / (noise**2).mean()) <= 30
