"""The data of a federated run: what every device holds of every task, and what the tasks are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.learning.tasks import TaskData, embedded_tasks, make_split, partition
from hffm_opt.learning.tasks.tokens import Tokenizer
from hffm_opt.learning.tasks.values import Int64Array, Task, majority_baseline
from hffm_opt.scenario.model import Scenario
from hffm_opt.seeds import derive_entropy

POOL_FACTOR = 2  # samples to draw from per sample held: with fewer, rare answers run out and shares even out


@dataclass(frozen=True, eq=False)
class FederatedTask:
    """One task's data.

    ``train`` holds exactly the samples that devices hold; ``shares[u]`` are device u's indices into it, disjoint
    from every other device's; ``test`` is shared by all. Training and test pictures are made of different things.
    """

    task: Task
    train: TaskData
    shares: tuple[Int64Array, ...]
    test: TaskData

    @property
    def samples(self) -> Int64Array:
        """Samples per device, int64 [U]."""
        return np.array([len(share) for share in self.shares], dtype=np.int64)

    @property
    def majority(self) -> float:
        """Accuracy on the test split of its own most frequent answer, in [0, 1]: no constant answer does better."""
        return majority_baseline(self.test)


@dataclass(frozen=True, eq=False)
class FederatedData:
    """The data of all tasks, in the scenario's order of tasks."""

    tasks: Mapping[str, FederatedTask]

    @property
    def devices(self) -> int:
        """The number U of devices."""
        return len(next(iter(self.tasks.values())).shares)

    @property
    def answers(self) -> dict[str, int]:
        """The size of each task's answer vocabulary."""
        return {name: len(data.task.answers) for name, data in self.tasks.items()}

    @property
    def samples(self) -> dict[str, Int64Array]:
        """Samples per device of each task, int64 [U]."""
        return {name: data.samples for name, data in self.tasks.items()}

    @property
    def majority(self) -> dict[str, float]:
        """The majority-answer baseline of each task, in [0, 1]."""
        return {name: data.majority for name, data in self.tasks.items()}


def _check_tasks(scenario: Scenario) -> dict[str, Task]:
    """Return the embedded tasks that a scenario names, or raise all that is wrong with its tasks."""
    known, findings = embedded_tasks(), []
    for i, task in enumerate(scenario.tasks):
        if task.name not in known:
            message = f"no data are known for the task '{task.name}'"
            findings.append(Finding(f"tasks[{i}].name", message, f"use one of: {', '.join(known)}"))
        elif task.answers != len(known[task.name].answers):
            message = f"{task.answers} answers where the data have {len(known[task.name].answers)}"
            findings.append(Finding(f"tasks[{i}].answers", message, f"use {len(known[task.name].answers)}"))
    if findings:
        raise InputError(findings)
    return {task.name: known[task.name] for task in scenario.tasks}


def federated_data(scenario: Scenario, seed: int, tokenizer: Tokenizer | None = None) -> FederatedData:
    """Return what every device of a scenario holds, the same bytes for the same arguments.

    Each device holds exactly ``device.samples[task]`` samples; how unevenly answers spread over devices is the task's
    ``dirichlet_alpha`` (see :func:`~hffm_opt.learning.tasks.partition`). A device's law of answers is drawn for each
    task on its own.

    Args:
        scenario: names the tasks, their test samples and the devices.
        seed: root seed of pictures, questions and shares.
        tokenizer: the backbone's own, or None for the embedded vocabulary.

    Raises:
        InputError: a task is unknown, or its number of answers is not that of the data; all findings at once.
    """
    tasks = {}
    for task, spec in zip(_check_tasks(scenario).values(), scenario.tasks, strict=True):
        counts = [device.samples.get(task.name, 0) for device in scenario.devices]
        pool = make_split(task.name, "train", max(1, POOL_FACTOR * sum(counts)), seed, tokenizer)
        chosen = partition(pool, counts, spec.dirichlet_alpha, derive_entropy(seed, "shares", task.name))
        edges = np.cumsum([0, *counts])
        tasks[task.name] = FederatedTask(
            task=task,
            train=pool.select(np.concatenate(chosen)),
            shares=tuple(np.arange(edges[u], edges[u + 1]) for u in range(len(counts))),
            test=make_split(task.name, "test", spec.test_samples, seed, tokenizer),
        )
    return FederatedData(tasks)
