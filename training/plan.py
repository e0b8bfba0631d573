"""Deal voices, speeds and pitches out to sentences: the plan that `training.speech` speaks.

Usage: python -m training.plan kokoro SENTENCES.tsv --count 2000 --out PLAN.tsv
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from training.files import RecipeError, command
from training.sentences import read_sentences
from training.speech import Clip, write_plan
from training.synthesis.voices import ESPEAK_VARIANTS, FESTIVAL_VOICES, KOKORO_HINDI_VOICES, KOKORO_OTHER_VOICES
from training.utterance import Utterance

Dealer = Callable[[random.Random, str], Utterance]


def kokoro_utterance(chance: random.Random, text: str) -> Utterance:
    """One Kokoro voice, or two blended: a blend is a speaker nobody has heard, which is what the model lacks.

    Pure voices are the hardest: those that speak Hindi with a foreign accent have the most of it when they are alone.
    """
    everyone = (*KOKORO_HINDI_VOICES, *KOKORO_OTHER_VOICES)
    kind = chance.random()
    if kind < 0.35:
        voice = chance.choice(everyone)
    else:
        first = chance.choice(KOKORO_HINDI_VOICES if kind < 0.65 else everyone)
        second = chance.choice([voice for voice in everyone if voice != first])
        voice = f"{first}*{chance.uniform(0.3, 0.7):.2f}+{second}"
    return Utterance(text, voice, speed=chance.uniform(0.85, 1.25))


def fast_utterance(chance: random.Random, text: str) -> Utterance:
    """The same voices through the recipe's vocoder, and higher or lower than they are."""
    plain = kokoro_utterance(chance, text)
    pitch = min(1.4, max(0.7, chance.lognormvariate(0, 0.13)))
    return replace(plain, voice=f"fast:{plain.voice}", pitch=pitch, speed=chance.uniform(0.8, 1.3))


def pure_utterance(chance: random.Random, text: str) -> Utterance:
    """Each voice alone at its own pitch, Chinese ones twice as often: of all voices they are understood worst."""
    everyone = (*KOKORO_HINDI_VOICES, *KOKORO_OTHER_VOICES)
    voice = chance.choice([*everyone, *(name for name in everyone if name.startswith("z"))])
    return Utterance(text, f"fast:{voice}", speed=chance.uniform(0.85, 1.25))


def letters_utterance(chance: random.Random, text: str) -> Utterance:
    """Letter by letter, every schwa spoken, as festival's Hindi rules have it; a third by espeak-ng."""
    if chance.random() < 1 / 3:
        plain = espeak_utterance(chance, text)
        return replace(plain, voice=f"letters:{plain.voice}", speed=chance.uniform(0.7, 1.1))
    fast = fast_utterance(chance, text)
    return replace(fast, voice=fast.voice.replace("fast:", "letters:"), speed=chance.uniform(0.75, 1.15))


def diphones_utterance(chance: random.Random, text: str) -> Utterance:
    """Letter by letter too, in recorded sounds of other languages."""
    voice = f"letters:festival:{chance.choice(FESTIVAL_VOICES)}"
    return Utterance(text, voice, speed=chance.uniform(0.7, 1.2), pitch=chance.lognormvariate(0, 0.15))


def espeak_utterance(chance: random.Random, text: str) -> Utterance:
    """Any training variant, from slow and deep to fast and high."""
    voice = f"espeak:{chance.choice(ESPEAK_VARIANTS)}"
    return Utterance(text, voice, speed=chance.uniform(0.8, 1.35), pitch=chance.uniform(0.5, 1.6))


DEALERS: dict[str, Dealer] = {
    "kokoro": kokoro_utterance,
    "fast": fast_utterance,
    "pure": pure_utterance,
    "letters": letters_utterance,
    "diphones": diphones_utterance,
    "espeak": espeak_utterance,
}


def deal(synthesiser: str, texts: list[str], count: int, seed: int) -> list[Clip]:
    """Plan `count` clips: every sentence once in a random order, then every sentence again with other voices."""
    if not texts:
        raise RecipeError("no sentences to speak: run python -m training.sentences first")
    chance = random.Random(seed)  # noqa: S311 - a plan has to be the same every time
    clips: list[Clip] = []
    while len(clips) < count:
        for text in chance.sample(texts, len(texts)):
            if len(clips) == count:
                break
            clips.append(Clip(f"{synthesiser}-{seed}-{len(clips):05d}", DEALERS[synthesiser](chance, text)))
    return clips


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("synthesiser", choices=sorted(DEALERS))
    parser.add_argument("sentences", type=Path, nargs="+")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    texts = [sentence.text for path in options.sentences for sentence in read_sentences(path)]
    write_plan(options.out, deal(options.synthesiser, texts, options.count, options.seed))


if __name__ == "__main__":
    command(main)
