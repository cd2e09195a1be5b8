"""Random walks on the command line: ``hffm plan --for walks`` and ``hffm train --walk``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.cli import screen
from hffm_opt.cli.fronts import refuse
from hffm_opt.cli.planning_for import Asked
from hffm_opt.steps import Step

if TYPE_CHECKING:
    from hffm_opt.trace.walks import WalkPoint, WalkRecord

ROUNDS = 100
"""Rounds over which a plan's costs are predicted."""


def plan_walks(asked: Asked) -> int:
    """Plan how modules walk, show and keep the plan; return the exit code."""
    from hffm_opt import walked
    from hffm_opt.asked import check_seed, problem_of
    from hffm_opt.cli.views import walks as view
    from hffm_opt.plan.walks import walk_cost
    from hffm_opt.scenario.read import load_scenario
    from hffm_opt.serial import check_writable, dump_json, write_text

    idle = {
        "--objective": None if asked.objective == "weighted" else asked.objective,
        "--latency-weight": asked.latency_weight,
        "--energy-weight": asked.energy_weight,
        "--gap": asked.gap,
        "--time-limit": asked.time_limit,
        "--exits": asked.exits,
    }
    refuse(idle, "these belong to other plans, not to --for walks")
    check_seed(asked.seed)
    given = load_scenario(asked.scenario)
    if asked.out is not None:
        check_writable(asked.out, asked.scenario)
    with screen.waiting(f"Planning the walks of {given.name}"):
        # "optimal", the default of all plans, is the chain that mixes fastest.
        plan = walked.plan_walks(given, method=walked.METHOD if asked.method == "optimal" else asked.method)
        told = walk_cost(problem_of(given), plan, ROUNDS, asked.seed)
    if asked.out is not None:
        write_text(asked.out, dump_json(plan))
    if asked.json:
        screen.document(
            plan.model_dump(mode="json") | {"predicted": {"rounds": ROUNDS, "seed": asked.seed, **asdict(told)}}
        )
    else:
        screen.show(*view.walk_plan_view(plan, told, ROUNDS, asked.seed))
        if asked.out is not None:
            call = screen.command("train", asked.scenario, "--walk", asked.out, "--rounds", 16)
            screen.note(f"Written to {asked.out}. Next: {call}")
    return 0


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
