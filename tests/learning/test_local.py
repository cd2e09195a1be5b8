"""Local training: one device is plain PyTorch, stacked is sequential, order and global state do not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from local_cases import SAMPLES, backbone, difference, modules, small_data, small_scenario, start
from torch.nn.functional import cross_entropy, gelu, linear

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.base import read_inputs
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.features import trimmed
from hffm_opt.learning.local import LocalTrainer, LocalUpdate, stack_batches
from hffm_opt.learning.modules import ADAPTERS, StackedStates, head_name
from hffm_opt.learning.modules.forward import forward_pass
from hffm_opt.learning.modules.module import BRANCHES
from hffm_opt.learning.modules.steps import Group
from hffm_opt.seeds import derive

EVERYONE = range(len(SAMPLES))


def trainer(seed: int = 3, **options: object) -> LocalTrainer:
    return LocalTrainer(backbone(), modules(), small_data(), small_scenario().learning, seed, **options)  # type: ignore[arg-type]


def train_plainly(states: StackedStates, device: int, seed: int, number: int) -> dict[str, dict[str, torch.Tensor]]:
    """Train one device with torch's own parts: two separate adapters per layer, one sample's text and image at once."""
    learning, model = small_scenario().learning, states.model_of(device)
    parameters = {
        (name, key): torch.nn.Parameter(value.clone()) for name, state in model.items() for key, value in state.items()
    }
    optimiser = torch.optim.AdamW(parameters.values(), lr=learning.learning_rate, foreach=False)

    def adapters(index: int, hidden: torch.Tensor) -> torch.Tensor:
        down, bias, up, up_bias = (parameters[ADAPTERS, key][index] for key in model[ADAPTERS])
        width = learning.adapter_width
        total = hidden
        for branch in range(BRANCHES):
            columns = slice(branch * width, (branch + 1) * width)
            inner = gelu(linear(hidden, down[:, columns].T, bias[columns]))
            total = total + linear(inner, up[columns].T, up_bias[branch])
        return total

    streams = {task: derive(seed, number, device, task, "batches") for task in small_data().tasks}
    for _ in range(learning.local_passes):
        for task, data in small_data().tasks.items():
            order = streams[task].permutation(data.shares[device])
            for first in range(0, len(order), learning.batch_size):
                batch = data.train.select(order[first : first + learning.batch_size])
                hidden, mask = backbone().embed(
                    backbone().preprocess(batch.images),
                    torch.from_numpy(batch.input_ids),
                    torch.from_numpy(batch.attention_mask),
                )
                for index in range(backbone().depth):
                    hidden = adapters(index, backbone().layer(index, hidden, mask))
                head = head_name(task)
                logits = backbone().pool(hidden) @ parameters[head, "weight"] + parameters[head, "bias"]
                optimiser.zero_grad(set_to_none=True)
                cross_entropy(logits, torch.from_numpy(batch.answers)).backward()
                optimiser.step()
    return {name: {key: parameters[name, key].detach() for key in state} for name, state in model.items()}


@pytest.fixture(scope="module")
def update() -> LocalUpdate:
    return trainer().train(start(), EVERYONE, 1)


@pytest.mark.parametrize("device", EVERYONE)
def test_each_device_is_trained_as_by_plain_torch(update: LocalUpdate, device: int) -> None:
    plain = StackedStates.repeat(train_plainly(start(), device, 3, 1), 1)
    assert difference(plain, update.states.rows([device])) < 1e-5


def test_stacked_equals_sequential(update: LocalUpdate) -> None:
    sequential = trainer(sequential=True).train(start(), EVERYONE, 1)
    assert difference(sequential.states, update.states) < 1e-5
    assert difference(start(), update.states.rows(EVERYONE)) > 1e-2
    for task in update.loss:
        np.testing.assert_allclose(sequential.loss[task], update.loss[task], rtol=1e-5)


def test_groups_and_uncached_features_give_the_same_result(update: LocalUpdate) -> None:
    other = trainer(group_size=2, cache_bytes=0).train(start(), EVERYONE, 1)
    assert difference(other.states, update.states) < 1e-5


def test_order_of_devices_changes_no_bit(update: LocalUpdate) -> None:
    assert trainer().train(start(), [3, 0, 4, 2, 1], 1).states.equal(update.states)


def test_same_seed_same_bits_and_other_streams_other_bits(update: LocalUpdate) -> None:
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    assert trainer().train(start(), EVERYONE, 1).states.equal(update.states)
    assert torch.equal(before, torch.random.get_rng_state())
    for other in (trainer(seed=4).train(start(), EVERYONE, 1), trainer().train(start(), EVERYONE, 2)):
        assert not torch.equal(
            other.states.modules[ADAPTERS]["up_weight"], update.states.modules[ADAPTERS]["up_weight"]
        )


def test_devices_keep_what_they_do_not_train_and_inputs_are_left_alone(update: LocalUpdate) -> None:
    given = StackedStates({name: {k: t.clone() for k, t in s.items()} for name, s in start().modules.items()})
    some = trainer().train(given, [0, 1], 1)
    assert given.equal(start())
    assert some.states.rows([2, 3, 4]).equal(given.rows([2, 3, 4]))
    assert difference(some.states.rows([0, 1]), update.states.rows([0, 1])) < 1e-5
    for task, row in (("shapes", 1), ("digits", 2)):
        held, old = some.states.of_device(row, head_name(task)), given.of_device(row, head_name(task))
        assert all(torch.equal(held[key], old[key]) for key in old)


def test_samples_and_losses_are_reported_for_those_who_trained() -> None:
    result = trainer().train(start(), [0, 2, 4], 1)
    assert result.samples["digits"].tolist() == [8, 0, 0, 0, 0]
    assert result.samples["shapes"].tolist() == [5, 0, 9, 0, 0]
    assert np.isfinite(result.loss["digits"]).tolist() == [True, False, False, False, False]
    assert modules()[ADAPTERS].weights(result.samples).tolist() == [13, 0, 9, 0, 0]


def test_training_lowers_the_loss() -> None:
    engine, states = trainer(), start()
    losses = []
    for number in range(8):
        result = engine.train(states, EVERYONE, number)
        states = result.states
        losses.append(np.nanmean(result.loss["digits"]))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("device", [0, 3])
def test_one_device_is_torchs_own_loop_bit_for_bit(device: int) -> None:
    """The same forward pass under torch's mean loss, backward pass and AdamW."""
    learning, data = small_scenario().learning, small_data()
    own = {
        name: {key: torch.nn.Parameter(tensor.clone()) for key, tensor in state.items()}
        for name, state in start().rows([device]).modules.items()
    }
    flat = [p for state in own.values() for p in state.values()]
    optimiser = torch.optim.AdamW(flat, lr=learning.learning_rate, foreach=False)
    streams = {task: derive(3, 1, device, task, "batches") for task in data.tasks}
    for _ in range(learning.local_passes):
        for name, task in data.tasks.items():
            run = forward_pass(backbone(), modules(), name, task.task.modalities)
            order = streams[name].permutation(task.shares[device])
            for first in range(0, len(order), learning.batch_size):
                chosen = order[first : first + learning.batch_size]
                values = run.prepare(read_inputs(backbone(), trimmed(task.train), chosen))
                logits = run(values, Group({module: own[module] for module in run.modules}))["logits"][0]
                optimiser.zero_grad()
                torch.autograd.backward(cross_entropy(logits, torch.from_numpy(task.train.answers[chosen])))
                optimiser.step()
    found = trainer(cache_bytes=0).train(start(), [device], 1).states.rows([device])
    assert found.equal(
        StackedStates({name: {key: p.detach() for key, p in state.items()} for name, state in own.items()})
    )


