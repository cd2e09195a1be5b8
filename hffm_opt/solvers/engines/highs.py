"""HiGHS as a typed engine for mixed-integer and linear programs that are solved many times.

    minimise  c'x + c0   subject to  row_lower <= A x <= row_upper,  lower <= x <= upper,  some x_j integer

:class:`HighsModel` holds a program (see :mod:`~hffm_opt.solvers.engines.highs_builder`) and is re-solved
after costs or bounds changed. What HiGHS calls optimal is believed only after the point has been put into the
rows again.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hffm_opt.errors import InputError
from hffm_opt.solvers.engines.file_names import Family, file_names, numbered
from hffm_opt.solvers.engines.highs_interrupt import run_interruptibly
from hffm_opt.solvers.engines.highs_outcome import (
    Floats,
    HighsOptions,
    HighsOutcome,
    Status,
    StopReason,
    relative_gap,
)

__all__ = [
    "Floats",
    "HighsModel",
    "HighsOptions",
    "HighsOutcome",
    "Ints",
    "Status",
    "StopReason",
    "relative_gap",
    "spread",
]

Ints = NDArray[np.int64]

ROWWISE = 2
"""HiGHS' code of a matrix given by rows (``MatrixFormat::kRowwise``)."""

FEASIBLE_POINT = 2
"""HiGHS' code of a feasible point (``SolutionStatus::kSolutionStatusFeasible``)."""


