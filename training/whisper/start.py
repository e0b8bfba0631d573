"""A run begins with Whisper's encoder, and with an output layer fitted to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.network.checkpoint import load_start, save_start
from training.whisper.encoder import in_nemo_s_order, whisper_of
from training.whisper.output_layer import fit_output_layer
from training.whisper.weights import encoder_weights

_CLIPS = 1000
"""On which the output layer is fitted."""


def begin_with_whisper(path: Path, work: Path, rows: list[dict[str, Any]]) -> None:
    """Put weights of Whisper, whose ``model.bin`` is at `path`, into `work`, unless it has a start; `rows` are Hindi.

    Raise RecipeError where the file is no Whisper.
    """
    if load_start(work) is not None:
        return
    state = {f"encoder.{name}": value for name, value in in_nemo_s_order(encoder_weights(path)).items()}
    model = whisper_of(state, work / "tokenizer")
    fit_output_layer(model, rows[:: -(-len(rows) // _CLIPS)])
    save_start(work, model.state_dict())
