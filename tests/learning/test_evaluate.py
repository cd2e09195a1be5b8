"""Accuracy of one model and of many against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from local_cases import backbone, modules, small_data, start

from hffm_opt.learning.backbones.base import read_inputs
from hffm_opt.learning.evaluate import Evaluator, distinct_rows
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import Group, StackedStates, forward_pass


def answers_of(states: StackedStates, device: int, task: str) -> np.ndarray:
    """Answer the test questions one by one."""
    test, given = small_data().tasks[task].test, []
    model, run = Group(states.rows([device]).modules), forward_pass(backbone(), modules(), task)
    for i in range(len(test)):
        values = run(run.prepare(read_inputs(backbone(), test, np.array([i]))), model)
        given.append(int(values["logits"].argmax()))
    return np.array(given)


@pytest.mark.parametrize("task", ["digits", "shapes"])
@pytest.mark.parametrize("batch_size", [7, 64])
def test_many_models_are_counted_as_one_by_one(task: str, batch_size: int) -> None:
    test = small_data().tasks[task].test
    options = {"batch_size": batch_size, "cache_bytes": batch_size, "threads": 2 if batch_size == 7 else None}
    found = Evaluator(backbone(), small_data(), **options).evaluate(start(), task, [2, 0])
    for device, accuracy in zip([2, 0], found, strict=True):
        right = answers_of(start(), device, task) == test.answers
        assert (Evaluator(backbone(), small_data(), **options).worth(start(), task, device) == right).all()
        assert accuracy.right == right.sum() and accuracy.samples == 30
        for family in set(test.families):
            chosen = np.array(test.families) == family
            assert accuracy.families[family] == (right[chosen].sum(), chosen.sum())
        assert sum(count for _, count in accuracy.families.values()) == 30
        assert accuracy.value == pytest.approx(
            sum(share * accuracy.families[family][1] for family, share in accuracy.by_family.items()) / 30
        )


def test_a_head_that_gives_one_answer_scores_its_share() -> None:
    model = start().model_of(0)
    head = {"weight": torch.zeros_like(model["head-digits"]["weight"]), "bias": torch.zeros(18)}
    head["bias"][4] = 1.0
    accuracy = Evaluator(backbone(), small_data()).accuracy({**model, "head-digits": head})
    share = float((small_data().tasks["digits"].test.answers == 4).mean())
    assert 0 < accuracy["digits"].value == pytest.approx(share)
    assert accuracy.keys() == {"digits", "shapes"}


def test_equal_models_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, runs = Evaluator(backbone(), small_data()), []
    layer = backbone().layer
    monkeypatch.setattr(backbone(), "layer", lambda i, hidden, mask: runs.append(len(hidden)) or layer(i, hidden, mask))
    same = StackedStates.repeat(start().model_of(1), 20)
    found = evaluator.evaluate(same, "shapes")
    assert len(found) == 20 and len(set(map(id, found))) == 1
    assert sum(runs) == 30 * (backbone().depth - 2)
    changed = same.replace("head-digits", [3], {k: 0 * t for k, t in same.of_device(3, "head-digits").items()})
    assert distinct_rows(changed, ["adapters", "head-shapes"], range(20)) == ([0], [0] * 20)
    assert distinct_rows(changed, ["head-digits"], [2, 3]) == ([2, 3], [0, 1])


def test_evaluation_between_rounds_does_not_move_training() -> None:
    from local_cases import modules, small_scenario

    trainer = LocalTrainer(backbone(), modules(), small_data(), small_scenario().learning, 3)
    plain = trainer.train(trainer.train(start(), [0, 3], 0).states, [0, 3], 1)
    between = trainer.train(start(), [0, 3], 0)
    Evaluator(backbone(), small_data()).evaluate(between.states, "digits")
    assert trainer.train(between.states, [0, 3], 1).states.equal(plain.states)
