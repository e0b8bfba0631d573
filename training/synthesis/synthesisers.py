"""Programs that speak Hindi, behind one signature: an utterance in, 16 kHz mono float32 out."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.files import RecipeError
from training.synthesis.festival import festival
from training.utterance import SAMPLE_RATE, Samples, Utterance, decode, require
from training.writing.letters import mnemonics

if TYPE_CHECKING:
    from training.synthesis.fast_kokoro import FastKokoro
    from training.synthesis.kokoro import Kokoro


def espeak(utterance: Utterance) -> Samples:
    """Formant synthesis by espeak-ng, hundreds of times faster than real time."""
    program = require("espeak-ng", "espeak-ng")
    manner, _, variant = utterance.voice.rpartition("espeak:")
    text = mnemonics(utterance.text, variant) if manner else utterance.text
    speed = str(round(150 * utterance.speed))
    pitch = str(int(np.clip(round(50 * utterance.pitch), 0, 99)))
    done = subprocess.run(  # noqa: S603 - a fixed program; the text is one argument after "--"
        [program, "-v", f"hi+{variant}", "-s", speed, "-p", pitch, "--stdout", "--", text],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RecipeError(f"espeak-ng failed on {utterance.text!r}: {done.stderr.decode(errors='replace').strip()}")
    return decode(done.stdout, "espeak-ng", utterance.text)


@cache
def _kokoro() -> Kokoro:
    """The one instance of this process; loaded late, since it takes a second and most clips need none."""
    from training.synthesis.kokoro import Kokoro

    return Kokoro(Path(os.environ.get("KOKORO_DIR", "training/build/kokoro")))


@cache
def _fast_kokoro() -> FastKokoro:
    from training.synthesis.fast_kokoro import FastKokoro

    folder = Path(os.environ.get("KOKORO_DIR", "training/build/kokoro"))
    return FastKokoro(folder, Path(os.environ.get("VOCODER", folder.parent / "vocoder.pt")))


def synthesise(utterance: Utterance) -> Samples:
    """Speak with whichever program owns the voice, and trim the silence at both ends to 0.1-0.2 s."""
    if "espeak:" in utterance.voice:
        samples = espeak(utterance)
    elif "festival" in utterance.voice:
        samples = festival(utterance)
    elif utterance.voice.startswith(("fast:", "letters:")):
        samples = _fast_kokoro()(utterance)
    else:
        samples = _kokoro()(utterance)
    return trim(samples)


def trim(samples: Samples, keep_seconds: float = 0.12) -> Samples:
    """Cut leading and trailing silence, leaving `keep_seconds` of it."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * max(float(np.abs(samples).max(initial=0.0)), 1e-4))
    if loud.size == 0:
        raise RecipeError("the synthesiser returned silence")
    keep = int(keep_seconds * SAMPLE_RATE)
    return samples[max(0, loud[0] - keep) : loud[-1] + keep]
