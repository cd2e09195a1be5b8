"""Local training of many devices at once: one frozen backbone, stacked modules, separate optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from hffm_opt.errors import HffmError, InputError
from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.baselines.fedprox import add_pull
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.execution import HOST, Execution, to_host
from hffm_opt.learning.features import CACHE_BYTES, FrozenFeatures
from hffm_opt.learning.modules.forward import forward_pass
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import all_finite
from hffm_opt.learning.modules.states import Owners, StackedStates
from hffm_opt.learning.modules.steps import Group
from hffm_opt.learning.optim import StackedAdamW
from hffm_opt.learning.tasks.values import Int64Array
from hffm_opt.learning.threads import map_threads
from hffm_opt.scenario.model import Learning
from hffm_opt.seeds import derive

GROUP_SIZE = 4
GROUP_SIZES = {"cpu": GROUP_SIZE, "meta": GROUP_SIZE, "cuda": 64}
"""Most devices that run together by default, by the kind of torch device: an accelerator wants more at a time."""


Figures = dict[str, NDArray[np.float64]]
Trained = tuple[dict[str, dict[str, Tensor]], Figures, Figures]


@dataclass(frozen=True, eq=False)
class LocalUpdate:
    """What local training leaves behind.

    ``samples[task]`` int64 [U]: the samples that each device trained with in each pass, 0 for devices that did not
    train; they weigh the losses. ``loss[task]`` float64 [U]: mean loss over the samples as they were
    trained, NaN where there are none. ``load[module]`` float64 [U]: the share of a device's tokens that an expert was
    given, over all its steps; 0 for devices that did not train.
    """

    states: StackedStates
    samples: Mapping[str, Int64Array]
    loss: Mapping[str, NDArray[np.float64]]
    load: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StackedBatch:
    """One step's batches of the devices that still have data.

    ``active`` lists A rows of the group, ascending; ``samples`` int64 [A, b] and ``share`` float32 [A, b], which is
    1 / n over the n samples of a device's batch and 0 over padding (the device's own first sample, repeated).
    """

    active: tuple[int, ...]
    samples: Int64Array
    share: NDArray[np.float32]


def stack_batches(orders: Sequence[Int64Array], batch_size: int) -> Iterator[StackedBatch]:
    """Yield the steps in which every device u walks once through its samples in the order ``orders[u]``.

    The last batch of a device may be short; a step is as wide as its longest batch.

    >>> [step.active for step in stack_batches([np.arange(3), np.arange(1)], 2)]
    [(0, 1), (0,)]
    """
    for start in range(0, max((len(order) for order in orders), default=0), batch_size):
        active = tuple(u for u, order in enumerate(orders) if len(order) > start)
        rows = [orders[u][start : start + batch_size] for u in active]
        width = max(len(row) for row in rows)
        samples = np.stack([np.pad(row, (0, width - len(row)), constant_values=row[0]) for row in rows])
        share = np.zeros(samples.shape, dtype=np.float32)
        for i, row in enumerate(rows):
            share[i, : len(row)] = 1.0 / len(row)
        yield StackedBatch(active, samples, share)


class LocalTrainer:
    """Trains the modules of many devices, each on its own data, with results as if they trained one by one.

    Per round and device: ``learning.local_passes`` times, for each task in the scenario's order, one walk over the
    device's samples of the task in batches of ``learning.batch_size``, cross-entropy from the logits, AdamW. Devices
    keep nothing from round to round: moments and step counts start anew in every round, and the order of samples is
    drawn from (seed, round, the device's stream, task). The backbone must be frozen and in evaluation mode; nothing
    draws from a global random generator.

    A group's devices run through the backbone together; the loss is the sum of their mean losses, so that no
    device's gradient contains another's. A step keeps about ``4 (depth - 1) (13 S d + H S^2)`` bytes of activations
    per sample (S tokens, d features, H heads): for ``vilt-small``, where 0.83 MB were measured, 27 MB for a group of
    4 with batches of 8. That is with adapters, which start behind layer 0; a part that starts lower keeps the
    activations of all that stands above it.

    Args:
        backbone: the frozen backbone.
        modules: the trainable modules, as :func:`~hffm_opt.learning.modules.learned_modules` returns them.
        data: what the devices hold.
        learning: passes, batch size and learning rate.
        seed: root seed of the order of samples.
        owners: for modules that not every device keeps, such as experts, who does, bool [U].
        group_size: most devices that run together; it bounds memory.
        sequential: run the devices one after another, as a proof of the stacked path.
        threads: groups that train at a time, each on one core; it changes no bit. None trains one group after another
            with torch's own threads (see :func:`~hffm_opt.learning.threads.map_threads`).
        cache_bytes: most bytes, per task, of the backbone's constant part to keep between rounds.
        execution: the device, where the backbone is already, and the precision.
        proximal: strength mu of the pull towards the last averages (see :mod:`.baselines.fedprox`); by default that of
            ``learning``, or none.
    """

    def __init__(
        self,
        backbone: Backbone,
        modules: Mapping[str, Module],
        data: FederatedData,
        learning: Learning,
        seed: int,
        *,
        owners: Owners | None = None,
        group_size: int = GROUP_SIZE,
        sequential: bool = False,
        threads: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        execution: Execution = HOST,
        proximal: float | None = None,
    ) -> None:
        self._backbone, self._modules, self._data, self._execution = backbone, modules, data, execution
        self._proximal = (learning.proximal or 0.0) if proximal is None else proximal
        self._learning, self._seed, self._threads = learning, seed, threads
        self._group_size = 1 if sequential else group_size
        self._owners = {name: torch.from_numpy(kept) for name, kept in (owners or {}).items()}
        self._passes = {
            name: forward_pass(backbone, modules, name, task.task.modalities) for name, task in data.tasks.items()
        }
        self._features = {
            name: FrozenFeatures(backbone, task.train, self._passes[name], cache_bytes, threads, execution)
            for name, task in data.tasks.items()
        }
        self._answers = execution.put({name: torch.from_numpy(task.train.answers) for name, task in data.tasks.items()})

    def train(
        self, states: StackedStates, devices: Sequence[int], number: int, anchors: StackedStates | None = None
    ) -> LocalUpdate:
        """Return what one round of local training makes of ``states``, which are left as they are.

        Args:
            states: the copies that all U devices hold.
            devices: the devices that train; their order changes nothing.
            number: the round.
            anchors: what all U devices held of each module after its last average; ``states`` by default.

        Raises:
            ValueError: a device is out of range or listed twice.
            InputError: a loss is not finite, i.e. training diverged.
        """
        if len(set(devices)) < len(devices) or not set(devices) <= set(range(self._data.devices)):
            raise ValueError(f"devices {sorted(devices)} are not distinct numbers below {self._data.devices}")
        # Who runs beside whom may change the last bits, so it must not depend on the order of devices.
        order = sorted(devices, key=self._data.streams.__getitem__)
        stacked = {name: {key: t.clone() for key, t in state.items()} for name, state in states.modules.items()}
        samples = {task: np.zeros(self._data.devices, dtype=np.int64) for task in self._data.tasks}
        loss = {task: np.full(self._data.devices, np.nan) for task in self._data.tasks}
        load: dict[str, NDArray[np.float64]] = {}
        groups = [order[i : i + self._group_size] for i in range(0, len(order), self._group_size)]
        pulled = (states if anchors is None else anchors) if self._proximal else None

        def run(group: list[int]) -> Trained:
            return self._train_group(states.rows(group), pulled and pulled.rows(group), group, number)

        results = map_threads(run, groups, self._threads)
        for group, (trained, means, loads) in zip(groups, results, strict=True):
            index = torch.tensor(group, dtype=torch.int64)
            for name, state in trained.items():
                for key, tensor in state.items():
                    stacked[name][key][index] = tensor
            for task, values in means.items():
                loss[task][group] = values
                samples[task][group] = self._data.tasks[task].samples[group]
            for name, values in loads.items():
                load.setdefault(name, np.zeros(self._data.devices))[group] = values
        return LocalUpdate(StackedStates(stacked), samples, loss, load)

    def _orders(self, group: list[int], task: str, number: int) -> list[list[Int64Array]]:
        """Return, for each local pass, every device's samples of the task in the order of training."""
        orders: list[list[Int64Array]] = [[] for _ in range(self._learning.local_passes)]
        for device in group:
            rng = derive(self._seed, number, self._data.streams[device], task, "batches")
            for order in orders:
                order.append(rng.permutation(self._data.tasks[task].shares[device]))
        return orders

    def _train_group(
        self, start: StackedStates, anchors: StackedStates | None, group: list[int], number: int
    ) -> Trained:
        """Return what training makes of a group's copies, and per device mean loss of each task and experts' loads."""
        # Copies already: `rows` never gives views.
        local = {name: self._execution.put(state) for name, state in start.modules.items()}
        optimisers = {
            name: StackedAdamW(local[name], self._learning.learning_rate) for name in self._modules if name in local
        }
        held = None if anchors is None else {name: self._execution.put(s) for name, s in anchors.modules.items()}
        orders = {task: self._orders(group, task, number) for task in self._data.tasks}
        sums = {task: np.zeros(len(group)) for task in orders}
        loads: dict[str, NDArray[np.float64]] = {}
        for turn in range(self._learning.local_passes):
            for task in orders:
                for batch in stack_batches(orders[task][turn], self._learning.batch_size):
                    losses, given = self._step(optimisers, local, held, group, task, batch)
                    active, count = list(batch.active), (batch.share > 0).sum(1)
                    sums[task][active] += losses * count
                    for name, share in given.items():
                        loads.setdefault(name, np.zeros(len(group)))[active] += share * count
        for task, total in sums.items():
            for device, value in zip(group, total, strict=True):
                if not np.isfinite(value):
                    raise self._diverged(f"training of device {device} on '{task}' diverged in round {number}")
        counts = {task: self._data.tasks[task].samples[group] * self._learning.local_passes for task in sums}
        means = {
            task: np.divide(total, counts[task], out=np.full(len(group), np.nan), where=counts[task] > 0)
            for task, total in sums.items()
        }
        trained = np.maximum(1, np.sum(list(counts.values()), axis=0))
        found = {name: {key: to_host(t) for key, t in state.items()} for name, state in local.items()}
        self._check_finite(found, group, number)
        return found, means, {name: load / trained for name, load in loads.items()}

    def _diverged(self, words: str) -> HffmError:
        smaller = "a smaller learning rate, or a smaller mu (FedProx)" if self._proximal else "a smaller learning rate"
        return InputError.one("learning.learning_rate", words, f"use {smaller}")

    def _check_finite(self, found: Mapping[str, Mapping[str, Tensor]], group: Sequence[int], number: int) -> None:
        """Refuse copies that the last step, after which no loss is computed, has thrown out of all bounds."""
        for name, state in found.items():
            for tensor in state.values():
                if not all_finite(tensor):
                    place = int((~tensor.isfinite().flatten(1).all(1)).nonzero()[0])
                    raise self._diverged(f"training of '{name}' on device {group[place]} diverged in round {number}")

    def _step(
        self,
        optimisers: Mapping[str, StackedAdamW],
        local: Mapping[str, Mapping[str, Tensor]],
        anchors: Mapping[str, Mapping[str, Tensor]] | None,
        group: Sequence[int],
        task: str,
        batch: StackedBatch,
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Take one optimiser step on a stacked batch.

        Returns:
            The mean loss of each active device before it, [A], and the load of each expert, [A].
        """
        device = self._execution.device
        trained, active = self._passes[task].modules, list(batch.active)
        everyone, index = len(active) == len(group), torch.tensor(active, dtype=torch.int64, device=device)
        leaves = {
            name: {key: (t if everyone else t[index]).detach().requires_grad_() for key, t in local[name].items()}
            for name in trained
        }
        rows = torch.tensor([group[place] for place in active], dtype=torch.int64)
        kept = {name: self._owners[name][rows] for name in trained if name in self._owners}
        share = torch.from_numpy(batch.share).to(device)
        values = {**self._features[task].batch(batch.samples.ravel()), "share": share}
        with self._execution.autocast():
            found = self._passes[task](values, Group(leaves, self._execution.put(kept)))
        answers = self._answers[task][torch.from_numpy(batch.samples).to(device)]
        logits = found["logits"].float()
        losses = cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none").view(answers.shape)
        means = (losses * share).sum(1)
        whole = means + found["penalty"] if "penalty" in found else means
        flat = [t for name in trained for t in leaves[name].values()]
        slopes = torch.autograd.grad(whole.sum(), flat)
        if anchors is not None:
            held = [anchors[name][key][index] for name in trained for key in leaves[name]]
            slopes = add_pull(slopes, (t.detach() for t in flat), held, self._proximal)
        gradients = iter(slopes)
        for name in trained:
            own = {key: next(gradients) for key in leaves[name]}
            if name in kept and not bool(kept[name].all()):
                places = kept[name].nonzero()[:, 0].tolist()
                own = {key: gradient[places] for key, gradient in own.items()}
                optimisers[name].step(own, [active[place] for place in places])
            else:
                optimisers[name].step(own, active)
        loads = {key.removeprefix("load."): value for key, value in found.items() if key.startswith("load.")}
        return _numbers(means), {name: _numbers(value) for name, value in loads.items()}


def _numbers(values: Tensor) -> NDArray[np.float64]:
    return to_host(values).numpy().astype(np.float64)
