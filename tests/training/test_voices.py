from collections import Counter
from statistics import mean

import pytest

from training.plan import DEALERS, deal
from training.synthesis.voices import (
    ESPEAK_TEST_VARIANTS,
    ESPEAK_VARIANTS,
    KOKORO_HINDI_VOICES,
    KOKORO_OTHER_VOICES,
    KOKORO_TEST_VOICES,
    is_test_voice,
)


@pytest.mark.parametrize("synthesiser", sorted(DEALERS))
def test_no_training_clip_is_spoken_by_a_test_voice(synthesiser):
    clips = deal(synthesiser, ["नमस्ते", "दुनिया"], 3000, seed=7)
    assert not [clip for clip in clips if is_test_voice(clip.utterance.voice)]


def test_kept_voices_are_recognised_even_in_a_blend():
    for voice in (
        "hf_beta",
        "hf_alpha*0.50+jm_kumo",
        "espeak:f4",
        "festival",
        "fast:hf_beta",
        "letters:af_sky*0.4+hm_psi",
        "letters:espeak:linda",
    ):
        assert is_test_voice(voice)
    for voice in ("hf_alpha", "hf_alpha*0.50+af_sky", "espeak:f3", "fast:hf_alpha*0.50+af_sky"):
        assert not is_test_voice(voice)


def test_pure_voices_are_alone_and_chinese_ones_twice_as_often():
    voices = Counter(clip.utterance.voice for clip in deal("pure", ["नमस्ते"], 10_000, seed=7))
    assert set(voices) == {f"fast:{voice}" for voice in (*KOKORO_HINDI_VOICES, *KOKORO_OTHER_VOICES)}
    chinese = [count for voice, count in voices.items() if voice.startswith("fast:z")]
    others = [count for voice, count in voices.items() if not voice.startswith("fast:z")]
    assert 1.7 < mean(chinese) / mean(others) < 2.3


def test_training_and_test_voices_are_apart():
    assert not {*KOKORO_HINDI_VOICES, *KOKORO_OTHER_VOICES} & set(KOKORO_TEST_VOICES)
    assert not set(ESPEAK_VARIANTS) & set(ESPEAK_TEST_VARIANTS)


def test_a_plan_is_the_same_every_time():
    assert deal("kokoro", ["नमस्ते"], 5, seed=3) == deal("kokoro", ["नमस्ते"], 5, seed=3)
