"""Hindi read letter by letter, as plain synthesisers and careful spellers do: no schwa is dropped, no vowel nasal.

espeak-ng says राम as *raam*; festival's Hindi rules say *raama*, and मैं as *maim*. A model that has only ever heard the
first understands little of the second. The sounds are Kokoro's; nothing here comes from a test voice.
"""

from __future__ import annotations

import zlib

_VIRAMA, _NUKTA = "्", "़"
_CONSONANTS = dict(
    zip(
        "क ख ग घ ङ च छ ज झ ञ ट ठ ड ढ ण त थ द ध न प फ ब भ म य र ल व श ष स ह ळ".split(),  # noqa: SIM905 - pairs are easier to see
        "k kʰ ɡ ɡʰ ŋ c cʰ ɟ ɟʰ ɲ ʈ ʈʰ ɖ ɖʰ ɳ t tʰ d dʰ n p f b bʰ m j ɾ l ʋ ʃ ʂ s h l".split(),  # noqa: SIM905
        strict=True,
    )
)
_DOTTED = {"ज": "z", "फ": "f", "ड": "ɽ", "ढ": "ɽʰ"}
"""With a nukta; other letters sound as without it."""
_SHORT, _LONG_E, _LONG_O = "ə", "ɛː", "ɔː"
_VOWELS = dict(
    zip(
        "अआइईउऊऋएऐओऔऑॲऍ",
        [_SHORT, "aː", "ɪ", "iː", "ʊ", "uː", "ɾɪ", "eː", _LONG_E, "oː", _LONG_O, "ɔ", "æ", "æ"],
        strict=True,
    )
)
_MATRAS = dict(zip("ािीुूृेैोौॉॅ", ["aː", "ɪ", "iː", "ʊ", "uː", "ɾɪ", "eː", _LONG_E, "oː", _LONG_O, "ɔ", "æ"], strict=True))
_AFTER = {"ं": "m", "ँ": "n", "ः": "h" + _SHORT}


def phonemes(text: str, voice: str = "") -> str:
    """Kokoro's phonemes for NFC Devanagari; the manner (quality of a, diphthongs or not) depends on text and `voice`.

    >>> phonemes("राम", "b")
    'ɾˈaːma'
    """
    manner = zlib.crc32(f"{text}|{voice}".encode())
    line = " ".join(_word(word) for word in text.split())
    line = line.replace(_SHORT, ("ə", "ʌ", "a")[manner % 3])
    if manner // 3 % 2:
        line = line.replace(_LONG_E, "I").replace(_LONG_O, "W")
    return line


_MNEMONICS = str.maketrans(
    dict(
        zip(
            "ʰ ɡ ŋ ɟ ɲ ʈ ɖ ɳ ɾ ʋ ʃ ʂ h ɽ ə ʌ ɪ ʊ ː ɛ ɔ æ ˈ I W".split(),  # noqa: SIM905 - as above
            "# g N J n^ t. d. n. r v S s. H r. @ @ I U : E O E ' aI aU".split(),  # noqa: SIM905
            strict=True,
        )
    )
)


def mnemonics(text: str, voice: str = "") -> str:
    """The same for espeak-ng, in the alphabet of its own.

    >>> mnemonics("राम", "b")
    "[[r'a:ma]]"
    """
    return f"[[{phonemes(text, voice).replace('ɽʰ', 'r.h').translate(_MNEMONICS)}]]"


def _word(word: str) -> str:
    sounds: list[str] = []
    waiting = False  # a consonant whose vowel has not come yet: a schwa, unless a sign says otherwise
    for position, letter in enumerate(word):
        if letter in _MATRAS:
            sounds.append(_MATRAS[letter])
        elif letter not in (_VIRAMA, _NUKTA) and waiting:
            sounds.append(_SHORT)
        if letter in _CONSONANTS:
            dotted = word[position + 1 : position + 2] == _NUKTA
            sounds.append(_DOTTED.get(letter, _CONSONANTS[letter]) if dotted else _CONSONANTS[letter])
        elif letter not in _MATRAS:
            sounds.append(_VOWELS.get(letter) or _AFTER.get(letter, ""))
        waiting = letter in _CONSONANTS or (letter == _NUKTA and waiting)
    if waiting:
        sounds.append(_SHORT)
    return _stressed(sounds)


def _stressed(sounds: list[str]) -> str:
    """Join, with a stress mark before the first vowel, where Hindi words mostly have it."""
    vowels = {*_VOWELS.values()}
    first = next((place for place, sound in enumerate(sounds) if sound in vowels), None)
    if first is not None:
        sounds = [*sounds[:first], "ˈ" + sounds[first], *sounds[first + 1 :]]
    return "".join(sounds)
