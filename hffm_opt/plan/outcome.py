"""What every planning method returns: a plan with its certificate, as a value."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from hffm_opt.plan.model import Plan
from hffm_opt.scenario.model import Frozen

Objective = Literal["weighted", "latency", "energy", "time-to-accuracy", "energy-to-accuracy"]
ACCURACY_FIELDS = ("target", "rounds_to_target")
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

    Where an accuracy is aimed at, ``target`` is it and ``rounds_to_target`` are the rounds that the learning curve
    needs at the plan's drift (null where it never gets there): ``objective = rounds_to_target * latency_s``, or
    ``* energy_j``. Other outcomes are written without the two.
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
    target: float | None = None
    rounds_to_target: float | None = None

    @model_serializer(mode="wrap")
    def _without_idle_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return data if self.target is not None else {k: v for k, v in data.items() if k not in ACCURACY_FIELDS}


def relative_gap(value: float, bound: float) -> float:
    """Return ``(value - bound) / |value|``, 0 where both are 0."""
    return 0.0 if value == bound else (value - bound) / max(abs(value), 1e-300)