def test_divergence_and_wrong_devices_are_refused() -> None:
    learning = small_scenario().learning.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(InputError, match="diverged"):
        LocalTrainer(backbone(), modules(), small_data(), learning, 0).train(start(), [0], 0)
    for devices in ([0, 0], [5], [-1]):
        with pytest.raises(ValueError, match="distinct numbers below 5"):
            trainer().train(start(), devices, 0)


def test_copies_that_the_last_step_throws_out_of_all_bounds_are_refused() -> None:
    """No loss follows the only step, so that none shows it."""
    data = FederatedData({"shapes": small_data().tasks["shapes"]})
    learning = small_scenario().learning.model_copy(update={"learning_rate": 1e300, "local_passes": 1})
    with pytest.raises(InputError, match="training of 'adapters' on device 3 diverged in round 5"):
        LocalTrainer(backbone(), modules(), data, learning, 0).train(start(), [3], 5)
    with pytest.raises(InputError, match="mu"):
        LocalTrainer(backbone(), modules(), data, learning, 0, proximal=0.1).train(start(), [3], 5)


def test_stacked_batches_cover_each_sample_once_with_mean_weights() -> None:
    orders = [np.array([9, 8, 7, 6, 5]), np.array([], dtype=np.int64), np.array([4, 3])]
    steps = list(stack_batches(orders, 3))
    assert [step.active for step in steps] == [(0, 2), (0,)]
    assert steps[0].samples.tolist() == [[9, 8, 7], [4, 3, 4]]
    assert steps[0].share.tolist() == [[np.float32(1 / 3)] * 3, [0.5, 0.5, 0.0]]
    assert steps[1].samples.tolist() == [[6, 5]]
    assert not list(stack_batches([np.array([], dtype=np.int64)], 3))


def test_threads_change_no_bit_and_leave_torch_alone() -> None:
    before = torch.get_num_threads()
    one, many = (trainer(threads=count, group_size=2).train(start(), EVERYONE, 1) for count in (1, 3))
    assert one.states.equal(many.states)
    assert torch.get_num_threads() == before
