"""While a Conformer made of Whisper's layers learns to spell, Whisper hears the same clips, and says what it hears.

What CTC asks for on synthetic speech can be had without what Whisper knows of people; so what each layer gives is kept
near to what the block gives that it was made of, on all clips and in all layers (Romero et al., 2015, arXiv:1412.6550).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.files import RecipeError
from training.whisper.encoder import Whisper
from training.whisper.least_squares import missed, standardised
from training.whisper.places import Places


class Listener:
    """Whisper beside the `model`, an `EncDecCTCModelBPE` that `training.transplant` made."""

    def __init__(self, model: Any, whisper: Whisper) -> None:
        """Look at what each layer gives from now on; raise RecipeError where the model was made of something else."""
        sizes = len(model.encoder.layers), model.encoder.d_model
        if sizes != (whisper.blocks, whisper.width):
            raise RecipeError(f"the model has {sizes} layers and channels, Whisper {(whisper.blocks, whisper.width)}")
        self._whisper, self._places = whisper, Places.of(whisper.width)
        self._layers = list(model.encoder.layers)
        self._given: list[Tensor] = []
        for layer in self._layers:
            layer.register_forward_hook(self._keep)

    def _keep(self, layer: Any, _heard: Any, given: Any) -> None:
        if layer.training:
            self._given.append(given[0] if isinstance(given, tuple) else given)

    def missed(self, waves: list[Tensor]) -> Tensor:
        """Mean over the layers of the share of Whisper's streams that those of the last forward pass miss.

        `waves`: of the clips that went through it, samples at 16 kHz.
        """
        given, self._given = self._given, []
        with torch.no_grad():
            device = given[0].device
            wanted = [[stream.to(device) for stream in self._streams(wave)] for wave in waves]
        shares = []
        for number, (layer, streams) in enumerate(zip(self._layers, given, strict=True)):
            before = (streams - layer.norm_out.bias) / layer.norm_out.weight  # what the normalisation gave
            pairs = [
                (own[: len(clip[number])], clip[number][: len(own)]) for own, clip in zip(before, wanted, strict=True)
            ]
            shares.append(missed(torch.cat([own for own, _ in pairs]), torch.cat([other for _, other in pairs])))
        return torch.stack(shares).mean()

    def _streams(self, wave: Tensor) -> list[Tensor]:
        """What each block gives, normalised, channels in NeMo's order: `[steps, width]`."""
        order, inverse = self._places.order, self._places.order.argsort()
        heard = self._whisper.hear(wave)
        heard, streams = heard + self._places.whisper(len(heard))[:, inverse], []
        for number in range(self._whisper.blocks):
            heard = self._whisper.block(number, heard).after
            streams.append(standardised(heard[:, order]))
        return streams
