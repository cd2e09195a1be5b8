"""Why a request cannot be met: which limit binds, and what would be feasible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, Context

import numpy as np

from hffm_opt.errors import Finding, InfeasibleError
from hffm_opt.plan.circulation import Tier, drift, uniform
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.relaying import Relaying
from hffm_opt.solvers.joint.search import Found
from hffm_opt.solvers.request import Request

EXACT = 1e-5
"""Relative gap up to which the least value found is called the least possible."""


def explain(
    problem: Problem,
    request: Request,
    weights: Weights,
    find: Callable[[Weights], Found],
    room: float,
    relaying: Relaying,
) -> InfeasibleError:
    """Return the error for limits that no plan keeps.

    Args:
        problem: the problem.
        request: the limits as they were asked for.
        weights: the objective and the limits that failed together, as the search keeps them.
        find: searches under other weights and limits.
        room: relative distance from the least value at which a limit is recommended.
        relaying: which events have a tree within the limits on relaying.
    """
    often = min(problem.scenario.planning.periods)
    lowest = drift(problem, uniform(problem, often, often, often))
    if lowest > weights.max_drift:
        return InfeasibleError(
            Finding(
                "planning.drift_max",
                f"no circulation of the menu has Phi <= {weights.max_drift:.6g}; the least is {lowest:.6g}",
                f"allow drift_max >= {rounded_up(lowest)}, or add shorter periods to planning.periods",
            )
        )
    missed = request.out_of_reach(lowest)
    if missed is not None:
        return InfeasibleError(replace(missed, repair="aim lower, or add shorter periods to planning.periods"))
    weights = weights.per_round()
    blocked = tuple(relaying.lacking((int(Tier.CLOUD),) * len(problem.modules)))
    free = replace(weights, max_latency_s=np.inf, max_energy_j=np.inf)
    if blocked and (weights == free or _proven_impossible(find(free))):
        return InfeasibleError(blocked)
    findings = []
    if request.max_latency_s is not None and np.isfinite(weights.max_latency_s):
        found = find(replace(weights, latency=1.0, energy=0.0, drift=0.0, max_latency_s=np.inf))
        findings.append(_finding("latency", "s", request.max_latency_s, found, weights.max_energy_j, "energy", room))
    if request.max_energy_j is not None and np.isfinite(weights.max_energy_j):
        found = find(replace(weights, latency=0.0, energy=1.0, drift=0.0, max_energy_j=np.inf))
        findings.append(_finding("energy", "J", request.max_energy_j, found, weights.max_latency_s, "latency", room))
    return InfeasibleError(findings or Finding("request", "no plan exists", "loosen a limit of the scenario"))


def _proven_impossible(found: Found) -> bool:
    return found.best is None and found.reason == "proven"


def rounded_up(value: float) -> str:
    """Return the least number of six digits that is not below a value.

    >>> rounded_up(0.12345601), rounded_up(2.0)
    ('0.123457', '2')
    """
    return f"{float(Context(prec=6, rounding=ROUND_CEILING).create_decimal_from_float(value)):.6g}"


def _finding(name: str, unit: str, limit: float, found: Found, other: float, other_name: str, room: float) -> Finding:
    path, place = f"--max-{name}", f" under the {other_name} limit" if np.isfinite(other) else ""
    met = f"{limit:.6g} {unit} per round cannot be met"
    if _proven_impossible(found):
        return Finding(path, f"no plan keeps the {other_name} limit alone", f"loosen the {other_name} limit first")
    if found.best is None:
        return Finding(path, f"{met}{place}; what can be was not found in time", "loosen it, or allow more time")
    least = found.best.value
    word = "the least possible" if least - found.bound <= EXACT * least else "the least found"
    enough = rounded_up(least * (1 + room))
    return Finding(path, f"{met}: {word}{place} is {least:.6g} {unit}", f"allow at least {enough} {unit}")
