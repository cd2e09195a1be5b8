"""A whole run: data, backbone, rounds of training and averaging as planned, and evaluation in stated phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch

from hffm_opt.errors import Finding, InputError
from hffm_opt.learning.aggregation import sample_weights
from hffm_opt.learning.baselines.centralised import DataOf
from hffm_opt.learning.baselines.fedlama import FedLama
from hffm_opt.learning.baselines.realign import check_rounds
from hffm_opt.learning.checkpoint import Checkpoints
from hffm_opt.learning.continued import Continued
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.engines import Engines
from hffm_opt.learning.execution import HOST, Execution
from hffm_opt.learning.local import GROUP_SIZES
from hffm_opt.learning.one_round import Conduct, run_round
from hffm_opt.learning.prepare import Prepared, Room, algorithm_of, prepare
from hffm_opt.learning.progressed import Progressed
from hffm_opt.learning.weights import write_weights
from hffm_opt.plan.circulation import kind_of_round
from hffm_opt.plan.fetching import Fetching
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.changes import Changes
from hffm_opt.serial import dump_json
from hffm_opt.trace.course import Course
from hffm_opt.trace.metrics import Follower
from hffm_opt.trace.model import (
    AccuracyRecord,
    RoundRecord,
    RunHeader,
    Trace,
)

Progress = Callable[[RoundRecord, tuple[AccuracyRecord, ...]], None]


def train_plan(
    problem: Problem,
    plan: Plan,
    rounds: int,
    seed: int,
    *,
    evaluate_every: int | None = None,
    after_only: bool = False,
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
    course: Course | None = None,
    continued: Continued | None = None,
    fetching: Fetching | None = None,
    begin: Callable[[], None] | None = None,
    followers: Sequence[Follower] = (),
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
        after_only: measure accuracy just before averages only in rounds that have none, which takes a fraction of the
            time.
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
        course: what happens to the network, and the plans that take over; None: nothing does.
        continued: what is taken over from a run before, and where to leave what a run after takes over.
        fetching: which experts devices fetch every few rounds; from then on they are tested with these copies too.
        begin: called once nothing but the checkpoint is left to refuse the run, before anything is written.
        followers: told of the rounds that a resumed run has behind it, and of each further one before ``progress`` is.

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
    with execution.repeatable():
        room = Room(execution, group_size, threads, max_memory_bytes, tell)
        link = continued or Continued()
        data_of = pooled or link.data_of or federated_data
        run = prepare(problem, plan, rounds, seed, room, ways, data_of, link.phase, fetching)
        if course is not None:
            run = replace(run, header=run.header.model_copy(update={"goal": course.goal}))
        engines = Engines(problem, run.engine.modules, course)
        if begin is not None:
            begin()
        now, kept = Progressed(link.start or run.start, run.engine.start_s), None
        if directory is not None:
            whole = _identity(run.header, plan, evaluate_every, after_only, problem.scenario.changes)
            kept = Checkpoints(directory, whole)
            now = kept.read(now, run.realigner.state() if run.realigner else {}) if resume else now
        for follower in followers:
            follower.begin(run.header, now.rounds, now.accuracy)
        heard = [*(follower.add for follower in followers), *([] if progress is None else [progress])]
        cycle = fedlama.cycle if fedlama else 1 << run.engine.top
        evaluated = evaluation_rounds(cycle, rounds, evaluate_every)
        conduct = Conduct(evaluated, after_only, fedlama, course, link)
        _run_rounds(run, now, engines, conduct, heard, kept, checkpoint_every)
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
        looks=tuple(now.looks),
    )


def _identity(
    header: RunHeader, plan: Plan, evaluate_every: int | None, after_only: bool, changes: Changes | None
) -> dict[str, object]:
    """Return everything that the bits of a run depend on; how much memory it takes is not of it."""
    return header.model_dump(mode="json", exclude={"execution": {"memory_bytes"}}) | {
        "plan": sha256(dump_json(plan).encode()).hexdigest(),
        "evaluate_every": evaluate_every,
        "after_only": after_only,
        "changes": None if changes is None else changes.model_dump(mode="json"),
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
    engines: Engines,
    conduct: Conduct,
    heard: Sequence[Progress],
    kept: Checkpoints | None,
    checkpoint_every: int,
) -> None:
    """Run the rounds that are left; nothing of a round is kept before the round is complete."""
    if run.realigner is not None and now.further:
        run.realigner.load(now.further)
    try:
        for number in range(now.number + 1, run.header.rounds + 1):
            plan = now.revisions[-1].plan if now.revisions else run.engine.plan
            run_round(run, now, number, engines.at(number, plan), plan, conduct)
            if kept is not None and number % checkpoint_every == 0:
                kept.write(now)
            found = tuple(record for record in now.accuracy if record.round == number)
            for hear in heard:
                hear(now.rounds[-1], found)
    except KeyboardInterrupt:
        now.settle()
        if not now.number:
            raise
    if kept is not None:
        kept.write(now)
