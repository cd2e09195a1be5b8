"""Stacked AdamW against torch's, row by row."""

from __future__ import annotations

import pytest
import torch

from hffm_opt.learning.optim import StackedAdamW

STEPS = ([0, 1, 2], [0, 2], [1], [2], [0, 1, 2])


@pytest.mark.parametrize("shape", [(7,), (33, 17), (4, 16, 64)])
def test_rows_have_the_bits_of_torch(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, *shape, generator=generator)
    alone = [torch.nn.Parameter(row.clone()) for row in weights]
    references = [torch.optim.AdamW([row], lr=1e-2, foreach=False) for row in alone]
    stacked = StackedAdamW({"w": weights.clone()}, 1e-2)
    for active in STEPS * 4:
        gradients = torch.randn(len(active), *shape, generator=generator)
        stacked.step({"w": gradients}, active)
        for row, device in enumerate(active):
            alone[device].grad = gradients[row].clone()
            references[device].step()
    for device in range(3):
        assert torch.equal(stacked.parameters["w"][device], alone[device].detach())
        assert not torch.equal(weights[device], alone[device].detach())


def test_inactive_devices_keep_parameters_moments_and_step_count() -> None:
    stacked = StackedAdamW({"w": torch.ones(3, 4)}, 1e-2)
    stacked.step({"w": torch.ones(3, 4)}, [0, 1, 2])
    before = [tensor["w"][1].clone() for tensor in (stacked.parameters, stacked.first, stacked.second)]
    stacked.step({"w": torch.full((2, 4), 5.0)}, [0, 2])
    after = [tensor["w"][1] for tensor in (stacked.parameters, stacked.first, stacked.second)]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert stacked.steps == [2, 1, 2]
    assert not torch.equal(stacked.parameters["w"][0], before[0])


def test_weight_decay_is_decoupled_from_the_gradient() -> None:
    stacked = StackedAdamW({"w": torch.ones(1, 2)}, 0.1, weight_decay=0.5)
    stacked.step({"w": torch.zeros(1, 2)}, [0])
    assert torch.equal(stacked.parameters["w"], torch.full((1, 2), 0.95))
