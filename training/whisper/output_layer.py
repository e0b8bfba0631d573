"""The first output layer for an encoder that has never spelt: fitted alone, by CTC, the encoder as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import soundfile
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from training.network.model import ctc_loss

_ROUNDS, _CLIPS_AT_ONCE, _RATE = 14, 16, 3e-3


def fit_output_layer(model: Any, rows: list[dict[str, Any]]) -> None:
    """Fit it to the clips of `rows`, of a manifest; the encoder hears each once, unchanged."""
    heard, tokens = [], []
    model.eval()
    with torch.no_grad():
        for row in tqdm(rows, desc="encode", unit="clip"):
            wave = torch.from_numpy(soundfile.read(row["audio_filepath"], dtype="float32")[0])[None]
            features, length = model.preprocessor(input_signal=wave, length=torch.tensor([wave.shape[1]]))
            heard.append(model.encoder(audio_signal=features, length=length)[0][0].T)
            tokens.append(torch.tensor(model.tokenizer.text_to_ids(row["text"]), dtype=torch.int64))
    layer = model.decoder.decoder_layers[0]
    torch.nn.init.zeros_(layer.weight)
    optimiser = torch.optim.Adam(layer.parameters(), lr=_RATE)
    chance = np.random.default_rng(0)
    for number in tqdm(range(_ROUNDS), desc="output layer", unit="round"):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - number / _ROUNDS)
        for batch in np.array_split(chance.permutation(len(rows)), -(-len(rows) // _CLIPS_AT_ONCE)):
            encoded = pad_sequence([heard[place] for place in batch], batch_first=True).transpose(1, 2)
            chosen = [tokens[place] for place in batch]
            loss = ctc_loss(
                model.decoder(encoder_output=encoded),
                torch.tensor([len(heard[place]) for place in batch]),
                pad_sequence(chosen, batch_first=True),
                torch.tensor([len(ids) for ids in chosen]),
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
