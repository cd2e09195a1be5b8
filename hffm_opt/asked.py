"""What callers of the top level hand in, checked and compiled: scenarios, figures, requests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hffm_opt.errors import InputError
from hffm_opt.plan.accuracy import curve_of, highest_accuracy
from hffm_opt.plan.outcome import Objective
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.scenario.model import MOST_WEIGHT, Scenario
from hffm_opt.scenario.read import load_scenario

if TYPE_CHECKING:
    from hffm_opt.solvers.request import Request

ScenarioLike = Scenario | str | Path


def problem_of(scenario: ScenarioLike) -> Problem:
    """Return the compiled scenario; raise :class:`InputError` where it is none."""
    return build_problem(scenario if isinstance(scenario, Scenario) else load_scenario(scenario))


def check_numbers(numbers: dict[str, float | None]) -> None:
    """Raise :class:`InputError` where a number that was given under an option's name is negative, or no number."""
    for name, value in numbers.items():
        if value is not None and (math.isnan(value) or value < 0):
            raise InputError.one(name, f"{value} is not a number of at least 0", "give a number >= 0")
        if value is not None and name.endswith("-weight") and value > MOST_WEIGHT:
            raise InputError.one(name, f"{value:g} is too large a weight", f"give at most {MOST_WEIGHT:g}")


def check_seed(seed: int) -> None:
    """Raise :class:`InputError` where a seed is negative."""
    if seed < 0:
        raise InputError.one("--seed", f"{seed} is below 0", "give a whole number of at least 0")


def check_target(objective: str, target: float | None, curve: LearningCurve | None = None) -> None:
    """Raise :class:`InputError` where an objective lacks the accuracy that it aims at, or one is given for another."""
    aims = objective.endswith("-to-accuracy")
    if target is None and aims:
        what = f"'{objective}' needs the accuracy to reach"
        raise InputError.one("--target", what, "give one between 0 and 1, e.g. --target 0.35")
    if target is None and curve is None:
        return
    if not aims:
        place, what = ("curve", "a learning curve") if target is None else ("--target", "a target accuracy")
        repair = "leave it out, or use --objective time-to-accuracy or energy-to-accuracy"
        raise InputError.one(place, f"{what} is of no use to the objective '{objective}'", repair)
    if target is not None and not 0 < target < 1:
        raise InputError.one("--target", f"{target} is no accuracy between 0 and 1", "give a share, e.g. 0.35")


def check_weights(objective: str, latency_weight: float | None, energy_weight: float | None) -> None:
    """Refuse weights beside an objective that has none.

    Raises:
        InputError: a weight is given, and the objective is not ``weighted``.
    """
    weights = {"--latency-weight": latency_weight, "--energy-weight": energy_weight}
    given = [name for name, value in weights.items() if value is not None]
    if given and objective != "weighted":
        repair = "leave it out, or use --objective weighted"
        raise InputError.one(" / ".join(given), f"the objective '{objective}' has no weights", repair)


def _check_reach(request: Request) -> None:
    """Raise :class:`InputError` where no plan can reach the target, or all are there before the first round."""
    if request.aim is None:
        return
    curve, target = request.aim
    rounds = request.rounds_to_target(0.0)
    if rounds == math.inf:
        most = highest_accuracy(curve, 0.0)
        below = math.floor(most * 1e4 - 1e-6) / 1e4
        what = f"the learning curve never reaches {target:g}: without any drift it leads to {most:.4g} at most"
        raise InputError.one("--target", what, f"aim at {below:g} or less, or plan with another curve")
    if rounds == 0:
        what = f"the learning curve is at {target:g} before the first round"
        raise InputError.one("--target", what, "aim higher")


def request_of(
    problem: Problem,
    *,
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
    target: float | None = None,
    curve: LearningCurve | None = None,
) -> Request:
    """Return what the planner is asked for, the scenario's where absent; :class:`InputError` for bad figures."""
    from hffm_opt.solvers.registry import circulation_named
    from hffm_opt.solvers.request import default_request

    check_numbers(
        {
            "--latency-weight": latency_weight,
            "--energy-weight": energy_weight,
            "--max-latency": max_latency,
            "--max-energy": max_energy,
            "--max-drift": max_drift,
            "--gap": gap,
            "--time-limit": time_limit,
        }
    )
    check_seed(seed)
    if objective not in get_args(Objective):
        repair = f"use {', '.join(get_args(Objective)[:-1])} or {get_args(Objective)[-1]}; for a front, pareto()"
        raise InputError.one("--objective", f"'{objective}' is not known", repair)
    check_weights(objective, latency_weight, energy_weight)
    check_target(objective, target, curve)
    request = default_request(
        problem.scenario,
        objective=objective,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        max_latency_s=max_latency,
        max_energy_j=max_energy,
        max_drift=max_drift,
        circulation=circulation_named(problem, circulation, max_drift) if circulation is not None else None,
        gap=gap,
        time_limit_s=time_limit,
        seed=seed,
        target=target,
        curve=curve or curve_of(problem),
    )
    _check_reach(request)
    if sum(request.weights()[:2]) == 0:
        raise InputError.one("--latency-weight / --energy-weight", "both are 0", "give one a positive value")
    return request
