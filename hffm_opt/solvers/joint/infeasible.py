"""Why a request cannot be met: which limit binds, and what would be feasible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hffm_opt.errors import Finding, InfeasibleError
from hffm_opt.plan.circulation import drift, uniform
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.circulation import Weights


def explain(problem: Problem, weights: Weights, least: Callable[[Weights], float | None]) -> InfeasibleError:
    """Return the error for limits that no plan keeps.

    Args:
        problem: the problem.
        weights: the objective and the limits that failed together.
        least: finds the least objective under other weights and limits (``None`` if infeasible too).
    """
    often = min(problem.scenario.planning.periods)
    lowest = drift(problem, uniform(problem, often, often, often))
    if lowest > weights.max_drift:
        return InfeasibleError(
            Finding(
                "planning.drift_max",
                f"no circulation of the menu has Phi <= {weights.max_drift:.6g}; the least is {lowest:.6g}",
                f"allow drift_max >= {lowest:.6g}, or add shorter periods to planning.periods",
            )
        )
    findings = []
    if np.isfinite(weights.max_latency_s):
        value = least(replace(weights, latency=1.0, energy=0.0, drift=0.0, max_latency_s=np.inf))
        findings.append(_finding("max-latency", "s", weights.max_latency_s, value, weights.max_energy_j, "energy"))
    if np.isfinite(weights.max_energy_j):
        value = least(replace(weights, latency=0.0, energy=1.0, drift=0.0, max_energy_j=np.inf))
        findings.append(_finding("max-energy", "J", weights.max_energy_j, value, weights.max_latency_s, "latency"))
    return InfeasibleError(findings or Finding("request", "no plan exists", "loosen a limit of the scenario"))


def _finding(name: str, unit: str, limit: float, least: float | None, other: float, other_name: str) -> Finding:
    under = f" under the {other_name} limit" if np.isfinite(other) else ""
    if least is None:
        return Finding(
            f"--{name}", f"no plan keeps the {other_name} limit alone", f"loosen the {other_name} limit first"
        )
    return Finding(
        f"--{name}",
        f"{limit:.6g} {unit} per round cannot be met: the least possible{under} is {least:.6g} {unit}",
        f"allow at least {least * (1 + 1e-6):.6g} {unit}",
    )
