"""How long the optimal planner takes to prove a joint plan: `paper`, `paper-si` and networks from files.

A case is planned once per seed. Where fading is drawn, the seed draws it (the first is the scenario's own); where the
scenario leaves nothing to draw, the repetitions tell how steady the time is. Times are medians over the seeds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.errors import HffmError
from hffm_opt.problem.build import associate
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.steps import Step

PATIENCE = 3.0
"""How many times the target's seconds a run may take before its time limit ends it."""


@dataclass(frozen=True)
class Case:
    """A scenario to plan to a relative gap within so many seconds."""

    scenario: str
    gap: float
    seconds: float


CASES = (Case("paper", 1e-4, 5.0), Case("paper-si", 1e-2, 20.0))
QUICK = (Case("tiny", 1e-4, 60.0),)
FROM_FILE_GAP, FROM_FILE_S = 1e-2, 120.0


def run(setting: Setting, tell: Progress) -> Findings:
    """Plan every case once per seed."""
    cases = (QUICK if setting.quick else CASES) + tuple(
        Case(path, FROM_FILE_GAP, FROM_FILE_S) for path in setting.scenarios
    )
    rows: list[Row] = []
    table: list[Row] = []
    targets: list[Target] = []
    for place, case in enumerate(cases):
        found: list[Row] = []
        for seed, scenario in _draws(load_scenario(case.scenario), setting.seeds):
            done = place * len(setting.seeds) + len(found)
            tell(Step(f"{scenario.name}, seed {seed}", done=done, total=len(cases) * len(setting.seeds)))
            found.append(_row(case, scenario, seed))
            if not _reached(case, found[-1]) and found[-1]["seconds"] >= PATIENCE * case.seconds:
                break
        rows += found
        table.append(_summary(case, found))
        targets.append(_target(case, found))
    return Findings(
        rows=tuple(rows),
        stopping_rule=(
            f"a run stops at the gap asked for, or after {PATIENCE:g} times the target's seconds; "
            "a case that ran so long in vain is not repeated"
        ),
        targets=tuple(targets),
        remarks=(*_refusals(rows), *_remarks(setting)),
        table=tuple(table),
    )


def _draws(scenario: Scenario, seeds: tuple[int, ...]) -> Iterator[tuple[int, Scenario]]:
    drawn = scenario.physics.fading != "none"
    for seed in seeds:
        yield seed, scenario.model_copy(update={"seed": scenario.seed + seed}) if drawn else scenario


def _row(case: Case, scenario: Scenario, seed: int) -> Row:
    row: Row = {
        "scenario": scenario.name,
        "seed": seed,
        "devices": len(scenario.devices),
        "cells": len(set(associate(scenario).values())),
        "gap_asked": case.gap,
    }
    began = time.perf_counter()
    try:
        outcome = api.plan(scenario, gap=case.gap, time_limit=PATIENCE * case.seconds)
    except HffmError as error:
        return row | {"status": "no plan", "seconds": time.perf_counter() - began, "why": str(error.findings[0])}
    return row | {
        "status": outcome.status,
        "seconds": time.perf_counter() - began,
        "objective": outcome.objective,
        "bound": outcome.bound,
        "gap": outcome.gap,
        "latency_s": outcome.latency_s,
        "energy_j": outcome.energy_j,
        "why": outcome.stop_reason,
        "optimised": ", ".join(outcome.optimised),
        "fixed": ", ".join(outcome.fixed),
    }


def _summary(case: Case, rows: list[Row]) -> Row:
    seconds = [row["seconds"] for row in rows]
    gaps = [row["gap"] for row in rows if row.get("gap") is not None]
    first = rows[0]
    return {
        "scenario": first["scenario"],
        "devices": first["devices"],
        "cells": first["cells"],
        "runs": len(rows),
        "proven": sum(_reached(case, row) for row in rows),
        "objective": first.get("objective"),
        "bound": first.get("bound"),
        "largest gap": max(gaps, default=None),
        "median s": median(seconds),
        "least s": min(seconds),
        "most s": max(seconds),
        "fixed": first.get("fixed", "no plan"),
    }


def _reached(case: Case, row: Row) -> bool:
    return row.get("gap") is not None and bool(row["gap"] <= case.gap)


def _target(case: Case, rows: list[Row]) -> Target:
    """A run that was not proven misses the target, however soon it ended."""
    name = rows[0]["scenario"]
    seconds = median(row["seconds"] for row in rows)
    proven = all(_reached(case, row) for row in rows)
    what = f"{name} to a gap of {case.gap:g}, median seconds"
    if not proven:
        what += f" (only {_summary(case, rows)['proven']} of {len(rows)} runs reached the gap)"
    return Target(what, f"{case.seconds:g} s, every run proven", seconds, proven and seconds <= case.seconds)


def _refusals(rows: list[Row]) -> tuple[str, ...]:
    """Say once per network why no plan was made."""
    return tuple({row["scenario"]: f"{row['scenario']}: {row['why']}" for row in rows if "gap" not in row}.values())


def _remarks(setting: Setting) -> tuple[str, ...]:
    if setting.scenarios:
        return ()
    return ("Real networks were skipped: none was given (--scenario FILE, made by 'hffm import eua').",)
