"""Training and evaluation follow one device, and bf16 changes what it may.

Where there is no accelerator, torch's `meta` device stands for one: it computes shapes only, refuses operands on
different devices, and refuses to give values to the host, so that every way off the device must be the one in
`execution`. Tests that need a CUDA device are collected where there is one.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from local_cases import SAMPLES, backbone, difference, modules, small_data, small_scenario, start

from hffm_opt.errors import InputError
from hffm_opt.learning import evaluate, execution, local
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.execution import Execution
from hffm_opt.learning.features import FrozenFeatures, trimmed
from hffm_opt.learning.local import LocalTrainer, LocalUpdate
from hffm_opt.learning.modules import ADAPTERS
from hffm_opt.learning.modules.forward import forward_pass

EVERYONE = range(len(SAMPLES))


def train(run: Execution, model: object = None, **options: object) -> LocalUpdate:
    trainer = LocalTrainer(
        model or backbone(),
        modules(),
        small_data(),
        small_scenario().learning,
        3,
        execution=run,
        **options,  # type: ignore[arg-type]
    )
    return trainer.train(start(), EVERYONE, 1)


@pytest.mark.parametrize("cache_bytes", [0, 2**30])
def test_all_tensors_follow_the_device(monkeypatch: pytest.MonkeyPatch, cache_bytes: int) -> None:
    asked: list[tuple[str, tuple[int, ...]]] = []

    def to_host(tensor: torch.Tensor) -> torch.Tensor:
        asked.append((tensor.device.type, tuple(tensor.shape)))
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    monkeypatch.setattr(local, "to_host", to_host)
    meta, there = copy.deepcopy(backbone()).to("meta"), Execution("meta")
    update = train(there, meta, group_size=2, cache_bytes=cache_bytes)
    assert {device for device, _ in asked} == {"meta"}
    # The trained copies, and one mean loss per device and step: nothing else leaves the device.
    kept = {tuple(tensor.shape[1:]) for state in start().modules.values() for tensor in state.values()}
    assert all(len(shape) == 1 or shape[1:] in kept for _, shape in asked)
    assert {tensor.device.type for state in update.states.modules.values() for tensor in state.values()} == {"cpu"}

    asked.clear()
    monkeypatch.setattr(evaluate, "to_host", lambda t: to_host(t) if t.device.type == "meta" else execution.to_host(t))
    Evaluator(meta, small_data(), cache_bytes=cache_bytes, execution=there).evaluate(start(), "digits")
    assert asked and {shape[0] for _, shape in asked} == {len(SAMPLES)}


def test_a_tensor_left_behind_would_be_found() -> None:
    meta, task = copy.deepcopy(backbone()).to("meta"), small_data().tasks["digits"]
    constant = forward_pass(meta, modules(), "digits", task.task.modalities)
    values = FrozenFeatures(meta, task.train, constant, execution=Execution("meta")).batch(np.arange(4))
    assert {value.device.type for value in values.values()} == {"meta"}
    hidden, mask = values["hidden"], values["mask"]
    with pytest.raises(RuntimeError, match="device"):
        backbone().layer(1, hidden, mask)


def test_bf16_is_near_fp32_and_leaves_parameters_in_fp32() -> None:
    full, low = train(Execution()), train(Execution(precision="bf16"))
    for task, loss in full.loss.items():
        np.testing.assert_allclose(low.loss[task], loss, rtol=0.02)
    assert not low.states.equal(full.states)
    assert {tensor.dtype for state in low.states.modules.values() for tensor in state.values()} == {torch.float32}
    assert low.states.equal(train(Execution(precision="bf16"), threads=2).states)
    moved = {key: tensor - start().modules[ADAPTERS][key] for key, tensor in full.states.modules[ADAPTERS].items()}
    away = {key: low.states.modules[ADAPTERS][key] - full.states.modules[ADAPTERS][key] for key in moved}
    assert all(away[key].norm() < 0.5 * moved[key].norm() for key in moved)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (Execution("abacus"), "--device: 'abacus' cannot be used"),
        (Execution("cuda:99"), "--device: 'cuda:99' cannot be used"),
        (Execution("meta"), "training knows processors and CUDA devices"),
        (Execution("hpu"), "training knows processors and CUDA devices"),
        (Execution(""), "--device: '' cannot be used"),
        (Execution(precision="fp8"), "use fp32 or bf16"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_at_hand_is_refused(run: Execution, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run.check()


def test_a_cuda_device_is_made_repeatable_and_exact_while_a_run_lasts() -> None:
    def settings() -> tuple[bool, ...]:
        rounded = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        return torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, *rounded

    before = settings()
    with Execution("cpu").repeatable():
        assert settings() == before
    with Execution("cuda:1").repeatable():
        assert settings() == (True, False, False, False)
    assert settings() == before


def test_padding_of_all_samples_is_left_out_and_changes_nothing() -> None:
    data = small_data().tasks["shapes"].train
    less = trimmed(data)
    assert less.input_ids is not None and less.attention_mask is not None and data.attention_mask is not None
    assert less.input_ids.shape[1] == data.attention_mask.sum(axis=1).max() < data.attention_mask.shape[1]
    assert less.attention_mask.sum() == data.attention_mask.sum()
    with torch.no_grad():
        long, short = (
            backbone()(
                backbone().preprocess(part.images),
                torch.from_numpy(part.input_ids),
                torch.from_numpy(part.attention_mask),
            )
            for part in (data, less)
        )
    torch.testing.assert_close(short, long, rtol=1e-5, atol=1e-6)
    assert trimmed(data.select(np.arange(0))).input_ids is not None


if torch.cuda.is_available():  # pragma: no cover

    def test_cuda_computes_the_same() -> None:
        there = copy.deepcopy(backbone()).to("cuda")
        found, expected = train(Execution("cuda"), there), train(Execution())
        assert difference(found.states, expected.states) < 1e-3
        for task, loss in expected.loss.items():
            np.testing.assert_allclose(found.loss[task], loss, rtol=1e-4)
        assert train(Execution("cuda"), there).states.equal(found.states)
