"""Programs that speak Hindi, behind one signature: text in, 16 kHz mono float32 out."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from training import diphones
from training.files import RecipeError
from training.letters import mnemonics

if TYPE_CHECKING:
    from training.fast_kokoro import FastKokoro
    from training.kokoro import Kokoro

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
    """1 is the voice's own height; espeak-ng and the recipe's vocoder heed it."""


class Synthesiser(Protocol):
    """Anything that turns an utterance into a waveform."""

    def __call__(self, utterance: Utterance) -> Samples:
        """Return 16 kHz mono samples in [-1, 1]."""
        ...


def require(program: str, package: str) -> str:
    """Path of `program`, or a line that says which Debian package brings it."""
    found = shutil.which(program)
    if found is None:
        raise RecipeError(f"{program} is not installed: apt-get install {package}")
    return found


def _decode(data: bytes, program: str, text: str) -> Samples:
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
    return _decode(done.stdout, "espeak-ng", utterance.text)


_DOTTED = {
    "क": "\u0958",
    "ख": "\u0959",
    "ग": "\u095a",
    "ज": "\u095b",
    "ड": "\u095c",
    "ढ": "\u095d",
    "फ": "\u095e",
    "य": "\u095f",
}


def for_festival(text: str) -> str:
    """Letters with a dot as one code point each: festival-hi leaves out every word that holds NFC's two.

    >>> len("ज़"), len(for_festival("ज़"))
    (2, 1)
    """
    for letter, dotted in _DOTTED.items():
        text = text.replace(letter + "\u093c", dotted)
    return text


def festival(utterance: Utterance) -> Samples:
    """Diphones of a recorded man (Debian's festvox-hi-nsk), a test voice; or of another voice, after ``letters:``."""
    voice = utterance.voice.rpartition("festival:")[2]
    if voice in diphones.VOICES:
        said = diphones.segments(utterance.text, voice, utterance.speed, utterance.pitch)
        return _festival_wave(f"(voice_{voice})\n", f"Segments {said}", utterance.text)
    script = (
        "(begin (voice_hindi_NSK_diphone) (Parameter.set 'Int_Method nil) (Parameter.set 'Int_Target_Method nil))\n"
        f"(Parameter.set 'Duration_Stretch {1 / utterance.speed:.3f})\n"
    )
    return _festival_wave(script, f'Text "{for_festival(utterance.text)}"', utterance.text)


def _festival_wave(script: str, said: str, text: str) -> Samples:
    program = require("festival", "festival festvox-hi-nsk festival-hi")
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder, "speech.wav")
        script += f'(utt.save.wave (utt.synth (Utterance {said})) "{wave}")\n'
        done = subprocess.run(  # noqa: S603 - a fixed program; text is plain Devanagari, checked when it was read
            [program, "--pipe"], input=script.encode(), capture_output=True, check=False
        )
        if not wave.exists() or wave.stat().st_size == 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "no message"
            raise RecipeError(f"festival failed on {text!r}: {reason} (training/README.md lists its voices' packages)")
        return _decode(wave.read_bytes(), "festival", text)


@cache
def _kokoro() -> Kokoro:
    """The one instance of this process; loaded late, since it takes a second and most clips need none."""
    from training.kokoro import Kokoro

    return Kokoro(Path(os.environ.get("KOKORO_DIR", "training/build/kokoro")))


@cache
def _fast_kokoro() -> FastKokoro:
    from training.fast_kokoro import FastKokoro

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
