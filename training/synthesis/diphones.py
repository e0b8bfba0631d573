"""Hindi from the sounds of other people: diphones recorded for other languages, which festival joins.

Debian's festival voices of Czech, Finnish and English are cut from recordings, as the test voice is, by other men and
women. They lack some of Hindi's sounds; the nearest stand in for them, as in a foreigner's Hindi.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from training.writing.letters import phonemes


@dataclass(frozen=True)
class Inventory:
    """How one language's recordings say Hindi."""

    pause: str
    phones: dict[str, str]
    """Of each IPA sound of `training.writing.letters`: the language's own, separated by spaces."""


def _inventory(pause: str, consonants: str, vowels: str) -> Inventory:
    phones = [sounds.replace("+", " ") for sounds in (consonants + " " + vowels).split()]
    return Inventory(pause, dict(zip(_CONSONANTS + _VOWELS, phones, strict=True)))


_CONSONANTS = "k kʰ ɡ ɡʰ ŋ c cʰ ɟ ɟʰ ɲ ʈ ʈʰ ɖ ɖʰ ɳ t tʰ d dʰ n p f b bʰ m j ɾ l ʋ ʃ ʂ s h z ɽ ɽʰ".split()  # noqa: SIM905 - one line, one alphabet
_VOWELS = "ə ʌ a aː ɪ iː ʊ uː eː ɛː I oː ɔː W ɔ æ".split()  # noqa: SIM905 - as above

CZECH = _inventory(
    "#",
    "k k+ch g g+h n* c~ c~+ch dz~ dz~+h n~ t t+ch d d+h n t t+ch d d+h n p f b b+h m j r l v s~ s~ s h z r r+h",
    "a a a a: i i: u u: e: e: a+j o: o: a+u o e",
)
FINNISH = _inventory(
    "##",
    "k k+h g g+h N t+S t+S d+j d+j n+j t t+h d d+h n t t+h d d+h n p f b b+h m j r l v S S s h s r r+h",
    "a a a a: i i: u u: e: @: a+i o: o: a+u o @",
)
ENGLISH = _inventory(
    "pau",
    "k k+hh g g+hh ng ch ch+hh jh jh+hh n+y t t+hh d d+hh n t t+hh d d+hh n p f b b+hh m y r l v sh sh s hh z r r+hh",
    "ax ah ah aa ih iy uh uw ey eh ay ow ao aw ao ae",
)

_NO_SH = {sound: phone.replace("S", "s") for sound, phone in FINNISH.phones.items()}
FINNISH_WITHOUT_SH = replace(FINNISH, phones=_NO_SH)

VOICES = {
    "czech_dita": (CZECH, 200),
    "czech_krb": (CZECH, 220),
    "czech_machac": (CZECH, 110),
    "czech_ph": (CZECH, 110),
    "hy_fi_mv_diphone": (FINNISH, 105),
    "suo_fi_lj_diphone": (FINNISH_WITHOUT_SH, 185),
    "kal_diphone": (ENGLISH, 105),
    "ked_diphone": (ENGLISH, 105),
}
"""Festival's name of each, its language's sounds, its height in Hz.

Debian's packages: festvox-czech-*, festvox-suopuhe-*, festvox-kallpc16k, festvox-kdlpc16k.
"""

_MILLISECONDS = {
    "aː iː uː eː ɛː I oː ɔː W": (110, 180),
    "ə ʌ a ɪ ʊ ɔ æ": (60, 95),
    "k ɡ c ɟ ʈ ɖ t d p b": (60, 100),
    "kʰ ɡʰ cʰ ɟʰ ʈʰ ɖʰ tʰ dʰ bʰ": (85, 130),
    "f ʃ ʂ s h z": (70, 125),
    "ŋ ɲ ɳ n m j l ʋ": (45, 80),
    "ɾ ɽ ɽʰ": (30, 55),
}
"""How long each kind of sound is; within one clip all of a kind are as long, as letters are read."""


def segments(text: str, voice: str, speed: float, pitch: float) -> str:
    """Festival's list of segments for `text`, read letter by letter: each sound, its seconds, its height in Hz.

    >>> segments("न", "czech_ph", 1.0, 1.0)
    '((# 0.2) (n 0.057 (0.5 110)) (a 0.088 (0.5 110)) (# 0.2))'
    """
    inventory, height = VOICES[voice]
    chance = random.Random(f"{voice}|{text}")  # noqa: S311 - a clip has to be the same every time
    seconds = _seconds(chance)
    fall = chance.choice((0.0, 0.1, 0.2))  # how far the voice sinks to the end; a third stays on one note
    sounds = _sounds(phonemes(text, voice))
    lines = [f"({inventory.pause} 0.2)"]
    for place, sound in enumerate(sounds):
        phones = inventory.phones[sound].split()
        length = seconds[sound] / speed / len(phones)
        hertz = height * pitch * (1 - fall * place / len(sounds))
        lines += [f"({phone} {length:.3f} (0.5 {hertz:.0f}))" for phone in phones]
    lines.append(f"({inventory.pause} 0.2)")
    return f"({' '.join(lines)})"


def _sounds(line: str) -> list[str]:
    """Split a line of IPA; stress marks and spaces are not heard."""
    sounds: list[str] = []
    for letter in line:
        if letter in "ːʰ" and sounds:
            sounds[-1] += letter
        elif letter not in " ˈ":
            sounds.append(letter)
    return sounds


def _seconds(chance: random.Random) -> dict[str, float]:
    lengths = {kind: chance.uniform(*bounds) / 1000 for kind, bounds in _MILLISECONDS.items()}
    return {sound: length for kind, length in lengths.items() for sound in kind.split()}
