"""A whole run: data, backbone, rounds of training and averaging as planned, and evaluation in stated phases."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import fsum
from pathlib import Path

import numpy as np
import torch

from hffm_opt.errors import Finding, InputError
from hffm_opt.learning.aggregation import sample_weights
from hffm_opt.learning.baselines.centralised import DataOf
from hffm_opt.learning.baselines.fedlama import FedLama
from hffm_opt.learning.baselines.fedprox import received
from hffm_opt.learning.baselines.realign import NAME, check_rounds
from hffm_opt.learning.broadcast import broadcast, extended
from hffm_opt.learning.checkpoint import Checkpoints
from hffm_opt.learning.continued import Continued
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.execution import HOST, Execution
from hffm_opt.learning.local import GROUP_SIZES, LocalUpdate
from hffm_opt.learning.modules.module import ADAPTERS, head_name
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.prepare import Prepared, Room, algorithm_of, prepare
from hffm_opt.learning.progressed import Progressed
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.weights import write_weights
from hffm_opt.plan.circulation import Tier, kind_of_round
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.serial import dump_json
from hffm_opt.trace.model import (
    AccuracyRecord,
    Broadcast,
    Phase,
    RoundRecord,
    RunHeader,
    TierName,
    Trace,
)
from hffm_opt.units import bytes_to_bit

Progress = Callable[[RoundRecord, tuple[AccuracyRecord, ...]], None]

_TIER_NAMES: dict[Tier, TierName] = {Tier.LOCAL: "local", Tier.D2D: "d2d", Tier.EDGE: "edge", Tier.CLOUD: "cloud"}


def train_plan(
    problem: Problem,
    plan: Plan,
    rounds: int,
    seed: int,
    *,
    evaluate_every: int | None = None,
    progress: Progress | None = None,
    sequential: bool = False,
    threads: int | None = None,
    directory: Path | None = None,
    resume: bool = False,
    checkpoint_every: int = 1,
    execution: Execution = HOST,
    max_memory_bytes: int | None = None,
    tell: Callable[[str], None] | None = None,
    proximal: float | None = None,
    fedlama: FedLama | None = None,
    pooled: DataOf | None = None,
    continued: Continued | None = None,
    begin: Callable[[], None] | None = None,
) -> Trace:
    """Train the modules on the scenario's tasks exactly as planned.

    Accuracy is measured just before and right after the last of the deepest averages that ``rounds`` reaches, at the
    end, and every ``evaluate_every`` rounds. An interrupt (Ctrl-C) ends the run after its last complete round.
    A run with a directory leaves checkpoints there, from which it goes on to the same bits, and at its end its weights
    (see :mod:`hffm_opt.learning.weights`).

    Args:
        problem: the problem.
        plan: a plan made for it.
        rounds: how many rounds to run.
        seed: root of every random stream: data, initial weights, order of samples.
        evaluate_every: further rounds to evaluate in; None for none.
        progress: called after each complete round with its record and its accuracies, if any.
        sequential: train devices one after another instead of stacked; slower, for proof.
        threads: torch threads; None leaves torch's setting alone.
        directory: the run directory; None keeps nothing.
        resume: go on from the directory's checkpoint, or begin if there is none yet.
        checkpoint_every: rounds from one checkpoint to the next.
        execution: the device, and the precision of matrix products.
        max_memory_bytes: most memory to take; fewer devices then run together, and fewer constants are kept.
        tell: told before the start how much memory the run will take.
        proximal: FedProx's mu in place of the scenario's.
        fedlama: lets each module's interval follow the training; it made ``plan``.
        pooled: loads the data of all devices for the one device of a centralised problem.
        continued: what is taken over from a run before, and where to leave what a run after takes over.
        begin: called once nothing but the checkpoint is left to refuse the run, before anything is written.

    Returns:
        The trace. The same arguments give the same figures.

    Raises:
        InputError: the plan is not for this problem, the modules are not those of the backbone, training diverged, the
            checkpoint is damaged or of another run, the device is not at hand, the memory does not suffice.
        KeyboardInterrupt: interrupted before any round was complete.
    """
    findings = [
        Finding(name, f"{value} is below 1", "give a whole number of at least 1")
        for name, value in (
            ("rounds", rounds),
            ("evaluate_every", evaluate_every),
            ("checkpoint_every", checkpoint_every),
        )
        if value is not None and value < 1
    ]
    if findings:
        raise InputError(findings)
    execution.check()
    ways = algorithm_of(problem.scenario.learning, proximal, fedlama, pooled is not None)
    check_rounds(problem.scenario.learning, plan, fedlama.cycle if fedlama else None)
    group_size = 1 if sequential else GROUP_SIZES[torch.device(execution.device).type]
    room = Room(execution, group_size, threads, max_memory_bytes, tell)
    link = continued or Continued()
    run = prepare(problem, plan, rounds, seed, room, ways, pooled or link.data_of or federated_data, link.phase)
    if begin is not None:
        begin()
    now, kept = Progressed(link.start or run.start, run.engine.start_s), None
    if directory is not None:
        kept = Checkpoints(directory, _identity(run.header, plan, evaluate_every))
        now = kept.read(now, run.realigner.state() if run.realigner else {}) if resume else now
    cycle = fedlama.cycle if fedlama else 1 << run.engine.top
    evaluated = evaluation_rounds(cycle, rounds, evaluate_every)
    _run_rounds(run, now, evaluated, progress, fedlama, kept, checkpoint_every, link)
    link.leave(run, now.states)
    if directory is not None:
        names = [device.name for device in problem.scenario.devices]
        shares = dict(zip(problem.modules, sample_weights(problem).T, strict=True))
        write_weights(directory, run.header, now.number, run.engine.modules, now.states, names, shares)
    return Trace(
        header=run.header,
        rounds=tuple(now.rounds),
        accuracy=tuple(now.accuracy),
        ledger=now.ledger.ledger(),
        revisions=tuple(now.revisions),
        broadcasts=tuple(now.broadcasts),
    )


def _identity(header: RunHeader, plan: Plan, evaluate_every: int | None) -> dict[str, object]:
    """Return everything that the bits of a run depend on; how much memory it takes is not of it."""
    return header.model_dump(mode="json", exclude={"execution": {"memory_bytes"}}) | {
        "plan": sha256(dump_json(plan).encode()).hexdigest(),
        "evaluate_every": evaluate_every,
    }


def evaluation_rounds(cycle: int, rounds: int, every: int | None) -> frozenset[int]:
    """Return the rounds to evaluate in: the last of the deepest averages reached, the last of all, and every n-th.

    ``cycle``, a power of two, is the number of rounds after which every module that is ever averaged has been.
    """
    deepest = max(range(1, rounds + 1), key=lambda number: (kind_of_round(number, cycle.bit_length() - 1), number))
    return frozenset({deepest, rounds, *(range(every, rounds + 1, every) if every else ())})


def _run_rounds(
    run: Prepared,
    now: Progressed,
    evaluated: frozenset[int],
    progress: Progress | None,
    fedlama: FedLama | None,
    kept: Checkpoints | None,
    checkpoint_every: int,
    link: Continued,
) -> None:
    """Run the rounds that are left; nothing of a round is kept before the round is complete."""
    trains = np.flatnonzero(run.problem.owners.any(axis=1)).tolist()
    engine = RoundEngine(run.problem, now.revisions[-1].plan, run.engine.modules) if now.revisions else run.engine
    if run.realigner is not None and now.further:
        run.realigner.load(now.further)
    try:
        for number in range(now.number + 1, run.header.rounds + 1):
            engine = _run_round(run, now, number, engine, trains, number in evaluated, fedlama, link)
            if kept is not None and number % checkpoint_every == 0:
                kept.write(now)
            if progress is not None:
                progress(now.rounds[-1], tuple(found for found in now.accuracy if found.round == number))
    except KeyboardInterrupt:
        now.settle()
        if not now.number:
            raise
    if kept is not None:
        kept.write(now)


def _run_round(
    run: Prepared,
    now: Progressed,
    number: int,
    engine: RoundEngine,
    trains: list[int],
    evaluate: bool,
    fedlama: FedLama | None,
    link: Continued,
) -> RoundEngine:
    """Run one round and return the engine of the next."""
    spent_j = fsum(record.energy_j for record in now.rounds) if evaluate else 0.0
    update = run.trainer.train(now.states, trains, number, now.anchors)
    accuracy: list[AccuracyRecord] = []
    if evaluate:
        now_s, train_j = engine.after_training(number, now.clock_s)
        accuracy += _accuracies(run, number, engine, "before-average", update.states, now_s, spent_j + train_j)
    result = engine.average(number, update.states, now.clock_s)
    link.note(run, engine, number, update.states, result)
    record = result.record.model_copy(update={"loss": _mean_loss(update), "load": _mean_load(update)})
    if evaluate and engine.tier(number) != Tier.LOCAL:
        after_j = spent_j + record.energy_j
        accuracy += _accuracies(run, number, engine, "after-average", result.states, record.end_s, after_j)
    states, clock_s, entries = result.states, result.clock_s, result.entries
    realigner, broadcasts = run.realigner, list[Broadcast]()
    if realigner is not None and number % realigner.every == 0 and number < run.header.rounds:
        data = realigner.message(states.of_device(result.averaged[ADAPTERS][0], ADAPTERS), number)
        sent, clock_s = broadcast(engine, number, NAME, data, clock_s)
        realigner.adopt(data)
        entries, record = entries + sent, extended(record, sent, clock_s)
        broadcasts.append(Broadcast(round=number, bits=bytes_to_bit(len(data))))
    pulled = received(now.anchors, states, result.averaged) if run.header.algorithm.proximal else None
    revision = None if fedlama is None else fedlama.revise(number, engine.plan, update.states, result)
    revisions = (revision,) if revision is not None and number < run.header.rounds else ()
    now.add(
        record,
        accuracy,
        entries,
        states,
        clock_s,
        revisions=revisions,
        broadcasts=broadcasts,
        anchors=pulled,
        further=realigner.state() if realigner else {},
    )
    return RoundEngine(run.problem, revisions[0].plan, run.engine.modules) if revisions else engine


def _mean_loss(update: LocalUpdate) -> dict[str, float]:
    """Return the mean loss per task over all samples."""
    weights = {task: samples.astype(float) for task, samples in update.samples.items() if samples.any()}
    return {task: float(np.nansum(update.loss[task] * weight) / weight.sum()) for task, weight in weights.items()}


def _mean_load(update: LocalUpdate) -> dict[str, float]:
    """Return the share of all tokens that each expert was given, every sample counting the same."""
    samples = np.sum(list(update.samples.values()), axis=0)
    return {name: float(load @ samples / samples.sum()) for name, load in update.load.items()}


def _accuracies(
    run: Prepared,
    number: int,
    engine: RoundEngine,
    phase: Phase,
    states: StackedStates,
    clock_s: float,
    energy_j: float,
) -> list[AccuracyRecord]:
    """Evaluate every device that owns a task's head, all with equal weight."""
    records = []
    for task in run.data.tasks:
        head = head_name(task)
        devices = np.flatnonzero(run.problem.owners[:, run.problem.modules.index(head)]).tolist()
        if not devices:
            continue
        found = run.evaluator.evaluate(states, task, devices)
        families, answer_types = (
            {kind: _mean([part[kind] for part in parts]) for kind in parts[0]}
            for parts in ([a.by_family for a in found], [a.by_answer_type for a in found])
        )
        records.append(
            AccuracyRecord(
                round=number,
                phase=phase,
                tier=_TIER_NAMES[engine.tier(number)],
                task=task,
                accuracy=_mean([accuracy.value for accuracy in found]),
                devices=len(devices),
                states=run.evaluator.distinct(states, task, devices),
                clock_s=clock_s,
                energy_j=energy_j,
                families=families,
                answer_types=answer_types,
            )
        )
    return records


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)
