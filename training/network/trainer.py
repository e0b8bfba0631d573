"""One model, its optimiser and its losses: what a step of training is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.network.checkpoint import Progress, load_latest
from training.network.clock import RunningClock
from training.network.dataset import Batch
from training.network.model import autocast, ctc_loss, middle_of
from training.network.schedule import Plan, learning_rate, strength
from training.network.team import Team


class Trainer:
    """One model, its optimiser, and where they stand."""

    def __init__(self, model: Any, plan: Plan, folder: Path, team: Team) -> None:
        """Move to the accelerator if any and pick up the last checkpoint in `folder`."""
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.plan, self.folder, self.team = model.to(self.device), plan, folder, team
        decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 1e-2}, {"params": plain, "weight_decay": 0.0}],
            lr=plan.peak,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.progress = load_latest(folder, model, self.optimiser) or Progress()
        self.clock, self.earlier = RunningClock(), self.progress.seconds

    def step(self, batch: Batch) -> float:
        """One update; returns the loss in nats a token (a step that is not finite changes nothing)."""
        rate = learning_rate(self.plan, self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        spent = self.earlier + self.clock.seconds()
        mean_loss, audio, spent = self.team.average(self.model, (float(loss.detach()), batch.seconds, spent))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.progress = Progress(self.progress.steps + 1, spent, self.progress.audio + audio * self.team.size)
        return mean_loss

    def loss(self, batch: Batch) -> torch.Tensor:
        """CTC loss a token, averaged over the clips; a share of it of what the middle layer gives."""
        features, lengths = batch.features.to(self.device), batch.feature_lengths.to(self.device)
        if torch.rand(()) < strength(self.plan, self.spent()):
            features = self.model.spec_augmentation(input_spec=features, length=lengths)
        share = self.plan.intermediate
        with autocast(self.device), middle_of(self.model, wanted=share > 0) as middle:
            encoded, steps = self.model.encoder(audio_signal=features, length=lengths)
        loss = self._ctc(encoded, steps, batch)
        return (1 - share) * loss + share * self._ctc(middle[0], steps, batch) if middle else loss

    def _ctc(self, encoded: torch.Tensor, steps: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Of what a layer gave, `[clips, width, steps]`."""
        with autocast(self.device):
            log_probs = self.model.decoder(encoder_output=encoded)
            if self.model.foreign is not None:
                by_sound = self.model.foreign(encoder_output=encoded)
                log_probs = torch.where(batch.foreign.to(self.device)[:, None, None], by_sound, log_probs)
        return ctc_loss(log_probs, steps, batch.tokens.to(self.device), batch.token_lengths.to(self.device))

    def spent(self) -> float:
        """Share of the budget spent, 0 to 1."""
        return max(self.progress.seconds / (self.plan.minutes * 60), self.progress.steps / self.plan.steps)

    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self.spent() >= 1
