"""How a HiGHS solve is asked for and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hffm_opt.plan import outcome

Floats = NDArray[np.float64]


class Status(StrEnum):
    """What a solve has in its hands."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    UNKNOWN = "unknown"


class StopReason(StrEnum):
    """Why a solve ended."""

    GAP_CLOSED = "gap closed"
    PROVEN_INFEASIBLE = "proven infeasible"
    PROVEN_UNBOUNDED = "proven unbounded"
    TIME_LIMIT = "time limit"
    NODE_LIMIT = "node limit"
    INTERRUPTED = "interrupted"
    NUMERICS = "numerical trouble"


@dataclass(frozen=True)
class HighsOptions:
    """How a solve is run.

    A relaxation ends as proven infeasible as soon as no point of value below ``cutoff`` can exist.

    ``relative_gap`` is HiGHS' gap ``|value - bound| / |value|``; ``tolerance`` bounds violations of rows,
    bounds and integrality, so the model should be scaled to numbers near one. Presolve is off by default: HiGHS 1.15.1
    proved a wrong optimum (0.13 % too high) of a relay-tree program through it, under every seed and tolerance.
    """

    time_limit_s: float = math.inf
    node_limit: int | None = None
    relative_gap: float = 0.0
    absolute_gap: float = 0.0
    threads: int = 1
    seed: int = 0
    tolerance: float = 1e-9
    presolve: bool = False
    cutoff: float = math.inf


@dataclass(frozen=True, eq=False)
class HighsOutcome:
    """The answer of one solve; ``x`` is None when no feasible point is known, ``bound`` is a lower bound on
    the optimum. ``reduced_cost`` is that of an optimal relaxation: what each unit of a column beyond its bound adds at
    least.
    """

    status: Status
    stop_reason: StopReason
    objective: float
    bound: float
    gap: float
    seconds: float
    nodes: int
    violation: float
    start_taken: bool | None
    x: Floats | None = field(repr=False)
    reduced_cost: Floats | None = field(default=None, repr=False)


def relative_gap(value: float, bound: float) -> float:
    """Return ``(value - bound) / |value|``, never negative, and infinity where one is missing."""
    known = math.isfinite(value) and math.isfinite(bound)
    return max(0.0, outcome.relative_gap(value, bound)) if known else math.inf
