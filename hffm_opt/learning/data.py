"""The data of a federated run: what every device holds of every task, and what the tasks are tested on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.learning.tasks import TaskData, embedded_tasks, make_split, partition
from hffm_opt.learning.tasks.form import InputForm
from hffm_opt.learning.tasks.formats import SourcedTask, load_source
from hffm_opt.learning.tasks.values import Int64Array, Task, majority_baseline
from hffm_opt.scenario.heterogeneity import shares_seed
from hffm_opt.scenario.model import Scenario, Source
from hffm_opt.scenario.model import Task as TaskSpec
from hffm_opt.seeds import derive

POOL_FACTOR = 2  # samples to draw from per sample held: with fewer, rare answers run out and shares even out
_PARTS = re.compile(r"\d+|\D+").findall


@dataclass(frozen=True, eq=False)
class FederatedTask:
    """One task's data.

    ``train`` holds exactly the samples that devices hold; ``shares[u]`` are device u's indices into it, disjoint
    from every other device's; ``test`` is shared by all. Training and test pictures are made of different things.
    ``skipped`` counts the records of a data set that could not be used, by reason.
    """

    task: Task
    train: TaskData
    shares: tuple[Int64Array, ...]
    test: TaskData
    skipped: Mapping[str, int] = field(default_factory=dict)

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
    """The data of all tasks, in the scenario's order of tasks.

    ``streams[u]`` numbers device u's random streams; by default they are numbered as the devices are.
    """

    tasks: Mapping[str, FederatedTask]
    streams: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.streams:
            object.__setattr__(self, "streams", tuple(range(self.devices)))

    @property
    def devices(self) -> int:
        """The number U of devices."""
        return len(next(iter(self.tasks.values())).shares)

    @property
    def answers(self) -> dict[str, int]:
        """The size of each task's answer vocabulary."""
        return {name: len(data.task.answers) for name, data in self.tasks.items()}

    @property
    def modalities(self) -> dict[str, tuple[str, ...]]:
        """The modalities that each task has."""
        return {name: data.task.modalities for name, data in self.tasks.items()}

    @property
    def samples(self) -> dict[str, Int64Array]:
        """Samples per device of each task, int64 [U]."""
        return {name: data.samples for name, data in self.tasks.items()}

    @property
    def skipped(self) -> dict[str, dict[str, int]]:
        """The records that could not be used, per task and reason, for the tasks that have any."""
        return {name: dict(data.skipped) for name, data in self.tasks.items() if data.skipped}

    @property
    def majority(self) -> dict[str, float]:
        """The majority-answer baseline of each task, in [0, 1]."""
        return {name: data.majority for name, data in self.tasks.items()}


def _check_tasks(scenario: Scenario, form: InputForm) -> None:
    """Raise all that is wrong with a scenario's tasks, apart from the content of files."""
    known, findings = embedded_tasks(), []
    for i, task in enumerate(scenario.tasks):
        if not form.can_read(task.modalities):
            message = f"the task has {', '.join(task.modalities)}, the backbone reads {', '.join(form.modalities)}"
            findings.append(Finding(f"tasks[{i}].modalities", message, "use another backbone or another task"))
        if task.source is not None:
            continue
        if task.name not in known:
            message = f"no data are known for the task '{task.name}'"
            repair = f"use one of: {', '.join(known)}; or name a data set as its source"
            findings.append(Finding(f"tasks[{i}].name", message, repair))
        elif task.answers != len(known[task.name].answers):
            message = f"{task.answers} answers where the data have {len(known[task.name].answers)}"
            findings.append(Finding(f"tasks[{i}].answers", message, f"use {len(known[task.name].answers)}"))
        elif task.modalities != known[task.name].modalities:
            expected = ", ".join(known[task.name].modalities)
            message = f"{', '.join(task.modalities)} where the data have {expected}"
            findings.append(Finding(f"tasks[{i}].modalities", message, f"use [{expected}]"))
    if findings:
        raise InputError(findings)


def _embedded(spec: TaskSpec, held: int, seed: int, form: InputForm) -> SourcedTask:
    """Return samples of an embedded task, several for each of the ``held`` that devices hold."""
    pool = make_split(spec.name, "train", max(1, POOL_FACTOR * held), seed, form.tokenizer)
    test = make_split(spec.name, "test", spec.test_samples, seed, form.tokenizer)
    return SourcedTask(embedded_tasks()[spec.name], pool, test, {})


def _from_files(spec: TaskSpec, source: Source, held: int, seed: int, form: InputForm) -> SourcedTask:
    """Return the samples of a data set, at most ``spec.test_samples`` of them for testing."""
    found = load_source(spec, source, form)
    if held > len(found.train):
        message = f"the devices hold {held} samples and {source.train.questions} gives {len(found.train)}"
        raise InputError.one(f"tasks.{spec.name}", message, "use more samples_per_answer, or fewer samples per device")
    drawn = derive(seed, "test samples", spec.name).permutation(len(found.test))[: spec.test_samples]
    return replace(found, test=found.test.select(np.sort(drawn)))


def name_ranks(names: Sequence[str]) -> tuple[int, ...]:
    """Return each name's place in their order, in which numbers count as numbers.

    >>> name_ranks(["phone-10", "phone-9", "car"])
    (2, 1, 0)
    """

    def key(name: str) -> tuple[list[tuple[bool, int, str]], str]:
        return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _PARTS(name)], name

    order = sorted(names, key=key)
    places = {name: place for place, name in enumerate(order)}
    return tuple(places[name] for name in names)


def federated_data(scenario: Scenario, seed: int, form: InputForm | None = None) -> FederatedData:
    """Return what every device of a scenario holds, the same bytes for the same arguments and files.

    Each device holds exactly ``device.samples[task]`` samples; how unevenly answers spread over devices is the task's
    ``dirichlet_alpha`` (see :func:`~hffm_opt.learning.tasks.partition`). A device's law of answers is drawn for each
    task on its own. What a device holds goes with its name (see :func:`name_ranks`): the order in which a scenario
    lists its devices changes nothing.

    Args:
        scenario: names the tasks, their data sets, their test samples and the devices.
        seed: root seed of embedded pictures and questions, and of all shares.
        form: what the backbone reads; by default pictures and the embedded vocabulary.

    Raises:
        InputError: a task is unknown, cannot be read, or its answers are not those of the data; all findings at once.
            A data set's file or record cannot be used.
    """
    form = form or InputForm()
    _check_tasks(scenario, form)
    tasks, streams = {}, name_ranks([device.name for device in scenario.devices])
    listed = [scenario.devices[u] for u in np.argsort(streams)]
    for spec in scenario.tasks:
        counts = [device.samples.get(spec.name, 0) for device in listed]
        held = sum(counts)
        source = spec.source
        found = _from_files(spec, source, held, seed, form) if source else _embedded(spec, held, seed, form)
        chosen = partition(found.train, counts, spec.dirichlet_alpha, shares_seed(seed, spec.name))
        edges = np.cumsum([0, *counts])
        tasks[spec.name] = FederatedTask(
            task=found.task,
            train=found.train.select(np.concatenate(chosen)),
            shares=tuple(np.arange(edges[u], edges[u + 1]) for u in streams),
            test=found.test,
            skipped=found.skipped,
        )
    return FederatedData(tasks, streams)
