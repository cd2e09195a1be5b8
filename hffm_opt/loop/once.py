"""The pipeline from a problem to a run: plan, train, measure, keep. Planner and executor come in as callables."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from hffm_opt.errors import InputError
from hffm_opt.measurement import measure
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.placement import PlacementPlan
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem.model import Problem
from hffm_opt.report.run import FILES, MEASUREMENT, OUTCOME, PLAN, SCENARIO, Run, read_run
from hffm_opt.serial import (
    check_writable,
    differences,
    dump_json,
    dump_yaml,
    read_model,
    write_text,
)
from hffm_opt.trace import Trace, write_trace
from hffm_opt.trace.files import BOARD, CHECKPOINT, LEDGER, PLACEMENT, WEIGHTS
from hffm_opt.trace.metrics import METRICS, METRICS_TABLE, TRACE
from hffm_opt.trace.model import Algorithm
from hffm_opt.trace.walks import WALK, WALK_TRACE

Planner = Callable[[Problem], Outcome]


class Executor(Protocol):
    """Trains a plan, and calls ``begin`` when nothing is left that could refuse the run."""

    def __call__(self, problem: Problem, plan: Plan, *, begin: Callable[[], None] | None) -> Trace:
        """Return the trace of the training."""
        ...


SAME_FIGURES = 1e-6


def run_once(
    problem: Problem,
    planner: Planner,
    executor: Executor,
    directory: Path | None = None,
    resume: bool = False,
    placement: PlacementPlan | None = None,
) -> Run:
    """Plan, train as planned, and measure.

    The plan is kept before training begins, so that a run that is stopped can be resumed without planning again. A run
    that is refused leaves its directory as it was, and with it a run that it would have overwritten.

    Args:
        problem: the compiled scenario.
        planner: makes the plan.
        executor: trains it.
        directory: where the run is kept, as :func:`claim_directory` returned it; None keeps it in memory.
        resume: the directory holds a plan already, which the planner returns; the executor goes on from there.
        placement: that of the experts which the problem's devices train, kept beside the plan.

    Raises:
        InputError: the plan breaks a physical limit, or the executor refuses the run.
    """
    outcome = planner(problem)
    problem = problem_for(problem, outcome.plan)
    refuse_impossible(problem, outcome.plan)
    begin = None if directory is None or resume else partial(begin_run, problem, outcome, directory, placement)
    trace = executor(problem, outcome.plan, begin=begin)
    run = Run(
        name=outcome.plan.method if directory is None else directory.resolve().name,
        problem=problem,
        plan=outcome.plan,
        outcome=outcome,
        trace=trace,
        measurement=measure(problem, outcome.plan, trace),
        evaluation=evaluate_plan(problem, outcome.plan),
    )
    if directory is not None:
        save_run(run, directory)
    return run


def refuse_impossible(problem: Problem, plan: Plan) -> None:
    """Refuse to run a plan that breaks a physical limit; rare averages are allowed, they only cost accuracy.

    Raises:
        InputError: with every broken limit.
    """
    violations = evaluate_plan(problem, plan, math.inf).violations
    if violations:
        raise InputError(violations)


def adopt_plan(problem: Problem, plan: Plan) -> Outcome:
    """Return the outcome of a plan that was made elsewhere: judged by the referee, nothing proven.

    Raises:
        InputError: the plan breaks a physical limit.
    """
    refuse_impossible(problem, plan)
    verdict = evaluate_plan(problem, plan)
    weights = problem.scenario.planning
    value = weights.latency_weight * verdict.latency_s + weights.energy_weight * verdict.energy_j
    return Outcome(
        method=plan.method,
        objective_name="weighted",
        weights=(weights.latency_weight, weights.energy_weight, weights.drift_weight),
        status="feasible" if verdict.feasible else "infeasible",
        stop_reason="the plan was given: no proof sought",
        objective=value + weights.drift_weight * verdict.drift if verdict.feasible else None,
        bound=None,
        gap=None,
        seconds=0.0,
        feasible=verdict.feasible,
        latency_s=verdict.latency_s,
        energy_j=verdict.energy_j,
        drift=verdict.drift,
        optimised=(),
        fixed=("circulation", "association", "heads", "trees", "uplinks", "allocation"),
        planning_fingerprint=problem.scenario.planning_fingerprint(),
        plan=plan,
    )


def adopt_outcome(problem: Problem, outcome: Outcome) -> Outcome:
    """Return an outcome that was made elsewhere.

    Its certificate stays if the referee finds the figures it tells and the scenario asks of a plan what it asked then.
    """
    refuse_impossible(problem, outcome.plan)
    verdict = evaluate_plan(problem, outcome.plan, math.inf)
    told = (outcome.latency_s, outcome.energy_j, outcome.drift)
    found = (verdict.latency_s, verdict.energy_j, verdict.drift)
    asked_the_same = outcome.planning_fingerprint == problem.scenario.planning_fingerprint()
    if asked_the_same and all(math.isclose(a, b, rel_tol=SAME_FIGURES) for a, b in zip(told, found, strict=True)):
        return outcome
    return adopt_plan(problem, outcome.plan)


def claim_directory(directory: Path, overwrite: bool) -> Path:
    """Return the directory if a run may be kept there.

    Raises:
        InputError: it is a file, holds a run and ``overwrite`` is false, holds other files, or cannot be written to.
    """
    if directory.exists() and not directory.is_dir():
        raise InputError.one(str(directory), "this is a file, a run needs a directory", "give another path")
    holds_run = any((directory / name).exists() for name in (*FILES, WALK, WALK_TRACE))
    if holds_run and not overwrite:
        stopped = (directory / OUTCOME).is_file() and not (directory / MEASUREMENT).is_file()
        stopped = stopped or (directory / CHECKPOINT).is_dir()
        message = f"this directory holds a run{' that was stopped' if stopped else ''} already"
        other = "go on with it: --resume, or " if stopped else ""
        raise InputError.one(str(directory), message, f"give another path, or {other}overwrite it: --overwrite")
    others = [] if holds_run or not directory.exists() else sorted(entry.name for entry in directory.iterdir())
    if others:
        named = ", ".join([*others[:3], *(["..."] if len(others) > 3 else [])])
        raise InputError.one(
            str(directory),
            f"this directory holds other files ({named}) and no run",
            "give the path of a new or an empty directory",
        )
    check_writable(directory / SCENARIO)
    return directory


def resumed_directory(directory: Path | None, overwrite: bool) -> Path:
    """Return the directory of a run to resume.

    Raises:
        InputError: none is given, or it is to be overwritten, too.
    """
    if directory is None or overwrite:
        message = "both are given" if overwrite else "there is no directory to resume from"
        raise InputError.one("--resume / --overwrite" if overwrite else "--resume", message, "give -o RUN --resume")
    return directory


def clear_run(directory: Path) -> None:
    """Remove what a run of any kind left in a directory."""
    for name in (*FILES, METRICS_TABLE, WALK, WALK_TRACE, PLACEMENT):
        (directory / name).unlink(missing_ok=True)
    for name in (CHECKPOINT, f".{CHECKPOINT}.spent", WEIGHTS, BOARD):
        shutil.rmtree(directory / name, ignore_errors=True)


def begin_run(problem: Problem, outcome: Outcome, directory: Path, placement: PlacementPlan | None = None) -> None:
    """Write what a run is to do, in place of what the directory holds."""
    clear_run(directory)
    write_text(directory / SCENARIO, dump_yaml(problem.scenario))
    write_text(directory / PLAN, dump_json(outcome.plan))
    if placement is not None:
        write_text(directory / PLACEMENT, dump_json(placement))
    # Last: a directory with an outcome can be resumed.
    write_text(directory / OUTCOME, dump_json(outcome))


def begun_method(directory: Path) -> str:
    """Return the method of the plan with which the run in a directory was begun.

    Raises:
        InputError: there is no run to resume.
    """
    return _begun(directory).plan.method


def begun_outcome(problem: Problem, directory: Path) -> Outcome:
    """Return the outcome with which the run in a directory was begun.

    Raises:
        InputError: there is no run to resume, or it is of another scenario.
    """
    outcome = _begun(directory)
    if outcome.plan.scenario.fingerprint != problem.fingerprint:
        there, asked = outcome.plan.scenario, problem.scenario
        message = f"the run there is of '{there.name}' ({there.fingerprint[:12]})"
        repair = f"give that scenario in place of '{asked.name}' ({problem.fingerprint[:12]}), or another directory"
        raise InputError.one(str(directory), message, repair)
    return outcome


def _begun(directory: Path) -> Outcome:
    path = directory / OUTCOME
    if not path.is_file():
        repair = "leave --resume out, or give another directory"
        raise InputError.one(str(directory), "there is no run to resume", repair)
    return read_model(path, Outcome, "outcome")


def finished_run(directory: Path, rounds: int, seed: int, precision: str, algorithm: Algorithm) -> Run | None:
    """Return the run in a directory if all of its rounds were run, else None: something is left to resume.

    Raises:
        InputError: it is complete, but with other rounds, seed, precision or algorithm: one finding that names all that
            differs.
    """
    if (directory / CHECKPOINT).exists() or not all((directory / name).is_file() for name in FILES):
        return None
    run = read_run(directory)
    header = run.trace.header
    if not run.trace.complete:
        return None
    # A header without execution is of a run that was made elsewhere: its precision cannot be held against it.
    computed = header.execution.precision if header.execution is not None else precision
    asked = {"rounds": rounds, "seed": seed, "precision": precision, **algorithm.model_dump(mode="json")}
    there = {"rounds": header.rounds, "seed": header.seed, "precision": computed}
    other = differences({**there, **header.algorithm.model_dump(mode="json")}, asked)
    if other:
        message = f"the run there is complete, and differs in {', '.join(other)}"
        raise InputError.one(str(directory), message, "give what it was run with, or another directory")
    return run


def save_run(run: Run, directory: Path) -> None:
    """Write the rest of a run directory, from which ``hffm report`` needs nothing else.

    A checkpoint is kept as long as rounds are left to run.
    """
    for name in (TRACE, METRICS, METRICS_TABLE, LEDGER, MEASUREMENT):
        (directory / name).unlink(missing_ok=True)
    write_trace(run.trace, directory)
    write_text(directory / MEASUREMENT, dump_json(run.measurement))
    if run.trace.complete and (directory / CHECKPOINT).exists():
        # Moved away first: half a checkpoint must not be taken for the beginning of a run.
        spent = directory / f".{CHECKPOINT}.spent"
        (directory / CHECKPOINT).rename(spent)
        shutil.rmtree(spent)
