"""Means and blends of weights."""

import pytest

from tests.training.needs import needs

pytestmark = [
    pytest.mark.training,
    needs("nemo"),
]


def test_mean_and_blend_leave_counters_alone(tmp_path):
    import torch

    from training.average import average, blend

    for name, value in (("a", 1.0), ("b", 3.0)):
        state = {
            "weight": torch.full((2,), value),
            "batches": torch.tensor(int(value)),
            "foreign.weight": torch.ones(1),
        }
        torch.save(state, tmp_path / f"{name}.pt")
    mean = average([tmp_path / "a.pt", tmp_path / "b.pt"])
    assert mean["weight"].tolist() == [2, 2]
    assert mean["batches"] == 3
    assert "foreign.weight" not in mean, "other languages' output layer served the training alone"
    moved = blend(mean, {"weight": torch.zeros(2), "batches": torch.tensor(0)}, 0.25)
    assert moved["weight"].tolist() == [1.5, 1.5]
    assert moved["batches"] == 3
