"""Linear maps fitted to what they should give."""

from __future__ import annotations

import torch
from torch import Tensor

_RIDGE = 1e-3
"""Of the inputs' mean square: keeps weights small where inputs say the same."""


def fit(x: Tensor, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weights `[outputs, inputs]` and bias `[outputs]` that make `y` of `x` with the least squares.

    `x` is `[rows, inputs]`, `y` `[rows, outputs]`; errors of a row count `weight` times, `[rows]` (ridge regression:
    Hoerl and Kennard, 1970).
    """
    scale = torch.ones(len(x)) if weight is None else weight
    rows = torch.cat([x, torch.ones(len(x), 1)], 1) * scale[:, None]
    gram = (rows.T @ rows).double()
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.double)
    solved = torch.linalg.solve(gram, (rows.T @ (y * scale[:, None])).double()).float()
    return solved[:-1].T.contiguous(), solved[-1].contiguous()


def standardised(stream: Tensor, by: Tensor | None = None) -> Tensor:
    """Each row less its mean, by its deviation; or by those of the same row of `by`."""
    by = stream if by is None else by
    return (stream - by.mean(1, keepdim=True)) / by.std(1, keepdim=True, unbiased=False)


def missed(given: Tensor, wanted: Tensor) -> Tensor:
    """Share of what `wanted` says, less its mean row, that `given` does not; both `[rows, channels]`, standardised."""
    return (given - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()
