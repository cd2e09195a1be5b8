"""Methods side by side on one scenario, each held against the best proven bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from hffm_opt.errors import HffmError, InputError
from hffm_opt.plan.files import PlanLike, plan_of
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Objective, Outcome, relative_gap
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.steps import nested

if TYPE_CHECKING:
    from hffm_opt.solvers.request import Request

Own: TypeAlias = "PlanLike | Callable[[Problem, Request], Plan]"
"""A method of the caller's: a plan at hand, or a function that plans a problem as it is asked for."""


@dataclass(frozen=True)
class Spread:
    """Median and range of a figure over draws."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Draws:
    """Figures per round of a method that draws, over ``count`` consecutive seeds."""

    count: int
    latency_s: Spread
    energy_j: Spread


@dataclass(frozen=True)
class Row:
    """One method of a comparison. ``objective`` is null where the plan breaks a limit (``reason`` says which)."""

    method: str
    feasible: bool
    latency_s: float | None
    energy_j: float | None
    drift: float | None
    objective: float | None
    gap_to_bound: float | None
    seconds: float
    reason: str | None = None
    draws: Draws | None = None
    rounds_to_target: float | None = None


@dataclass(frozen=True)
class Comparison:
    """All methods on one scenario under one objective, with the proven bound that they are held against.

    ``target`` is the accuracy that the objective aims at, if it does.
    """

    scenario: str
    objective_name: Objective
    bound: float | None
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]
    target: float | None = None


def compare_methods(
    problem: Problem,
    names: Sequence[str],
    request: Request,
    draws: int | Mapping[str, int] = 0,
    progress: Callable[[str], None] | None = None,
    own: Mapping[str, Own] | None = None,
) -> Comparison:
    """Run methods under one request; a method that cannot plan the problem has a row that says why.

    Args:
        problem: the compiled scenario.
        names: names of known methods; one that stands twice runs once.
        request: objective, limits, stopping rule, seed.
        draws: how many seeds to try with the methods that draw at random, from the request's seed on; for all of them
            or by name.
        progress: told which method runs.
        own: the caller's methods by name; they come after the known ones.

    Raises:
        InputError: a method is unknown, or one of the caller's has the name of a known one.
    """
    from hffm_opt.solvers.registry import METHODS, method_named, solve

    names, own = tuple(dict.fromkeys(names)), own or {}
    for name in names:
        method_named(name)
    for name in own:
        if name in METHODS or name in names:
            raise InputError.one(f"own['{name}']", "a method of the package has this name", "give it another")
    runs = {name: partial(solve, problem, name, request) for name in names}
    runs |= {name: partial(_own, problem, request, name, method) for name, method in own.items()}
    rows: list[Row] = []
    outcomes: list[Outcome] = []
    for done, name in enumerate(runs):

        def tell(text: str, name: str = name, done: int = done) -> None:
            if progress is not None:
                progress(nested(name, text, done=done, total=len(runs)))

        tell("")
        started = time.perf_counter()
        try:
            outcome = runs[name](tell)
        except HffmError as error:
            seconds = time.perf_counter() - started
            rows.append(Row(name, False, None, None, None, None, None, seconds, error.findings[0].message))
            continue
        outcomes.append(outcome)
        drawn = None
        count = draws if isinstance(draws, int) else draws.get(name, 0)
        if count and name in names and method_named(name).drawn:
            tell(f"{count} draws")
            drawn = _draws(problem, name, request, count)
        rows.append(_row(problem, request, outcome, drawn))
    bound = max((o.bound for o in outcomes if o.bound is not None), default=None)
    return Comparison(
        scenario=problem.scenario.name,
        objective_name=request.objective,
        bound=bound,
        rows=tuple(_against(row, bound) for row in rows),
        outcomes=tuple(outcomes),
        target=request.target if request.aims_at_accuracy else None,
    )


def _own(problem: Problem, request: Request, name: str, method: Own, _: Callable[[str], None]) -> Outcome:
    from hffm_opt.solvers.registry import judged

    started = time.perf_counter()
    if isinstance(method, Plan | Outcome | str | Path):
        plan = plan_of(method)
    else:
        plan = _checked(name, method(problem, request))
    return judged(problem, request, name, plan, time.perf_counter() - started)


def _checked(name: str, made: object) -> Plan:
    if not isinstance(made, Plan):
        what = f"it returned a {type(made).__name__}, no plan"
        raise InputError.one(f"own['{name}']", what, "return a hffm_opt.plan.model.Plan")
    return made


def _row(problem: Problem, request: Request, outcome: Outcome, draws: Draws | None) -> Row:
    return Row(
        method=outcome.method,
        feasible=outcome.feasible,
        latency_s=outcome.latency_s,
        energy_j=outcome.energy_j,
        drift=outcome.drift,
        objective=outcome.objective,
        gap_to_bound=None,
        seconds=outcome.seconds,
        reason=None if outcome.feasible else _broken_limit(problem, request, outcome),
        draws=draws,
        rounds_to_target=outcome.rounds_to_target,
    )


def _broken_limit(problem: Problem, request: Request, outcome: Outcome) -> str:
    verdict = evaluate_plan(problem, outcome.plan, request.max_drift)
    missed = request.out_of_reach(verdict.drift)
    broken = (*verdict.violations, *([missed] if missed is not None else []))
    return broken[0].message if broken else "it breaks a limit of the request"


def _against(row: Row, bound: float | None) -> Row:
    if bound is None or row.objective is None:
        return row
    return replace(row, gap_to_bound=relative_gap(row.objective, bound))


def _draws(problem: Problem, name: str, request: Request, count: int) -> Draws:
    from hffm_opt.solvers.registry import solve

    found = [solve(problem, name, replace(request, seed=request.seed + i)) for i in range(count)]
    return Draws(count, Spread.of([o.latency_s for o in found]), Spread.of([o.energy_j for o in found]))
