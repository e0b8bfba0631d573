"""festival: diphones, which are sounds cut from one person's recordings; its Hindi voice is a test voice."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from training.files import RecipeError
from training.synthesis import diphones
from training.utterance import Samples, Utterance, decode, require

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
        return decode(wave.read_bytes(), "festival", text)