class HighsModel:
    """A program inside HiGHS, kept warm between solves; not to be shared between threads."""

    def __init__(
        self,
        matrix: Any,
        lower: Floats,
        upper: Floats,
        cost: Floats,
        integer: NDArray[np.bool_],
        row_lower: Floats,
        row_upper: Floats,
        offset: float = 0.0,
        *,
        families: tuple[Sequence[Family], Sequence[Family]] = ((), ()),
    ) -> None:
        numbers = (matrix.data, cost, lower[np.isfinite(lower)], upper[np.isfinite(upper)])
        if not all(np.isfinite(part).all() for part in numbers) or any(
            np.isnan(b).any() for b in (row_lower, row_upper)
        ):
            raise InputError.one("model", "a coefficient is not finite", "drop absent arcs before building the program")
        self._matrix = matrix
        self._lower, self._upper = lower.copy(), upper.copy()
        self._cost = cost.copy()
        self._integer = integer.copy()
        self._row_lower, self._row_upper = row_lower.copy(), row_upper.copy()
        self._offset = offset
        self._families = families
        self._start: Floats | None = None
        self._stop = threading.Event()
        self._highs = highspy.Highs()
        self._highs.silent()
        self._highs.passModel(
            matrix.shape[1],
            matrix.shape[0],
            matrix.nnz,
            ROWWISE,
            int(highspy.ObjSense.kMinimize),
            offset,
            self._cost,
            self._lower,
            self._upper,
            self._row_lower,
            self._row_upper,
            matrix.indptr.astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data.astype(np.float64),
            self._integer.astype(np.int32),
        )
        for event in (self._highs.cbMipInterrupt, self._highs.cbSimplexInterrupt, self._highs.cbIpmInterrupt):
            event.subscribe(self._interrupt_if_asked)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._matrix.shape[0], self._matrix.shape[1]

    @property
    def integers(self) -> int:
        """Number of integer columns."""
        return int(self._integer.sum())

    def set_cost(self, columns: ArrayLike, cost: ArrayLike) -> None:
        """Replace the costs of the named columns."""
        index = np.atleast_1d(np.asarray(columns, dtype=np.int32))
        values = spread(cost, index.size)
        self._cost[index] = values
        self._highs.changeColsCost(index.size, index, values)

    def set_row_bounds(self, row: int, lower: float, upper: float) -> None:
        """Replace both bounds of one row."""
        self._row_lower[row], self._row_upper[row] = lower, upper
        self._highs.changeRowBounds(int(row), lower, upper)

    def set_column_bounds(self, columns: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> None:
        """Replace both bounds of the named columns."""
        index = np.atleast_1d(np.asarray(columns, dtype=np.int32))
        low, high = spread(lower, index.size), spread(upper, index.size)
        self._lower[index], self._upper[index] = low, high
        self._highs.changeColsBounds(index.size, index, low, high)

    def set_start(self, x: Floats) -> bool:
        """Keep a full point as the start of the next solve; return False, and keep nothing, where it is
        infeasible.
        """
        self._start = np.asarray(x, float).copy() if self.violation(x) <= 1e-7 else None
        return self._start is not None

    def violation(self, x: Floats, *, integer: bool = True) -> float:
        """Return the largest violation of a row, a bound or integrality, each relative to ``max(1,
        |limit|)``.
        """
        activity = self._matrix @ x
        parts = [_excess(x, self._lower, self._upper), _excess(activity, self._row_lower, self._row_upper)]
        if integer and self._integer.any():
            whole = x[self._integer]
            parts.append(float(np.abs(whole - np.round(whole)).max()))
        return max(parts)

    def value(self, x: Floats) -> float:
        """Return the objective at ``x``."""
        return float(self._cost @ x) + self._offset

    @property
    def families(self) -> tuple[Sequence[Family], Sequence[Family]]:
        """Families of the columns and of the rows, in their order, as they were built."""
        return self._families

    def name(self, columns: Sequence[str] | None = None, rows: Sequence[str] | None = None) -> None:
        """Name columns and rows, in their order, for files: by their families where none are given."""
        for index, name in enumerate(file_names(numbered(self._families[0]) if columns is None else columns)):
            self._highs.passColName(index, name)
        for index, name in enumerate(file_names(numbered(self._families[1]) if rows is None else rows)):
            self._highs.passRowName(index, name)

    def write(self, path: str | Path) -> None:
        """Write the program as ``.mps`` or ``.lp`` (chosen by the suffix)."""
        if self._highs.writeModel(str(path)) == highspy.HighsStatus.kError:
            raise InputError.one(str(path), "HiGHS cannot write the program here", "name a writable .mps or .lp file")

    def solve(self, options: HighsOptions | None = None, *, relax: bool = False) -> HighsOutcome:
        """Solve and recheck, without integrality if ``relax``; KeyboardInterrupt stops HiGHS at its next check and is
        raised again afterwards.
        """
        options = options or HighsOptions()
        self._configure(options)
        self._highs.setOptionValue("solve_relaxation", relax)
        self._highs.setOptionValue("objective_bound", options.cutoff if relax else math.inf)
        start, self._start = self._start, None
        if start is not None:
            solution = highspy.HighsSolution()
            solution.col_value = start.tolist()
            self._highs.setSolution(solution)
        began = time.perf_counter()
        run_interruptibly(self._highs, self._stop)
        return self._read(start, time.perf_counter() - began, is_mip=not relax and bool(self._integer.any()))

    def _configure(self, options: HighsOptions) -> None:
        settings: dict[str, float | int | str] = {
            "time_limit": options.time_limit_s,
            "mip_max_nodes": 2**31 - 1 if options.node_limit is None else options.node_limit,
            "mip_rel_gap": options.relative_gap,
            "mip_abs_gap": options.absolute_gap,
            "threads": options.threads,
            "random_seed": options.seed,
            "presolve": "on" if options.presolve else "off",
            "primal_feasibility_tolerance": options.tolerance,
            "dual_feasibility_tolerance": options.tolerance,
            "mip_feasibility_tolerance": options.tolerance,
        }
        for name, value in settings.items():
            if self._highs.setOptionValue(name, value) == highspy.HighsStatus.kError:
                raise InputError.one(f"options.{name}", f"HiGHS refuses {value!r}", "give a value inside its range")

    def _interrupt_if_asked(self, event: Any) -> None:
        if self._stop.is_set():
            event.interrupt()

    def _read(self, start: Floats | None, seconds: float, *, is_mip: bool) -> HighsOutcome:
        info = self._highs.getInfo()
        model_status = self._highs.getModelStatus()
        reason = _REASONS.get(model_status, StopReason.NUMERICS)
        if model_status == highspy.HighsModelStatus.kSolutionLimit:
            reason = StopReason.NODE_LIMIT
        x: Floats | None = None
        objective, bound, violation = math.inf, -math.inf, math.inf
        no_point = reason in (StopReason.PROVEN_INFEASIBLE, StopReason.PROVEN_UNBOUNDED)
        empty = model_status == _MODEL_STATUS.kModelEmpty
        if not no_point and (empty or info.primal_solution_status == FEASIBLE_POINT):
            candidate = np.array(self._highs.getSolution().col_value, dtype=np.float64)
            violation = self.violation(candidate, integer=is_mip)
            if violation <= 1e-6:
                x, objective = candidate, self.value(candidate)
            else:
                reason = StopReason.NUMERICS
        closed = reason is StopReason.GAP_CLOSED
        if is_mip:
            bound = float(info.mip_dual_bound)
        if closed and not math.isfinite(bound):
            # A linear program has no separate bound; and a start that nothing can beat ends a search before its first
            # bound.
            bound = objective
        if not math.isfinite(bound):
            bound = math.inf if reason is StopReason.PROVEN_INFEASIBLE else -math.inf
        elif x is not None:
            # Beyond rounding a bound above the value would be a contradiction; the value is the one that was
            # rechecked.
            bound = min(bound, objective)
        gap = relative_gap(objective, bound)
        return HighsOutcome(
            status=_status(reason, x is not None, closed),
            stop_reason=reason,
            objective=objective,
            bound=bound,
            gap=gap,
            seconds=seconds,
            nodes=int(info.mip_node_count) if is_mip else 0,
            violation=violation,
            start_taken=None if start is None else x is not None and objective <= self.value(start) + 1e-9,
            x=x,
            reduced_cost=None if is_mip or not closed else np.array(self._highs.getSolution().col_dual),
        )


_MODEL_STATUS = highspy.HighsModelStatus
_REASONS = {
    _MODEL_STATUS.kOptimal: StopReason.GAP_CLOSED,
    _MODEL_STATUS.kModelEmpty: StopReason.GAP_CLOSED,
    _MODEL_STATUS.kInfeasible: StopReason.PROVEN_INFEASIBLE,
    _MODEL_STATUS.kObjectiveBound: StopReason.PROVEN_INFEASIBLE,
    _MODEL_STATUS.kUnbounded: StopReason.PROVEN_UNBOUNDED,
    _MODEL_STATUS.kUnboundedOrInfeasible: StopReason.NUMERICS,
    _MODEL_STATUS.kTimeLimit: StopReason.TIME_LIMIT,
    _MODEL_STATUS.kInterrupt: StopReason.INTERRUPTED,
}


def _status(reason: StopReason, has_point: bool, closed: bool) -> Status:
    if reason is StopReason.PROVEN_INFEASIBLE:
        return Status.INFEASIBLE
    if reason is StopReason.PROVEN_UNBOUNDED:
        return Status.UNBOUNDED
    if has_point:
        return Status.OPTIMAL if closed else Status.FEASIBLE
    return Status.UNKNOWN


def spread(values: ArrayLike, count: int) -> Floats:
    """Return ``values``, a scalar or [count], as a fresh [count] array."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (count,)).copy()


def _excess(values: Floats, lower: Floats, upper: Floats) -> float:
    """Return how far ``values`` leave ``[lower, upper]``, relative to ``max(1, |limit|)``."""
    if not values.size:
        return 0.0
    scale_low = np.maximum(1.0, np.abs(np.where(np.isfinite(lower), lower, 0.0)))
    scale_high = np.maximum(1.0, np.abs(np.where(np.isfinite(upper), upper, 0.0)))
    return max(0.0, float(((lower - values) / scale_low).max()), float(((values - upper) / scale_high).max()))
