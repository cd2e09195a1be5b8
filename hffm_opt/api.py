"""The functions of the top level: the stages of the pipeline, one call each.

Heavy libraries load inside the call that needs them: planning never imports torch, evaluating never a solver.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.errors import HffmError, InputError
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Objective, Outcome, relative_gap
from hffm_opt.plan.referee import Evaluation, evaluate_plan
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import read_text, validate

if TYPE_CHECKING:
    from hffm_opt.solvers.request import Request

Progress = Callable[[str], None]
ScenarioLike = Scenario | str | Path


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


@dataclass(frozen=True)
class Comparison:
    """All methods on one scenario under one objective, with the proven bound that they are held against."""

    scenario: str
    objective_name: Objective
    bound: float | None
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]


def _problem(scenario: ScenarioLike) -> Problem:
    return build_problem(scenario if isinstance(scenario, Scenario) else load_scenario(scenario))


def _request(
    problem: Problem,
    objective: Objective,
    latency_weight: float | None,
    energy_weight: float | None,
    max_latency: float | None,
    max_energy: float | None,
    max_drift: float | None,
    circulation: str | None,
    gap: float | None,
    time_limit: float | None,
    seed: int,
) -> Request:
    from hffm_opt.solvers.registry import circulation_named
    from hffm_opt.solvers.request import default_request

    numbers = {
        "--latency-weight": latency_weight,
        "--energy-weight": energy_weight,
        "--max-latency": max_latency,
        "--max-energy": max_energy,
        "--max-drift": max_drift,
        "--gap": gap,
        "--time-limit": time_limit,
    }
    for name, value in numbers.items():
        if value is not None and (math.isnan(value) or value < 0):
            raise InputError.one(name, f"{value} is not a number of at least 0", "give a number >= 0")
    if objective not in ("weighted", "latency", "energy"):
        raise InputError.one("--objective", f"'{objective}' is not known", "use weighted, latency or energy")
    request = default_request(
        problem.scenario.planning,
        objective=objective,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        max_latency_s=max_latency,
        max_energy_j=max_energy,
        max_drift=max_drift,
        circulation=circulation_named(problem, circulation) if circulation else None,
        gap=gap,
        time_limit_s=time_limit,
        seed=seed,
    )
    if sum(request.weights()[:2]) == 0:
        raise InputError.one("--latency-weight / --energy-weight", "both are 0", "give one a positive value")
    return request


def plan(
    scenario: ScenarioLike,
    *,
    method: str = "optimal",
    objective: Objective = "weighted",
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    max_latency: float | None = None,
    max_energy: float | None = None,
    max_drift: float | None = None,
    circulation: str | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Plan a scenario and return the plan with its certificate.

    Args:
        scenario: a scenario, a built-in name or a path.
        method: a baseline's name or ``optimal``.
        objective: ``weighted`` (weights per round, the scenario's where not given), ``latency`` or ``energy``.
        latency_weight: weight per second of latency per round.
        energy_weight: weight per joule of energy per round.
        max_latency: limit on the latency per round in s.
        max_energy: limit on the energy per round in J.
        max_drift: limit on the learning penalty Phi in place of the scenario's (``math.inf`` lifts it).
        circulation: a baseline's name, to hold its circulation fixed.
        gap: relative gap at which the search may stop.
        time_limit: wall-clock limit in s.
        seed: for the methods that draw.
        progress: told what a long search is doing.

    Raises:
        InputError: bad scenario or argument.
        InfeasibleError: no plan keeps the limits; says which binds and what would be feasible.
        LimitReachedError: the time limit came before any plan.

    Example:
        >>> outcome = plan("tiny", objective="energy")
        >>> outcome.status, outcome.gap <= 1e-4
        ('optimal', True)
    """
    from hffm_opt.solvers.registry import solve

    problem = _problem(scenario)
    request = _request(
        problem,
        objective,
        latency_weight,
        energy_weight,
        max_latency,
        max_energy,
        max_drift,
        circulation,
        gap,
        time_limit,
        seed,
    )
    return solve(problem, method, request, progress)


def evaluate(scenario: ScenarioLike, plan: Plan | str | Path) -> Evaluation:
    """Let the referee judge a plan.

    Args:
        scenario: a scenario, a built-in name or a path.
        plan: a plan or the path of its file (what ``hffm plan -o`` wrote, or the plan alone).

    Raises:
        InputError: the plan is malformed or made for another scenario.

    Example:
        >>> evaluate("tiny", globals()["plan"]("tiny", method="star").plan).feasible
        True
    """
    return evaluate_plan(_problem(scenario), plan if isinstance(plan, Plan) else load_plan(plan))


def load_plan(path: str | Path) -> Plan:
    """Read a plan from a JSON file: a plan alone, or an outcome that holds one under ``plan``.

    Raises:
        InputError: missing file, broken JSON, or a plan with faults; all faults at once.
    """
    text = read_text(Path(path), "plan")
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"{path}, line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else path
        raise InputError.one(str(where), f"not valid JSON: {error}", "give a plan file as 'hffm plan -o' writes it") from None
    if isinstance(data, dict) and isinstance(data.get("plan"), dict):
        data = data["plan"]
    return validate(data, Plan, "plan")


def compare(
    scenario: ScenarioLike,
    methods: Sequence[str] | None = None,
    *,
    objective: Objective = "weighted",
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    max_drift: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Run methods on one scenario and hold each against the best proven bound.

    Args:
        scenario: a scenario, a built-in name or a path.
        methods: names; all where not given.
        objective, latency_weight, energy_weight, max_drift, gap, time_limit, seed, progress: as :func:`plan`.

    Returns:
        One row per method; a method that cannot plan this scenario has a row that says why.

    Raises:
        InputError: bad scenario, argument or method name.

    Example:
        >>> rows = compare("tiny", ["star", "optimal"]).rows
        >>> rows[1].objective <= rows[0].objective
        True
    """
    from hffm_opt.solvers.registry import METHODS, method_named, solve

    problem = _problem(scenario)
    names = list(METHODS) if methods is None else list(methods)
    for name in names:
        method_named(name)
    request = _request(
        problem,
        objective,
        latency_weight,
        energy_weight,
        None,
        None,
        max_drift,
        None,
        gap,
        time_limit,
        seed,
    )
    found: dict[str, Outcome | HffmError] = {}
    for name in names:
        if progress is not None:
            progress(name)
        try:
            found[name] = solve(problem, name, request)
        except HffmError as error:
            found[name] = error
    outcomes = tuple(item for item in found.values() if isinstance(item, Outcome))
    bound = max((o.bound for o in outcomes if o.bound is not None), default=None)
    rows = tuple(_row(problem, request, name, item, bound) for name, item in found.items())
    return Comparison(problem.scenario.name, objective, bound, rows, outcomes)


def _row(problem: Problem, request: Request, name: str, item: Outcome | HffmError, bound: float | None) -> Row:
    if isinstance(item, HffmError):
        return Row(name, False, None, None, None, None, None, 0.0, item.findings[0].message)
    gap = None if item.objective is None or bound is None else relative_gap(item.objective, bound)
    reason = None
    if not item.feasible:
        limit = problem.scenario.planning.drift_max if request.max_drift is None else request.max_drift
        verdict = evaluate_plan(problem, item.plan, math.inf if limit is None else limit)
        reason = verdict.violations[0].message if verdict.violations else "a limit of the request"
    return Row(
        name, item.feasible, item.latency_s, item.energy_j, item.drift, item.objective, gap, item.seconds, reason
    )
