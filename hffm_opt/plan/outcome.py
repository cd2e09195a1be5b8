"""What every planning method returns: a plan with its certificate, as a value."""

from __future__ import annotations

from typing import Literal

from hffm_opt.plan.model import Plan
from hffm_opt.scenario.model import Frozen

Objective = Literal["weighted", "latency", "energy"]
Status = Literal["optimal", "feasible", "limit", "infeasible"]


class Outcome(Frozen):
    """A plan, the referee's figures for it, and what is proven about it.

    ``status``: ``optimal`` (the gap is within the tolerance asked for), ``feasible`` (a plan, with a proven bound if
    the method has one), ``limit`` (a limit ended the search; the plan is the best found), ``infeasible`` (the method's
    only plan breaks a limit). ``stop_reason`` says in words why the method stopped. ``bound`` is a proven lower bound
    on the objective over the ``optimised`` decisions with the ``fixed`` ones held; ``gap = (objective - bound) /
    |objective|``. ``weights`` are those on latency (per s), energy (per J) and drift that the objective stands for.
    ``objective`` is null where the plan breaks a limit. A proof holds for the scenario's planning section as it was:
    ``planning_fingerprint``.
    """

    method: str
    objective_name: Objective
    weights: tuple[float, float, float]
    status: Status
    stop_reason: str
    objective: float | None
    bound: float | None
    gap: float | None
    seconds: float
    feasible: bool
    latency_s: float
    energy_j: float
    drift: float
    optimised: tuple[str, ...]
    fixed: tuple[str, ...]
    planning_fingerprint: str
    plan: Plan


def relative_gap(value: float, bound: float) -> float:
    """Return ``(value - bound) / |value|``, 0 where both are 0."""
    return 0.0 if value == bound else (value - bound) / max(abs(value), 1e-300)
