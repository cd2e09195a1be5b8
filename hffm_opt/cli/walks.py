"""Random walks on the command line: ``hffm plan --for walks`` and ``hffm train --walk``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.cli import screen
from hffm_opt.cli.options import refuse
from hffm_opt.cli.planning_for import Asked, Made
from hffm_opt.steps import Step

if TYPE_CHECKING:
    from hffm_opt.trace.walks import WalkPoint, WalkRecord

ROUNDS = 100
"""Rounds over which a plan's costs are predicted."""


def plan_walks(asked: Asked, progress: Callable[[str], None]) -> Made:
    """Plan how modules walk over D2D links, and predict what that costs."""
    from hffm_opt import walked
    from hffm_opt.asked import check_seed, problem_of
    from hffm_opt.cli.views import walks as view
    from hffm_opt.plan.walks import walk_cost
    from hffm_opt.scenario.read import load_scenario

    check_seed(asked.seed)
    given = load_scenario(asked.scenario)
    progress("chains over D2D links")
    # "optimal", the default of all plans, is the chain that mixes fastest.
    plan = walked.plan_walks(given, method=walked.METHOD if asked.method == "optimal" else asked.method)
    told = walk_cost(problem_of(given), plan, ROUNDS, asked.seed)
    further = {"predicted": {"rounds": ROUNDS, "seed": asked.seed, **asdict(told)}}
    use = ("train", asked.scenario, "--walk", asked.out, "--rounds", 16)
    return Made(plan, view.walk_plan_view(plan, told, ROUNDS, asked.seed), use, further=further)


def train_by_walks(
    scenario: str,
    walk: str,
    *,
    rounds: int,
    evaluate_every: int | None,
    seed: int,
    out: Path | None,
    overwrite: bool,
    idle: Mapping[str, object],
    json: bool,
) -> int:
    """Train modules while they walk; return the exit code.

    Args:
        scenario: a built-in name or a path.
        walk: a chain, or the file of a plan.
        rounds, evaluate_every, seed, overwrite, json: as ``hffm train``; every round is evaluated by default.
        out: the directory of the run (default: runs/SCENARIO-walk-CHAIN-SEED).
        idle: options that only other runs have, by name; those given are refused.
    """
    from hffm_opt import loop, walked
    from hffm_opt.asked import problem_of
    from hffm_opt.cli.views import walks as view
    from hffm_opt.scenario.read import load_scenario

    refuse(idle, "a run by walks does not know this")
    given = load_scenario(scenario)
    walked.refuse_sections(given)
    plan = walked.walk_of(problem_of(given), walk)
    directory = out or Path("runs") / f"{given.name}-walk-{plan.method}-{seed}"
    loop.claim_directory(directory, overwrite)
    with screen.interrupts() as check, screen.line("Walking", total=rounds, unit="rounds") as show:

        def on_round(record: WalkRecord, point: WalkPoint | None) -> None:
            found = {} if point is None else point.accuracy
            words = ", ".join(f"{task} {value:.1%}" for task, value in found.items())
            show(Step(words or f"{len(record.trained)} devices trained", done=record.round, total=rounds))
            check()

        trace = walked.train_walks(
            given,
            walk=plan,
            rounds=rounds,
            seed=seed,
            evaluate_every=evaluate_every or 1,
            out=directory,
            overwrite=overwrite,
            on_round=on_round,
        )
    if json:
        screen.document(trace.summary() | {"run": str(directory)})
    else:
        kept = "" if trace.complete else " as far as it went; a run by walks cannot be resumed"
        call = screen.command("report", directory)
        screen.show(*view.walk_run_view(trace), f"Kept in {directory}{kept}. Next: {call}")
    return 0 if trace.complete else screen.INTERRUPTED
