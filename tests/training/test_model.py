"""What the network computes in."""

import pytest

from tests.training.needs import WARNS, needs

pytestmark = [
    needs("nemo"),
    WARNS,
]


@pytest.mark.parametrize(
    ("able", "fast"),
    [
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({}, False),
    ],
)
def test_bfloat16_only_where_the_processor_has_instructions_for_it(monkeypatch, able, fast):
    import torch

    from training.network.model import autocast

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    with autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) == fast
