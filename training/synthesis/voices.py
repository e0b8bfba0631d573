"""Which voices train and which are kept for tests, for good."""

from __future__ import annotations

from training import DATA
from training.synthesis.diphones import VOICES

KOKORO_TEST_VOICES = ("hf_beta", "hm_psi", "af_kore", "am_onyx", "jm_kumo")
"""Never in a training clip, neither pure nor blended."""

ESPEAK_TEST_VARIANTS = ("f4", "m7", "linda")
"""espeak-ng variants that no training clip speaks with."""


def _listed(synthesiser: str) -> tuple[str, ...]:
    text = (DATA / "voices.txt").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{synthesiser}:"))
    return tuple(line.split()[1:])


KOKORO_HINDI_VOICES = ("hf_alpha", "hm_omega")
"""Native Hindi voices that train; the others speak Hindi with an accent."""

KOKORO_OTHER_VOICES = tuple(voice for voice in _listed("kokoro") if voice not in KOKORO_HINDI_VOICES)

ESPEAK_VARIANTS = _listed("espeak")

FESTIVAL_VOICES = tuple(VOICES)
"""Diphones of other languages that train; festival's Hindi ones never do."""


def kokoro_parts(voice: str) -> tuple[str, ...]:
    """Names of the voices in a blend such as ``hf_alpha*0.7+af_river`` or ``fast:hf_alpha*0.7+af_river``."""
    return tuple(part.split("*")[0] for part in voice.rpartition(":")[2].split("+"))


def is_test_voice(voice: str) -> bool:
    """Whether a clip by `voice` belongs to the tests alone (pure, blended, espeak-ng variant, or festival)."""
    name = voice.rpartition(":")[2]
    if "espeak:" in voice:
        return name in ESPEAK_TEST_VARIANTS
    if "festival" in voice:
        return name not in FESTIVAL_VOICES
    return any(part in KOKORO_TEST_VOICES for part in kokoro_parts(voice))
