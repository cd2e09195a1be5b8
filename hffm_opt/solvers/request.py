"""What a planning method is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hffm_opt.errors import Finding
from hffm_opt.plan.accuracy import rounds_needed, target_out_of_reach
from hffm_opt.plan.circulation import Circulation
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Objective
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.scenario.model import Scenario

PRICED: dict[Objective, tuple[float, float, float]] = {
    "latency": (1.0, 0.0, 0.0),
    "energy": (0.0, 1.0, 0.0),
    "time-to-accuracy": (1.0, 0.0, 0.0),
    "energy-to-accuracy": (0.0, 1.0, 0.0),
}
"""Weights of the objectives that leave no choice of them."""


@dataclass(frozen=True)
class Request:
    """Objective, limits and stopping rule of a planning call.

    ``weighted`` minimises ``latency_weight latency + energy_weight energy + drift_weight Phi`` per round; ``latency``
    and ``energy`` minimise that figure alone. ``time-to-accuracy`` and ``energy-to-accuracy`` minimise it times the
    rounds that ``curve`` needs to ``target`` at the plan's Phi: s or J in all. ``max_latency_s`` and ``max_energy_j``
    are limits per round; ``max_drift`` overrides the scenario's limit on Phi (``inf`` lifts it). ``circulation`` holds
    the circulation fixed; ``start`` is one to begin the search with. ``seed`` drives the methods that draw.
    """

    objective: Objective = "weighted"
    latency_weight: float = 1.0
    energy_weight: float = 1.0
    drift_weight: float = 0.0
    max_latency_s: float | None = None
    max_energy_j: float | None = None
    max_drift: float | None = None
    circulation: Circulation | None = None
    gap: float = 1e-4
    time_limit_s: float = 300.0
    seed: int = 0
    target: float | None = None
    curve: LearningCurve | None = None
    start: Circulation | None = None

    def __post_init__(self) -> None:
        if self.aims_at_accuracy and (self.target is None or self.curve is None):
            raise ValueError(f"{self.objective} needs a target and a learning curve")

    @property
    def aims_at_accuracy(self) -> bool:
        """Whether what is minimised is the cost of all rounds to a target accuracy."""
        return self.objective in ("time-to-accuracy", "energy-to-accuracy")

    def weights(self) -> tuple[float, float, float]:
        """Return the weights on latency, energy and drift per round that the objective stands for."""
        return PRICED.get(self.objective, (self.latency_weight, self.energy_weight, self.drift_weight))

    @property
    def aim(self) -> tuple[LearningCurve, float] | None:
        """Curve and target accuracy; None where none is aimed at."""
        if not self.aims_at_accuracy:
            return None
        assert self.curve is not None and self.target is not None
        return self.curve, self.target

    def rounds_to_target(self, drift: float) -> float | None:
        """Return N(Phi), the rounds to the target (``inf``: never reached); None where none is aimed at."""
        return None if self.aim is None else rounds_needed(*self.aim, drift)

    def out_of_reach(self, drift: float) -> Finding | None:
        """Return why the target is never reached at a learning penalty; None where it is, or none is aimed at."""
        return None if self.aim is None else target_out_of_reach(*self.aim, drift)

    def value(self, latency_s: float, energy_j: float, drift: float) -> float:
        """Return the objective of a plan with these figures; infinite where it never reaches the target."""
        weights = self.weights()
        rounds = self.rounds_to_target(drift)
        if rounds is not None:
            return rounds * (latency_s if weights[0] else energy_j) if math.isfinite(rounds) else math.inf
        return weights[0] * latency_s + weights[1] * energy_j + weights[2] * drift


def drift_limit(problem: Problem, request: Request) -> float:
    """Return the limit on Phi in force: the request's, else the scenario's, else infinity."""
    limit = problem.scenario.planning.drift_max if request.max_drift is None else request.max_drift
    return math.inf if limit is None else limit


@dataclass(frozen=True)
class Certified:
    """A plan and what a method proves about it, before the referee speaks; ``limited``: a limit ended the search."""

    plan: Plan
    bound: float | None
    stop_reason: str
    seconds: float
    optimised: tuple[str, ...]
    fixed: tuple[str, ...]
    limited: bool = False


GAP_FIXED = 1e-4
GAP_ALLOCATED = 1e-3


def default_request(scenario: Scenario, **changes: object) -> Request:
    """Return a request with the scenario's own weights and curve, then the caller's changes (``None``: the default).

    The gap asked for is 1e-4 where links are given and 1e-3 where bandwidth, power and CPU speed are chosen too.
    """
    planning = scenario.planning
    given = {
        "gap": GAP_FIXED if scenario.physics.allocation == "fixed" else GAP_ALLOCATED,
        "latency_weight": planning.latency_weight,
        "energy_weight": planning.energy_weight,
        "drift_weight": planning.drift_weight,
        "curve": planning.curve,
    } | {key: value for key, value in changes.items() if value is not None}
    return Request(**given)  # type: ignore[arg-type]
