"""Claims held against random networks: no bound above its plan, no heuristic below a bound, no accepted plan at fault.

Each seed draws one network on which every method runs, and ten more on which some of the rules do; every plan that the
referee accepts is checked a second time by :mod:`.by_hand`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from hffm_opt.bench.by_hand import worst_excess
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.errors import HffmError
from hffm_opt.plan.outcome import Outcome
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.solvers.registry import METHODS, solve
from hffm_opt.solvers.request import Request, default_request
from hffm_opt.steps import pieces

GAP, TIME_LIMIT_S = 1e-3, 60.0
TOLERANCE = 1e-6
MORE = 10
"""Networks per seed on which only rules run."""
SEARCHES = ("greedy", "local-search", "optimal")
RULES = tuple(name for name in METHODS if name not in SEARCHES)
KINDS: tuple[dict[str, Any], ...] = (
    {"profile": "si", "allocation": "fixed"},
    {"profile": "reference", "allocation": "fixed"},
    {"profile": "si", "allocation": "fixed"},
    {"profile": "si", "allocation": "optimised"},
)
MENU = (1, 2, 4, 8)
"""Holds the periods of every baseline: a plan outside the menu could cost less than the bound over it."""


def run(setting: Setting, tell: Progress) -> Findings:
    """Draw the networks, and count what was held against what."""
    rows = []
    begin = pieces(tell, len(setting.seeds))
    for seed in setting.seeds:
        begin(f"seed {seed}")
        rows.append(_whole(seed, quick=setting.quick))
        rows += [_rules(seed, k) for k in range(1 if setting.quick else MORE)]
    bounds = [row for row in rows if row["bound"] is not None]
    return Findings(
        rows=tuple(rows),
        table=(_summary(rows, bounds),),
        stopping_rule=f"'optimal' stops at a gap of {GAP:g} or after {TIME_LIMIT_S:g} s",
        targets=(
            _none("bounds above their own plan", [r for r in bounds if r["bound"] > r["value"] * (1 + TOLERANCE)]),
            _none("heuristics below a bound", [r for r in bounds if r["least_rule"] < r["bound"] * (1 - TOLERANCE)]),
            _none("accepted plans over a limit by 1e-6", [r for r in rows if r["worst_excess"] > TOLERANCE]),
        ),
    )


def _none(what: str, found: Sequence[Row]) -> Target:
    return Target(what, "none", float(len(found)), not found)


def _network(seed: int, kind: int, quick: bool) -> Problem:
    size: dict[str, Any] = {"cells": 1, "devices": (1, 2), "modules": 1} if quick else {"periods": MENU}
    return build_problem(random_scenario(seed, **size, **KINDS[kind % len(KINDS)]))


def _plans(problem: Problem, names: Sequence[str], request: Request) -> Iterator[Outcome]:
    for name in names:
        try:
            yield solve(problem, name, request)
        except HffmError:
            # A method may refuse a network; it has no plan to hold against anything.
            continue


def _whole(seed: int, quick: bool) -> Row:
    problem = _network(seed, seed, quick)
    request = default_request(problem.scenario, gap=GAP, time_limit_s=TIME_LIMIT_S, seed=seed)
    names = (*RULES[:3], "optimal") if quick else (*RULES, *SEARCHES)
    return _row(seed, problem, list(_plans(problem, names, request)))


def _rules(seed: int, k: int) -> Row:
    number = 1_000_000 + seed * MORE + k
    problem = _network(number, number, quick=False)
    request = default_request(problem.scenario, seed=number)
    names = list(islice((name for i, name in enumerate(RULES) if i % MORE == k), 3))
    return _row(number, problem, list(_plans(problem, names, request)))


def _row(seed: int, problem: Problem, outcomes: Sequence[Outcome]) -> Row:
    accepted = [o for o in outcomes if o.feasible]
    best = next((o for o in accepted if o.method == "optimal"), None)
    values = [o.objective for o in accepted if o.method != "optimal" and o.objective is not None]
    return {
        "seed": seed,
        "allocation": problem.scenario.physics.allocation,
        "devices": len(problem.scenario.devices),
        "plans": len(outcomes),
        "accepted": len(accepted),
        "value": None if best is None else best.objective,
        "bound": None if best is None else best.bound,
        "least_rule": min(values, default=float("inf")) if best is not None else None,
        "worst_excess": max((worst_excess(problem.scenario, o.plan) for o in accepted), default=-1.0),
    }


def _summary(rows: Sequence[Row], bounds: Sequence[Row]) -> Row:
    gaps = sorted((r["value"] - r["bound"]) / max(abs(r["value"]), 1e-300) for r in bounds)
    return {
        "networks": len(rows),
        "proven": len(bounds),
        "plans": sum(r["plans"] for r in rows),
        "accepted": sum(r["accepted"] for r in rows),
        "median_gap": gaps[len(gaps) // 2] if gaps else 0.0,
        "largest_gap": gaps[-1] if gaps else 0.0,
        "worst_excess": max(r["worst_excess"] for r in rows),
    }
