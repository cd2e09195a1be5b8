"""Accuracy on the test split, in all and by family of questions, of one model or of many."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.execution import HOST, Execution, to_host
from hffm_opt.learning.features import CACHE_BYTES, FrozenFeatures
from hffm_opt.learning.metrics import breakdown
from hffm_opt.learning.modules import build_modules
from hffm_opt.learning.modules.forward import forward_pass
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.states import Owners, StackedStates
from hffm_opt.learning.modules.steps import Group
from hffm_opt.learning.tasks.values import Float64Array, Int64Array
from hffm_opt.learning.threads import map_threads

BATCH_SIZE = 64
MODELS = 8  # most models that run together


@dataclass(frozen=True)
class Accuracy:
    """What one model's answers on one task's test split are worth: 1 for a right answer, or less where people differ.

    ``right`` is the sum over all questions; ``families`` and ``answer_types`` map a kind of questions, or of answers,
    to its own (sum, questions).
    """

    right: float
    samples: int
    families: Mapping[str, tuple[float, int]]
    answer_types: Mapping[str, tuple[float, int]]

    @property
    def value(self) -> float:
        """Share of right answers, in [0, 1]."""
        return self.right / self.samples

    @property
    def by_family(self) -> dict[str, float]:
        """Share of right answers in each family, in [0, 1]."""
        return {family: right / samples for family, (right, samples) in self.families.items()}

    @property
    def by_answer_type(self) -> dict[str, float]:
        """Share of right answers for each kind of answer, in [0, 1]; empty where the data name none."""
        return {kind: right / samples for kind, (right, samples) in self.answer_types.items()}


def distinct_rows(
    states: StackedStates, modules: Sequence[str], devices: Sequence[int], owners: Owners | None = None
) -> tuple[list[int], list[int]]:
    """Return devices whose copies of ``modules`` differ in bits, and for each of ``devices`` its place among them.

    Of a module that a device does not keep, which ``owners`` says, it has no copy.

    >>> states = StackedStates({"m": {"w": torch.tensor([1.0, 2.0, 1.0])}})
    >>> distinct_rows(states, ["m"], [0, 1, 2])
    ([0, 1], [0, 1, 0])
    """
    found: dict[bytes, int] = {}
    rows: list[int] = []
    places = []
    for device in devices:
        digest = hashlib.sha256()
        for module in modules:
            if owners is not None and module in owners and not owners[module][device]:
                digest.update(module.encode())
                continue
            for tensor in states.of_device(device, module).values():
                digest.update(to_host(tensor).contiguous().numpy().tobytes())
        place = found.setdefault(digest.digest(), len(rows))
        if place == len(rows):
            rows.append(device)
        places.append(place)
    return rows, places


class Evaluator:
    """Answers the test questions of every task with given models; draws nothing at random and changes nothing.

    The backbone's constant part is computed once; models that are equal in bits are evaluated once.

    Args:
        backbone: frozen and in evaluation mode.
        data: the tasks with their test splits.
        modules: the trained modules; adapters and heads by default.
        owners: for modules that not every device keeps, such as experts, who does, bool [U].
        batch_size: most samples, of all models together, that run through the backbone at a time.
        threads: batches that run at a time, each on one core; None runs one after another with torch's own threads.
        cache_bytes: most bytes, per task, of the backbone's constant part to keep.
        execution: the device, where the backbone is already, and the precision.
    """

    def __init__(
        self,
        backbone: Backbone,
        data: FederatedData,
        modules: Mapping[str, Module] | None = None,
        *,
        owners: Owners | None = None,
        batch_size: int = BATCH_SIZE,
        threads: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        execution: Execution = HOST,
    ) -> None:
        self._data, self._execution = data, execution
        self._batch_size, self._threads = batch_size, threads
        self._owners = owners or {}
        chosen = modules or build_modules(backbone.width, backbone.depth, 1, data.answers)
        self._passes = {
            name: forward_pass(backbone, chosen, name, task.task.modalities) for name, task in data.tasks.items()
        }
        self._features = {
            name: FrozenFeatures(backbone, task.test, self._passes[name], cache_bytes, threads, execution)
            for name, task in data.tasks.items()
        }

    def holding(self, owners: Owners) -> Evaluator:
        """Return an evaluator of the same data for devices that keep other modules; constant parts are shared."""
        other = copy(self)
        other._owners = owners
        return other

    def accuracy(self, model: Mapping[str, State]) -> dict[str, Accuracy]:
        """Return the accuracy per task of one model that has every module, without device dimension."""
        states = StackedStates.repeat(model, 1)
        return {task: self._evaluate(states, task, [0], {})[0] for task in self._data.tasks}

    def distinct(self, states: StackedStates, task: str, devices: Sequence[int]) -> int:
        """Return how many different models ``devices`` have for a task."""
        return len(distinct_rows(states, self._passes[task].modules, devices, self._owners)[0])

    def evaluate(self, states: StackedStates, task: str, devices: Sequence[int] | None = None) -> tuple[Accuracy, ...]:
        """Return the accuracy on one task of each device's copies, in the order of ``devices`` (all by default)."""
        chosen = range(states.devices) if devices is None else devices
        return self._evaluate(states, task, chosen, self._owners)

    def worth(self, states: StackedStates, task: str, device: int) -> Float64Array:
        """Return what a device's answer to each test question of a task is worth, in [0, 1], [N]."""
        return self._worth(states, task, [device], self._owners)[0]

    def _evaluate(
        self, states: StackedStates, task: str, devices: Sequence[int], owners: Owners
    ) -> tuple[Accuracy, ...]:
        rows, places = distinct_rows(states, self._passes[task].modules, devices, owners)
        test = self._data.tasks[task].test
        results = [
            Accuracy(
                float(worth.sum()), len(test), breakdown(worth, test.families), breakdown(worth, test.answer_types)
            )
            for worth in self._worth(states, task, rows, owners)
        ]
        return tuple(results[place] for place in places)

    def _worth(self, states: StackedStates, task: str, rows: Sequence[int], owners: Owners) -> Float64Array:
        """Return what each model's answer to each test question is worth, [len(rows), N]."""
        test = self._data.tasks[task].test
        models = max(1, min(len(rows), MODELS, self._batch_size))
        samples = self._batch_size // models
        blocks = [rows[i : i + models] for i in range(0, len(rows), models)]
        chunks = np.split(np.arange(len(test)), range(samples, len(test), samples))

        def answer(block: Sequence[int], chosen: Int64Array) -> Float64Array:
            on_device = self._execution.put
            kept = on_device({name: torch.from_numpy(rows_of[list(block)]) for name, rows_of in owners.items()})
            held = {name: on_device(state) for name, state in states.rows(block).modules.items()}
            with torch.inference_mode(), self._execution.autocast():
                values = self._features[task].batch(np.tile(chosen, len(block)))
                logits = self._passes[task](values, Group(held, kept))["logits"]
            return test.worth(chosen, to_host(logits.argmax(2)).numpy())

        jobs = [(block, chosen) for block in blocks for chosen in chunks]
        found = iter(map_threads(lambda job: answer(*job), jobs, self._threads))
        return np.concatenate([np.concatenate([next(found) for _ in chunks], axis=1) for _ in blocks])
