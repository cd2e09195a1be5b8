"""A whole run of walking modules: data, backbone, training where copies stand, and accuracy over rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.learning.aggregation import Statistic, sample_weights
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.data import FederatedData, federated_data
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import initial_model, learned_modules
from hffm_opt.learning.modules.module import head_name
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.prepare import check_modules
from hffm_opt.learning.transport import Post
from hffm_opt.learning.walking import Walk, run_walk
from hffm_opt.learning.weights import write_weights
from hffm_opt.plan.walk_referee import check_walk
from hffm_opt.plan.walks import WalkPlan, walk_cost
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.provenance import provenance
from hffm_opt.trace.walks import (
    WalkCreation,
    WalkHeader,
    WalkHop,
    WalkMeeting,
    WalkPoint,
    WalkRecord,
    WalkTrace,
)

OnWalk = Callable[[WalkRecord, WalkPoint | None], None]


@dataclass(frozen=True, eq=False)
class WalkRun:
    """A run: its trace, and the copies that all devices held at its end."""

    trace: WalkTrace
    states: StackedStates


def train_walk(
    problem: Problem,
    plan: WalkPlan,
    rounds: int,
    seed: int,
    *,
    evaluate_every: int = 1,
    threads: int | None = None,
    directory: Path | None = None,
    begin: Callable[[], None] | None = None,
    on_round: OnWalk | None = None,
) -> WalkRun:
    """Train the real modules while they walk.

    Every device is evaluated with the copies that it last had, whether or not one stands there. A device where a copy
    of any module stands trains all its modules. ``learning.proximal`` pulls towards the copies with which the round
    began. An interrupt (Ctrl-C) ends the run after its last complete round.

    Args:
        problem: the problem; its modules are those of the backbone.
        plan: how modules walk (:func:`hffm_opt.solvers.walks.plan_walk`).
        rounds: how many rounds.
        seed: of data, initial weights, orders of samples and the walk.
        evaluate_every: rounds from one evaluation to the next; the last is always evaluated.
        threads: torch threads; None leaves torch's setting alone.
        directory: where to write the weights at the end; None keeps none.
        begin: called once nothing is left to refuse the run.
        on_round: called after each complete round with its record and, if it was evaluated, its accuracies.

    Raises:
        InputError: the plan is faulty or for another scenario, the modules are not those of the backbone, or training
            diverged.
        KeyboardInterrupt: interrupted before any round was complete.

    Example:
        >>> from hffm_opt.bench.overhead import with_samples
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> from hffm_opt.solvers.walks import plan_walk
        >>> problem = build_problem(with_samples(load_scenario("tiny"), 4, 4))
        >>> run = train_walk(problem, plan_walk(problem), rounds=1, seed=0)
        >>> run.trace.measured.bits == run.trace.predicted.bits
        True
    """
    check_walk(problem, plan)
    _refuse(problem.scenario, rounds, evaluate_every)
    learning = problem.scenario.learning
    backbone = load_backbone(learning.backbone)
    data = federated_data(problem.scenario, seed, backbone.form)
    modules = learned_modules(backbone, learning, data.answers, data.modalities)
    check_modules(problem, modules)
    model = initial_model(modules, seed)
    for name, state in model.items():
        Post(problem, modules, 0).encode(name, Statistic.of(state, 1.0))
    kept = {name: problem.owners[:, m] for m, name in enumerate(problem.modules) if modules[name].kind == "expert"}
    trainer = LocalTrainer(backbone, modules, data, learning, seed, owners=kept, threads=threads)
    evaluator = Evaluator(backbone, data, modules, owners=kept, threads=threads)
    if begin is not None:
        begin()
    curve: list[WalkPoint] = []

    def train(states: StackedStates, rows: tuple[int, ...], number: int) -> StackedStates:
        return trainer.train(states, rows, number).states if rows else states

    def watch(ran: Walk, states: StackedStates) -> None:
        number, point = ran.part.number, None
        if number == rounds or number % evaluate_every == 0:
            found = _accuracies(problem, data, evaluator, states)
            point = WalkPoint(round=number, clock_s=ran.clock_s, energy_j=ran.energy_j, accuracy=found)
            curve.append(point)
        if on_round is not None:
            on_round(_record(problem, ran), point)

    start = StackedStates.repeat(model, data.devices)
    walked = run_walk(problem, plan, modules, start, train, rounds, seed, watch)
    told = walk_cost(problem, plan, len(walked.rounds), seed)
    ledger = walked.ledger
    measured = SpentCosts(
        latency_s=walked.clock_s, energy_j=ledger.total("joules"), bits=float(ledger.total("charged_bits"))
    )
    header = WalkHeader(
        scenario=problem.scenario.name,
        fingerprint=problem.fingerprint,
        method=plan.method,
        backbone=learning.backbone,
        seed=seed,
        rounds=rounds,
        evaluate_every=evaluate_every,
        baseline=data.majority,
        skipped=data.skipped,
        provenance=provenance(),
    )
    trace = WalkTrace(
        header=header,
        rounds=tuple(_record(problem, ran) for ran in walked.rounds),
        curve=tuple(curve),
        predicted=SpentCosts(latency_s=told.latency_s, energy_j=told.energy_j, bits=told.bits),
        measured=measured,
        ledger=ledger,
    )
    if directory is not None:
        names = [device.name for device in problem.scenario.devices]
        shares = dict(zip(problem.modules, sample_weights(problem).T, strict=True))
        write_weights(directory, header, len(walked.rounds), modules, walked.states, names, shares)
    return WalkRun(trace, walked.states)


def _refuse(scenario: Scenario, rounds: int, evaluate_every: int) -> None:
    """Raise :class:`InputError` where something is asked for that walks do not do."""
    for name, value in (("--rounds", rounds), ("--evaluate-every", evaluate_every)):
        if value < 1:
            raise InputError.one(name, f"{value} is below 1", "give a whole number of at least 1")
    if scenario.learning.kept_neurons is not None:
        message = "walks train on the whole backbone"
        raise InputError.one("learning.kept_neurons", message, "leave it out, or train by another method")


def _accuracies(problem: Problem, data: FederatedData, evaluator: Evaluator, states: StackedStates) -> dict[str, float]:
    """Return per task the mean accuracy of the devices that own it."""
    found = {}
    for task in data.tasks:
        owners = np.flatnonzero(problem.owners[:, problem.modules.index(head_name(task))]).tolist()
        if owners:
            worth = [accuracy.value for accuracy in evaluator.evaluate(states, task, owners)]
            found[task] = fsum(worth) / len(worth)
    return found


def _record(problem: Problem, ran: Walk) -> WalkRecord:
    """Return a round with the names of devices and modules."""
    devices, modules = [device.name for device in problem.scenario.devices], problem.modules
    part = ran.part
    return WalkRecord(
        round=part.number,
        stood={
            module: tuple(devices[u] for k, u in part.standing if k == m)
            for m, module in enumerate(modules)
            if any(k == m for k, _ in part.standing)
        },
        trained=tuple(devices[u] for u in part.training),
        hops=tuple(
            WalkHop(
                module=modules[hop.module], source=devices[hop.source], target=devices[hop.target], arrived=hop.arrived
            )
            for hop in part.hops
        ),
        met=tuple(
            WalkMeeting(module=modules[m], device=devices[v], sources=tuple(devices[u] for u, _ in found))
            for (m, v), found in part.meetings.items()
        ),
        created=tuple(WalkCreation(module=modules[m], device=devices[u]) for m, u in part.created),
        clock_s=ran.clock_s,
        energy_j=ran.energy_j,
    )
