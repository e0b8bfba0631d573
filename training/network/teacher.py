"""A model that understands people better, whom a pupil imitates: what it gives to each token at each step.

Of a recording in another language there is no Hindi text, but a teacher says how a Hindi ear hears it, and how alike
two sounds are. Where there is a text it knows better. Source: G. Hinton, O. Vinyals, J. Dean, 2015, arXiv:1503.02531;
of CTC models: R. Takashima, S. Li, H. Kawai, "An investigation of a knowledge distillation method for CTC acoustic
models", 2018. A pupil that imitates step by step spells when its teacher does; it hears both sides of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from training.network.model import normalised


class Teacher:
    """A trained `EncDecCTCModelBPE` that learns no more; its pupil spells with the same pieces."""

    def __init__(self, model: Any) -> None:
        """Keep it as it is."""
        self.model = model.eval().requires_grad_(requires_grad=False)

    def log_probs(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Of plain features `[clips, 80, frames]` and lengths: `[clips, steps, tokens and a blank]`, and true steps."""
        with torch.no_grad():
            encoded, steps = self.model.encoder(audio_signal=normalised(self.model, features, lengths), length=lengths)
            return self.model.decoder(encoder_output=encoded), steps


def imitation_loss(log_probs: Tensor, wanted: Tensor, steps: Tensor, token_lengths: Tensor) -> Tensor:
    """Divergence of a pupil from its teacher, summed over the steps of a clip, a token, averaged over the clips.

    `log_probs` and `wanted`: `[clips, steps, tokens and a blank]`, which may differ by a last step; `steps`: how many
    both have of each clip; `token_lengths` are counted as by `ctc_loss`, so that the two losses are of one scale.
    """
    count = min(log_probs.shape[1], wanted.shape[1])
    log_probs, wanted = log_probs[:, :count].float(), wanted[:, :count].float()
    divergence = (wanted.exp() * (wanted - log_probs)).sum(-1)
    inside = torch.arange(count, device=steps.device) < steps[:, None]
    summed = torch.where(inside, divergence, 0.0).sum(1)
    return (summed / torch.where(token_lengths > 0, token_lengths, steps / 3)).mean()
