"""How badly a holder's copy of a module fits what a device is about to learn with it.

A copy of module m was trained on some law p over pairs (task, answer), that of its holder's data; the device will use
it under the law q of the tasks that it starts. With n samples behind the copy,

    misfit = TV(p, q) + 1 / sqrt(n),    TV(p, q) = 1/2 sum |p - q|  in [0, 1]

The first term is how much of the device's data the copy has not seen, the second how well it has seen the rest; both
are those of the bounds of domain adaptation, with constants left out. An average at an edge server or the cloud has the
mixed law, and the samples, of the devices behind it. Answers follow the devices' laws of
:mod:`hffm_opt.scenario.heterogeneity`, which the training draws too.

Source: Ben-David et al., A theory of learning from different domains, Machine Learning 79 (2010), theorem 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.heterogeneity import device_law
from hffm_opt.scenario.model import Module, Scenario


def answer_mass(scenario: Scenario, samples: Sequence[Mapping[str, int]], tasks: Sequence[str], seed: int) -> Floats:
    """Return how many samples of each (task, answer) every device expects, [U, answers of all tasks].

    Args:
        scenario: names the tasks and their answers.
        samples: per device and task.
        tasks: the tasks to lay side by side.
        seed: that of the training.
    """
    known = {task.name: task for task in scenario.tasks}
    blocks = []
    for name in tasks:
        task = known[name]
        count = np.array([held.get(name, 0) for held in samples], dtype=float)
        laws = np.zeros((len(samples), task.answers))
        for u in np.flatnonzero(count):
            laws[u] = device_law(seed, name, int(u), task.answers, task.dirichlet_alpha)
        blocks.append(count[:, None] * laws)
    return np.hstack(blocks)


def total_variation(p: Floats, q: Floats) -> float:
    """Return ``1/2 sum |p - q|`` of two laws of the same length.

    >>> total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5]))
    0.5
    """
    return float(np.abs(p - q).sum() / 2)


def misfit(mass: Floats, wanted: Floats) -> float:
    """Return the misfit of a copy trained on ``mass`` samples per (task, answer) to a device that has ``wanted`` ones.

    >>> misfit(np.array([25.0, 75.0]), np.array([1.0, 3.0]))
    0.1
    """
    samples = float(mass.sum())
    if not samples:
        return math.inf
    return total_variation(mass / samples, wanted / wanted.sum()) + 1.0 / math.sqrt(samples)


def wanted_mass(
    scenario: Scenario, device: int, module: Module, new: Mapping[str, int], seed: int
) -> tuple[list[str], Floats]:
    """Return the tasks of a module, and the samples per (task, answer) that a device will have of those it starts."""
    tasks = list(module.tasks)
    held: list[Mapping[str, int]] = [{} for _ in scenario.devices]
    held[device] = {name: count for name, count in new.items() if name in tasks}
    return tasks, answer_mass(scenario, held, tasks, seed)[device]
