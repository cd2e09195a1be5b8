"""The runs of the closed-loop benchmark: its methods, which of them learn alike, and one run of each kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hffm_opt import api
from hffm_opt.bench.overhead import with_samples
from hffm_opt.looping import loop_gap
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.report.run import Run
from hffm_opt.scenario.changes import Changes, DrawnChanges
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import method_named

PUBLISHED = ("star", "edge-only", "edge-only+d2d", "h-fedfm-2", "h-fedfm-8", "h-fedfm-2+d2d", "h-fedfm-8+d2d")
OPTIMAL, AIMED, LOOP, FEDLAMA, ADAPTIVE = "optimal", "optimal-to-accuracy", "loop", "fedlama", "adaptive-tau"
PHI = 4
TIME_LIMIT_S = 60.0
LASTING, LOSS_DB = 1e6, 30.0
PRECISION: Literal["bf16"] = "bf16"
"""Of matrix products, for all methods alike: half the time, and losses that differ by about 0.1 %."""
Key = tuple[tuple[int | None, int | None], ...]
"""Per module the rounds between averages in a cell, and between those of all: what learning depends on."""


@dataclass(frozen=True)
class Training:
    """How a run is made: its length, how often it is evaluated and looked at, and the accuracy that plans aim at.

    ``samples`` limits what devices hold of a task, and the test samples; None leaves the scenario's.
    """

    rounds: int
    evaluate_every: int
    looks_every: int
    target: float
    samples: int | None = None


@dataclass(frozen=True)
class Case:
    """One network: its name, and how often on average something happens in a round (0: nothing ever does)."""

    network: str
    changes_per_round: float = 0.0

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.network}, changing" if self.changes_per_round else self.network

    @property
    def methods(self) -> tuple[str, ...]:
        """What runs on it: where it changes, the plan that stays and the one that is looked at."""
        if self.changes_per_round:
            return (OPTIMAL, LOOP)
        return (*PUBLISHED, FEDLAMA, ADAPTIVE, OPTIMAL, AIMED, LOOP)

    def scenario(self, seed: int, training: Training) -> Scenario:
        """Return the network; what happens to it is drawn from the seed, and lasts."""
        given = load_scenario(self.network)
        if training.samples is not None:
            given = with_samples(given, training.samples, training.samples)
        if not self.changes_per_round:
            return given
        drawn = DrawnChanges(
            seed=seed, rounds=training.rounds, per_round=self.changes_per_round, mean_rounds=LASTING, loss_db=LOSS_DB
        )
        return given.model_copy(update={"changes": Changes(drawn=drawn)})


@dataclass(frozen=True)
class Point:
    """The mean accuracy over tasks right after an average, and what the run had cost by then."""

    round: int
    accuracy: float
    seconds: float
    joules: float


@dataclass(frozen=True)
class Found:
    """What one method did on one network with one seed; ``trained`` says whose training it shares."""

    case: str
    method: str
    seed: int
    trained: str
    points: tuple[Point, ...]
    seconds: float
    joules: float
    replans: int = 0


def learning_key(plan: Plan) -> Key:
    """Return what a plan's learning depends on: averages at a head and at the edge are over the same devices."""
    return tuple((item.local_rounds, item.cloud) for item in plan.circulation)


def plan_of(scenario: Scenario, method: str, training: Training, seed: int) -> Plan:
    """Return the plan of a method that keeps its plan."""
    if method == AIMED:
        gap = loop_gap(build_problem(scenario))
        return api.plan(
            scenario, objective="time-to-accuracy", target=training.target, gap=gap, time_limit=TIME_LIMIT_S
        ).plan
    if method == OPTIMAL:
        gap = loop_gap(build_problem(scenario))
        return api.plan(scenario, gap=gap, time_limit=TIME_LIMIT_S).plan
    return api.plan(scenario, method=method, max_drift=math.inf, seed=seed).plan


def own_run(case: Case, method: str, training: Training, seed: int) -> Found:
    """Run a method whose plan changes on the way, or one in a network that changes."""
    scenario = case.scenario(seed, training)
    if method == LOOP:
        run = api.run_loop(
            scenario,
            rounds=training.rounds,
            replan_every=training.looks_every,
            evaluate_every=training.evaluate_every,
            after_only=True,
            precision=PRECISION,
            seed=seed,
            time_limit=TIME_LIMIT_S,
            objective="weighted" if case.changes_per_round else "time-to-accuracy",
            target=None if case.changes_per_round else training.target,
        )
    elif method == FEDLAMA:
        run = api.train(
            scenario,
            rounds=training.rounds,
            method=FEDLAMA,
            fedlama=PHI,
            seed=seed,
            evaluate_every=training.evaluate_every,
            after_only=True,
            precision=PRECISION,
            max_drift=math.inf,
        )
    else:
        run = _trained(scenario, plan_of(scenario, method, training, seed), training, seed)
    points = tuple(
        Point(point.round, point.mean, point.clock_s, point.energy_j)
        for point in run.measurement.curve
        if point.phase == "after-average"
    )
    cost = run.measurement.measured
    replans = len(run.trace.revisions)
    return Found(case.name, method, seed, method, points, cost.latency_s, cost.energy_j, replans)


def shared_run(case: Case, plans: Mapping[str, Plan], training: Training, seed: int) -> tuple[Found, ...]:
    """Run methods that learn alike once, and charge each what its own plan costs.

    Args:
        case: a network to which nothing happens.
        plans: the plans of methods with one :func:`learning_key`, the first of which is trained.
        training: how.
        seed: of the run.
    """
    scenario = case.scenario(seed, training)
    problem = build_problem(scenario)
    first = next(iter(plans))
    run = _trained(scenario, plans[first], training, seed)
    return tuple(_charged(case, problem, method, plan, first, run, seed) for method, plan in plans.items())


def _trained(scenario: Scenario, plan: Plan, training: Training, seed: int) -> Run:
    return api.train(
        scenario,
        plan,
        rounds=training.rounds,
        seed=seed,
        evaluate_every=training.evaluate_every,
        after_only=True,
        precision=PRECISION,
    )


def _charged(case: Case, problem: Problem, method: str, plan: Plan, trained: str, run: Run, seed: int) -> Found:
    points = []
    for point in run.measurement.curve:
        if point.phase == "after-average":
            cost = run_cost(problem, plan, point.round)
            points.append(Point(point.round, point.mean, cost.latency_s, cost.energy_j))
    whole = run_cost(problem, plan, run.rounds)
    return Found(case.name, method, seed, trained, tuple(points), whole.latency_s, whole.energy_j)


def groups(case: Case, training: Training, seed: int, made: dict[str, Plan]) -> tuple[dict[str, Plan], ...]:
    """Return the plans of the methods that keep theirs, those together that learn alike.

    Args:
        case: a network to which nothing happens.
        training: how runs are made.
        seed: of methods that draw.
        made: plans that no seed changes, by method, to be made once; added to.
    """
    scenario = case.scenario(seed, training)
    found: dict[Key, dict[str, Plan]] = {}
    for method in case.methods:
        if method not in (LOOP, FEDLAMA):
            plan = made.get(method) or plan_of(scenario, method, training, seed)
            if method in (OPTIMAL, AIMED) or not method_named(method).drawn:
                made[method] = plan
            found.setdefault(learning_key(plan), {})[method] = plan
    return tuple(found.values())
