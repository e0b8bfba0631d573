"""A quick look at the model in training: greedy CTC and its CER. The figures that count come from the package."""

from __future__ import annotations

from typing import Any

import jiwer
import soundfile
import torch

from training.network.model import autocast


def transcribe(model: Any, paths: list[str], clips_at_once: int = 16) -> list[str]:
    """Greedy CTC text of 16 kHz mono files, in order."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    texts: list[str] = []
    blank = len(model.decoder.vocabulary)
    for start in range(0, len(paths), clips_at_once):
        chosen = paths[start : start + clips_at_once]
        waves = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in chosen]
        lengths = torch.tensor([len(wave) for wave in waves]).to(device)
        audio = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True).to(device)
        with torch.no_grad(), autocast(device):
            log_probs, steps, _ = model(input_signal=audio, input_signal_length=lengths)
        for scores, count in zip(log_probs.argmax(-1).cpu(), steps.cpu(), strict=True):
            ids = torch.unique_consecutive(scores[: int(count)]).tolist()
            texts.append(model.tokenizer.ids_to_text([i for i in ids if i != blank]).strip())
    model.train(was_training)
    return texts


def character_error_rate(model: Any, rows: list[dict[str, Any]]) -> float:
    """CER of `model` on manifest rows, 0 to 1 and above."""
    spoken = transcribe(model, [row["audio_filepath"] for row in rows])
    return float(jiwer.cer([row["text"] for row in rows], spoken))
