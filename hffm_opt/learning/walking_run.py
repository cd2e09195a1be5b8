"""A whole run of walking modules: data, backbone, training where copies stand, and accuracy over rounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np

from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import initial_model, learned_modules
from hffm_opt.learning.modules.module import head_name
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.walking import Walked, run_walk
from hffm_opt.plan.walks import WalkPlan, WalkRound
from hffm_opt.problem.model import Problem


@dataclass(frozen=True)
class WalkPoint:
    """After a round: clock in s, joules so far, and per task the mean accuracy of the devices that own it."""

    round: int
    clock_s: float
    energy_j: float
    accuracy: dict[str, float]


@dataclass(frozen=True, eq=False)
class WalkRun:
    """A run: what was left, its accuracies, and per task the accuracy of the most frequent answer."""

    walked: Walked
    curve: tuple[WalkPoint, ...]
    baseline: dict[str, float]


def train_walk(
    problem: Problem, plan: WalkPlan, rounds: int, seed: int, *, evaluate_every: int = 1, threads: int | None = None
) -> WalkRun:
    """Train the real modules while they walk.

    Every device is evaluated with the copies that it last had, whether or not one stands there.

    Args:
        problem: the problem; its modules are those of the backbone.
        plan: how modules walk (:func:`hffm_opt.solvers.walks.plan_walk`).
        rounds: how many rounds.
        seed: of data, initial weights, orders of samples and the walk.
        evaluate_every: rounds from one evaluation to the next; the last is always evaluated.
        threads: torch threads; None leaves torch's setting alone.

    Raises:
        InputError: the plan is for another scenario, or training diverged.
    """
    learning = problem.scenario.learning
    backbone = load_backbone(learning.backbone)
    data = federated_data(problem.scenario, seed, backbone.form)
    modules = learned_modules(backbone, learning, data.answers, data.modalities)
    kept = {name: problem.owners[:, m] for m, name in enumerate(problem.modules) if modules[name].kind == "expert"}
    trainer = LocalTrainer(backbone, modules, data, learning, seed, owners=kept, threads=threads)
    evaluator = Evaluator(backbone, data, modules, owners=kept, threads=threads)
    curve: list[WalkPoint] = []

    def train(states: StackedStates, rows: tuple[int, ...], number: int) -> StackedStates:
        return trainer.train(states, rows, number).states if rows else states

    def watch(part: WalkRound, states: StackedStates, clock_s: float, joules: float) -> None:
        if part.number % evaluate_every and part.number != rounds:
            return
        found = {}
        for task in data.tasks:
            owners = np.flatnonzero(problem.owners[:, problem.modules.index(head_name(task))]).tolist()
            if owners:
                worth = [accuracy.value for accuracy in evaluator.evaluate(states, task, owners)]
                found[task] = fsum(worth) / len(worth)
        curve.append(WalkPoint(part.number, clock_s, joules, found))

    start = StackedStates.repeat(initial_model(modules, seed), data.devices)
    return WalkRun(run_walk(problem, plan, modules, start, train, rounds, seed, watch), tuple(curve), data.majority)
