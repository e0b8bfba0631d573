"""Which voices train and which are kept for tests, for good."""

from __future__ import annotations

KOKORO_TEST_VOICES = ("hf_beta", "hm_psi", "af_kore", "am_onyx", "jm_kumo")
"""Never in a training clip, neither pure nor blended."""

KOKORO_HINDI_VOICES = ("hf_alpha", "hm_omega")
"""Native Hindi voices that train; the others speak Hindi with an accent."""

KOKORO_OTHER_VOICES = (
    "af_alloy af_aoede af_bella af_heart af_jessica af_nicole af_nova af_river af_sarah af_sky am_adam am_echo am_eric "
    "am_fenrir am_liam am_michael am_puck am_santa bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george "
    "bm_lewis ef_dora em_alex em_santa ff_siwis if_sara im_nicola jf_alpha jf_gongitsune jf_nezumi jf_tebukuro pf_dora "
    "pm_alex pm_santa zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang"
).split()

ESPEAK_TEST_VARIANTS = ("f4", "m7", "linda")
"""espeak-ng variants that no training clip speaks with."""

ESPEAK_VARIANTS = (
    "Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen "
    "RicishayMax RicishayMax2 RicishayMax3 Storm Tweaky adam anika announcer antonio aunty belinda benjamin boris caleb "
    "david ed edward edward2 f1 f2 f3 f5 grandma grandpa gustave iven iven2 iven3 iven4 john kaukovalta klatt klatt2 "
    "klatt3 klatt4 klatt5 m1 m2 m3 m4 m5 m6 m8 marcelo max michel miguel norbert pablo paul pedro quincy rob robert "
    "sandro shelby steph steph2 steph3 travis victor zac"
).split()
"""Variants of espeak-ng 1.51 that sound like somebody; whispers, croaks and robots are left out."""


def kokoro_parts(voice: str) -> tuple[str, ...]:
    """Names of the voices in a blend such as ``hf_alpha*0.7+af_river``."""
    return tuple(part.split("*")[0] for part in voice.split("+"))


def is_test_voice(voice: str) -> bool:
    """Whether a clip by `voice` belongs to the tests alone (pure, blended, espeak-ng variant, or festival)."""
    if voice.startswith("espeak:"):
        return voice.removeprefix("espeak:") in ESPEAK_TEST_VARIANTS
    return voice.startswith("festival") or any(part in KOKORO_TEST_VOICES for part in kokoro_parts(voice))
