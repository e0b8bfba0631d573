"""What to say and how, and what comes of it: shared by all that speaks."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from training.files import MissingProgram, RecipeError

Samples = NDArray[np.float32]
SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Utterance:
    """What to say, and how."""

    text: str
    voice: str
    """``hf_alpha``, ``hf_alpha*0.6+af_sky`` (Kokoro), ``espeak:f3`` or ``festival``.

    ``fast:`` before a Kokoro voice: with the recipe's own vocoder; ``letters:``: so, and read letter by letter;
    ``letters:espeak:f3`` and ``letters:festival:czech_ph``: the same by espeak-ng, and by other people's diphones.
    """
    speed: float = 1.0
    """1 is the synthesiser's own pace; 1.2 is a fifth faster."""
    pitch: float = 1.0
    """1 is the voice's own height; espeak-ng and the recipe's vocoder follow it."""


def require(program: str, package: str) -> str:
    """Path of `program`, or a line that says which Debian package brings it."""
    found = shutil.which(program)
    if found is None:
        raise MissingProgram(f"{program} is not installed: apt-get install {package}")
    return found


def decode(data: bytes, program: str, text: str) -> Samples:
    """Sound that `program` made of `text`, whatever its rate and channels."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise RecipeError(f"{program} returned no audio for {text!r} ({error})") from error
    return resample(samples.mean(axis=1), rate)


def resample(samples: Samples, rate: int) -> Samples:
    """Bring `samples` from `rate` Hz to 16 kHz."""
    if rate == SAMPLE_RATE:
        return samples.astype(np.float32)
    return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), dtype=np.float32)
