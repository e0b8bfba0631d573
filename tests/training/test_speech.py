import numpy as np
import pytest
import soundfile

from training.acoustics.augment import add_room, add_silence, augment, band_limit, coloured_noise, mix, mu_law
from training.files import RecipeError
from training.speech import Clip, clip_path, make_clip
from training.synthesis.synthesisers import synthesise, trim
from training.utterance import Utterance, require

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


def test_a_missing_synthesiser_names_the_package_to_install():
    with pytest.raises(RecipeError, match="apt-get install imaginary"):
        require("no-such-program", "imaginary")


def test_silence_is_refused():
    with pytest.raises(RecipeError, match="silence"):
        trim(np.zeros(16_000, np.float32))


def test_noise_is_mixed_at_the_ratio_asked_for():
    noise = mix(TONE, coloured_noise(16_000, 1.0, np.random.default_rng(1)), 10.0) - TONE
    assert 10 * np.log10((TONE**2).mean() / (noise**2).mean()) == pytest.approx(10, abs=0.1)


def test_telephone_band_drops_what_lies_outside():
    low = np.sin(2 * np.pi * 60 * np.arange(16_000) / 16_000).astype(np.float32)
    assert np.abs(band_limit(low, 300, 3400)).max() < 0.05
    assert np.abs(band_limit(TONE, 300, 3400) - TONE)[1000:-1000].max() < 0.05


def test_mu_law_stays_close():
    assert np.abs(mu_law(TONE) - TONE).max() < 0.03


def test_augmented_clips_are_finite_and_never_louder_than_full_scale():
    chance = np.random.default_rng(3)
    for _ in range(40):
        changed = augment(TONE, TONE[::-1].copy(), chance)
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert np.abs(changed).max() <= 1.001
    assert len(add_room(TONE, chance)) == len(TONE)


def test_silence_goes_around_the_speech_and_leaves_it_whole():
    longer = add_silence(TONE, np.random.default_rng(1))
    assert len(TONE) < len(longer) <= len(TONE) + 2.4 * 16_000
    begin = int(np.argmax(np.abs(longer) > 0.1)) - int(np.argmax(np.abs(TONE) > 0.1))
    assert np.abs(longer[begin : begin + len(TONE)] - TONE).max() < 0.05
    assert np.abs(longer[begin + len(TONE) :]).max(initial=0) < 0.05


needs_espeak = pytest.mark.programs("espeak-ng")


@needs_espeak
def test_espeak_speaks_at_16_khz_and_faster_when_asked():
    slow = synthesise(Utterance("नमस्ते दुनिया", "espeak:f3", speed=0.8))
    fast = synthesise(Utterance("नमस्ते दुनिया", "espeak:f3", speed=1.3))
    assert 0.4 < len(fast) / 16_000 < len(slow) / 16_000 < 3


@needs_espeak
def test_a_clip_that_is_there_stays_and_a_broken_one_is_made_again(tmp_path):
    task = (Clip("a-01", Utterance("नमस्ते", "espeak:f3")), tmp_path)
    first = make_clip(task)
    path = clip_path(tmp_path, "a-01")
    written = path.stat().st_mtime_ns
    assert make_clip(task) == first
    assert path.stat().st_mtime_ns == written
    path.write_bytes(b"not a wave")
    assert make_clip(task) == first
    assert soundfile.info(path).samplerate == 16_000
