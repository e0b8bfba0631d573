import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from training.synthesis.diphones import VOICES, segments
from training.synthesis.synthesisers import synthesise
from training.synthesis.voices import is_test_voice
from training.utterance import SAMPLE_RATE, Utterance

LETTERS = [*"कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहळअआइईउऊऋएऐओऔऑ", "ज़मीन", "फ़न", "सड़क", "पढ़", "दुःख", "हूँ", "कैसे", "मौसम"]
INSTALLED = [voice for voice in VOICES if [*Path("/usr/share/festival/voices").glob(f"*/{voice}")]]
needs_voice = pytest.mark.skipif(not INSTALLED, reason="needs one of festival's voices: training/README.md")


def lengths(said: str) -> list[float]:
    return [float(seconds) for seconds in re.findall(r"\([^ .]+ ([\d.]+)", said)]


@pytest.mark.parametrize("voice", sorted(VOICES))
def test_every_letter_has_a_sound_in_every_language(voice):
    for letter in LETTERS:
        said = segments(letter, voice, 1.0, 1.0)
        assert len(lengths(said)) > 2, letter
        assert said.count("(") == said.count(")")
    assert not is_test_voice(f"letters:festival:{voice}")


def test_the_hindi_voice_stays_a_test_voice_however_it_is_called():
    for voice in ("festival", "letters:festival", "letters:festival:", "letters:festival:hindi_NSK_diphone"):
        assert is_test_voice(voice)


def test_pace_and_height_are_heeded_and_a_third_is_flat():
    assert sum(lengths(segments("नमक", "czech_ph", 2.0, 1.0))) < sum(lengths(segments("नमक", "czech_ph", 1.0, 1.0)))
    assert "(0.5 132)" in segments("राम", "czech_ph", 1.0, 1.2)
    texts = [f"{letter}मल नमक" for letter in "कखगघचजटडतदपबमयरलसह"]
    heights = [set(re.findall(r"\(0.5 (\d+)\)", segments(text, "czech_ph", 1.0, 1.0))) for text in texts]
    assert 0 < sum(len(found) == 1 for found in heights) < len(texts)


@pytest.mark.programs("festival")
@needs_voice
@pytest.mark.parametrize("voice", INSTALLED or ["none"])
def test_festival_says_it(voice):
    text = "नमस्ते राम का कमल"
    samples = synthesise(Utterance(text, f"letters:festival:{voice}"))
    wanted = sum(lengths(segments(text, voice, 1.0, 1.0))[1:-1])
    assert 0.7 * wanted < len(samples) / SAMPLE_RATE < 1.4 * wanted
    assert np.sqrt(np.mean(samples**2)) > 0.005


@pytest.mark.programs("festival")
@needs_voice
@pytest.mark.parametrize("voice", INSTALLED or ["none"])
def test_few_pairs_of_sounds_are_missing_from_the_recordings(voice):
    text = "मेरी बहन कल सुबह दिल्ली से वापस आ रही है और उसके साथ दो दोस्त भी होंगे"
    script = f"(voice_{voice})\n(utt.synth (Utterance Segments {segments(text, voice, 1.0, 1.0)}))\n"
    done = subprocess.run(["festival", "--pipe"], input=script.encode(), capture_output=True, check=True)
    missing = (done.stdout + done.stderr).decode(errors="replace").count("default diphone")
    assert missing <= 0.05 * len(lengths(segments(text, voice, 1.0, 1.0)))
