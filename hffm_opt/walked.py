"""Training by random walks as two calls: plan the chains, and let the real modules walk along them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.asked import ScenarioLike, check_seed, problem_of
from hffm_opt.cores import usable_cores
from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.walk_referee import check_walk
from hffm_opt.plan.walks import WalkPlan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.walks import Walks
from hffm_opt.serial import dump_json, dump_yaml, read_model, write_text
from hffm_opt.trace.walks import WALK, WalkPoint, WalkRecord, WalkTrace, write_walk_trace

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario

METHOD = "fastest-mixing"
WalkLike = WalkPlan | str | Path


def plan_walks(scenario: ScenarioLike, *, method: str = METHOD) -> WalkPlan:
    """Plan how modules walk over D2D links, by the scenario's section ``walks`` or its defaults.

    Args:
        scenario: a scenario, a built-in name or a path.
        method: the chain on every island of links: ``fastest-mixing``, ``minimal-kemeny`` or ``metropolis-hastings``.

    Raises:
        InputError: bad scenario or argument, or no two devices reach each other.

    Example:
        >>> [island.gap < 1e-6 for island in plan_walks("tiny").islands]
        [True, True]
    """
    from hffm_opt.solvers.walks import plan_walk

    problem = problem_of(scenario)
    section = problem.scenario.walks or Walks()
    return plan_walk(problem, method, walkers=section.walkers, late=section.late, loss=section.loss)


def load_walk(path: str | Path) -> WalkPlan:
    """Read the plan that ``hffm plan S --for walks -o`` wrote.

    Raises:
        InputError: missing file, broken JSON, another kind of file, or a plan with faults; all faults at once.
    """
    return read_model(Path(path), WalkPlan, "plan of walks")


def train_walks(
    scenario: ScenarioLike,
    *,
    rounds: int,
    walk: WalkLike = METHOD,
    seed: int = 0,
    evaluate_every: int = 1,
    out: str | Path | None = None,
    overwrite: bool = False,
    on_round: Callable[[WalkRecord, WalkPoint | None], None] | None = None,
) -> WalkTrace:
    """Train the real modules while they walk from device to device, without edge servers or cloud.

    Args:
        scenario: a scenario, a built-in name or a path.
        rounds: how many rounds to train.
        walk: the chain by which :func:`plan_walks` plans, a plan, or the path of one.
        seed: root of every random stream, that of the walk included.
        evaluate_every: rounds from one evaluation to the next; the last is always evaluated.
        out: directory to keep scenario, plan, trace, ledger and weights in; not kept if not given.
        overwrite: replace a run that the directory holds.
        on_round: called after each complete round with its record and, if it was evaluated, its accuracies.

    Returns:
        The trace. Interrupted by Ctrl-C, it has the complete rounds only.

    Raises:
        InputError: bad scenario, plan or argument, or a section of the scenario that walks know nothing of.
        KeyboardInterrupt: interrupted before any round was complete.

    Example:
        >>> trace = train_walks("tiny", rounds=1)
        >>> abs(trace.measured.energy_j - trace.predicted.energy_j) < 1e-9
        True
    """
    from hffm_opt import loop
    from hffm_opt.learning.walking_run import train_walk

    check_seed(seed)
    problem = problem_of(scenario)
    refuse_sections(problem.scenario)
    plan = walk_of(problem, walk)
    directory = None if out is None else loop.claim_directory(Path(out), overwrite)
    trace = train_walk(
        problem,
        plan,
        rounds,
        seed,
        evaluate_every=evaluate_every,
        threads=usable_cores(),
        directory=directory,
        begin=None if directory is None else partial(_begin, problem, plan, directory),
        on_round=on_round,
    ).trace
    if directory is not None:
        write_walk_trace(trace, directory)
    return trace


def refuse_sections(scenario: Scenario) -> None:
    """Raise :class:`InputError` where a scenario asks for what a training by walks does not do."""
    reasons = {
        "changes": "walks go on over the links as they are stated",
        "requests": "they change who trains what during the run",
        "specialise": "its experts are yet to be placed",
    }
    found = [
        Finding(name, f"{reason}: walks cannot be trained with it", "remove the section, or train without --walk")
        for name, reason in reasons.items()
        if getattr(scenario, name) is not None
    ]
    if found:
        raise InputError(found)


def walk_of(problem: Problem, walk: WalkLike) -> WalkPlan:
    """Return the plan that is given, read, or made by a method; checked against the network.

    Raises:
        InputError: it is faulty, for another scenario, or neither a method nor a file.

    Example:
        >>> walk_of(problem_of("tiny"), "minimal-kemeny").method
        'minimal-kemeny'
    """
    from hffm_opt.solvers.walks import CHAINS

    if isinstance(walk, str) and walk in CHAINS:
        return plan_walks(problem.scenario, method=walk)
    if not isinstance(walk, WalkPlan) and not Path(walk).exists():
        message = f"'{walk}' is neither a chain nor a file"
        repair = f"use one of: {', '.join(CHAINS)}, or a file of 'hffm plan S --for walks -o'"
        raise InputError.one("--walk", message, repair)
    plan = walk if isinstance(walk, WalkPlan) else load_walk(walk)
    check_walk(problem, plan)
    return plan


def _begin(problem: Problem, plan: WalkPlan, directory: Path) -> None:
    """Write what a run is to do, in place of what the directory holds."""
    from hffm_opt import loop
    from hffm_opt.report.run import SCENARIO

    loop.clear_run(directory)
    write_text(directory / SCENARIO, dump_yaml(problem.scenario))
    write_text(directory / WALK, dump_json(plan))
