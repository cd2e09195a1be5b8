"""Stacked states: rows, replacement, and inputs that stay as they are."""

from __future__ import annotations

import pytest
import torch

from hffm_opt.learning.modules import StackedStates


def three() -> StackedStates:
    return StackedStates({"a": {"w": torch.arange(6.0).view(3, 2)}, "b": {"v": torch.arange(3.0)}})


def test_rows_and_copies() -> None:
    states = three()
    assert states.devices == 3
    assert states.of_device(1, "a")["w"].tolist() == [2.0, 3.0]
    assert states.model_of(2)["b"]["v"].item() == 2.0
    rows = states.rows([2, 0])
    assert rows.modules["b"]["v"].tolist() == [2.0, 0.0]
    rows.modules["a"]["w"].zero_()
    assert states.equal(three())


def test_repeat_gives_every_device_the_model() -> None:
    model = three().model_of(1)
    repeated = StackedStates.repeat(model, 4)
    assert repeated.devices == 4 and repeated.modules["a"]["w"].tolist() == [[2.0, 3.0]] * 4
    repeated.modules["a"]["w"][0] = 9.0  # rows do not share memory
    assert repeated.modules["a"]["w"][1].tolist() == [2.0, 3.0]


def test_replace_leaves_the_input_and_all_else() -> None:
    states = three()
    one = states.replace("a", [0, 2], {"w": torch.tensor([7.0, 7.0])})
    each = states.replace("a", [2, 0], {"w": torch.tensor([[1.0, 1.0], [5.0, 5.0]])})
    assert one.modules["a"]["w"].tolist() == [[7.0, 7.0], [2.0, 3.0], [7.0, 7.0]]
    assert each.modules["a"]["w"].tolist() == [[5.0, 5.0], [2.0, 3.0], [1.0, 1.0]]
    assert one.modules["b"]["v"] is states.modules["b"]["v"]
    assert states.equal(three()) and not one.equal(states)


def test_wrong_replacements_and_ragged_stacks_are_refused() -> None:
    with pytest.raises(ValueError, match="parameters"):
        three().replace("a", [0], {"v": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"a\.w is \(3,\)"):
        three().replace("a", [0], {"w": torch.zeros(3)})
    with pytest.raises(ValueError, match="float64"):
        three().replace("a", [0], {"w": torch.zeros(2, dtype=torch.float64)})
    with pytest.raises(ValueError, match=r"number of devices: \[2, 3\]"):
        StackedStates({"a": {"w": torch.zeros(3)}, "b": {"w": torch.zeros(2)}})
    with pytest.raises(TypeError):
        three().modules["a"] = {}  # type: ignore[index]
