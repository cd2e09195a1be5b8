"""Many small phases solved together, each with a proven bound.

:mod:`.allocation_prices` finds the prices; here the plan that answers to them is made feasible to the last digit and
held against the bound that the prices prove. A deadline is first held against the fastest plan, whose own bound proves
infeasibility; a point that is late by rounding is mended by a convex combination with the fastest plan, which keeps
every constraint because the feasible set is convex in ``(t, B, 1 / f)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation import Decisions, best_cpu_hz, dual_bound
from hffm_opt.solvers.formulations.allocation_link import Array
from hffm_opt.solvers.formulations.allocation_phase import Multipliers, Objective, PhaseBatch
from hffm_opt.solvers.formulations.allocation_prices import Prices, find_prices

_EDGE = 1e-9
_FASTEST_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Plans and certificates of ``N`` phases; SI units.

    ``feasible`` is False where the deadline is proven impossible (then ``objective`` and ``lower_bound`` are infinite
    and the decisions are the fastest ones). ``converged`` says that the deadline is kept and the gap between value and
    bound is at most 1e-6 (or the tolerance, if larger); where it is False, as when the deadline is within rounding of
    the shortest possible time, the bound holds all the same. ``fastest_s`` is the shortest possible time found where a
    deadline was given, else 0.
    """

    objective: Array
    time_s: Array
    energy_j: Array
    lower_bound: Array
    decisions: Decisions
    multipliers: Multipliers
    feasible: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    iterations: NDArray[np.intp]
    fastest_s: Array

    @property
    def gap(self) -> Array:
        """``[N]`` relative gap between value and bound; 0 where both are 0 or the phase is infeasible."""
        known = self.feasible & (self.objective != 0)
        difference = np.where(known, self.objective, 0.0) - np.where(known, self.lower_bound, 0.0)
        return difference / np.where(known, np.abs(self.objective), 1.0)


def solve_batch(
    batch: PhaseBatch,
    weight_energy: ArrayLike = 1.0,
    weight_time: ArrayLike = 0.0,
    deadline_s: ArrayLike = np.inf,
    *,
    tolerance: float = 1e-8,
    max_iterations: int = 40,
) -> BatchResult:
    """Minimise ``weight_energy E + weight_time T`` subject to ``T <= deadline_s`` for every phase of a batch.

    Arguments:
        batch: ``N`` phases.
        weight_energy, weight_time, deadline_s: numbers or ``[N]``.
        tolerance: relative duality gap to reach.
        max_iterations: limit on Newton steps.

    Raises:
        InputError: when neither a weight on time nor a deadline is given.

    Source: the head of this file.
    """
    count = len(batch.load_bit)
    objective = Objective(weight_energy, weight_time, deadline_s)
    weight, time_weight, deadline = (value.copy() for value in objective.spread(count))
    dated = np.isfinite(deadline)
    zero = np.zeros(count)
    limits = (tolerance, max_iterations)
    fastest, fastest_s, fastest_bound = None, zero, zero
    if dated.any():
        late = Objective(0.0, 1.0)
        sharp = (min(tolerance, _FASTEST_TOLERANCE), max_iterations)
        prices = _prices(batch, zero, zero + 1.0, zero + np.inf, None, sharp)
        fastest = _answer(batch, zero, prices)
        fastest_s = np.where(dated, fastest.time_s(batch), 0.0)
        fastest_bound = np.where(dated, dual_bound(batch, late, Multipliers(prices.path, prices.band)), 0.0)
    feasible = fastest_bound <= deadline
    # A deadline within rounding of the fastest plan would send the prices to infinity. One a little later has a bound
    # that holds for both.
    relaxed = np.where(feasible, np.maximum(deadline, fastest_s * (1.0 + _EDGE)), 2.0 * fastest_s)
    prices = _prices(batch, weight, time_weight, relaxed, fastest, limits)
    decisions = _answer(batch, weight, prices)
    if fastest is not None:
        decisions = decisions.mended(batch, fastest, np.where(feasible, deadline, 0.0))
    time, energy = decisions.time_s(batch), decisions.energy_j(batch)
    multipliers = Multipliers(prices.path, prices.band)
    bound = dual_bound(batch, Objective(weight, time_weight, relaxed), multipliers)
    value = weight * energy + time_weight * time
    close = value - bound <= max(tolerance, 1e-6) * np.abs(value)
    return BatchResult(
        objective=np.where(feasible, value, np.inf),
        time_s=time,
        energy_j=energy,
        lower_bound=np.where(feasible, bound, np.inf),
        decisions=decisions,
        multipliers=multipliers,
        feasible=feasible,
        converged=close & feasible & (time <= deadline * (1.0 + 1e-9)),
        iterations=prices.iterations,
        fastest_s=fastest_s,
    )


def _prices(
    batch: PhaseBatch,
    weight: Array,
    time_weight: Array,
    deadline: Array,
    fastest: Decisions | None,
    limits: tuple[float, int],
) -> Prices:
    """Solve for the prices, starting from a price of time shared evenly by the paths."""
    working = batch.computes | (batch.path_arc & batch.loaded[:, None, :]).any(axis=2)
    dated = np.isfinite(deadline)
    rescue_s = np.zeros(len(weight)) if fastest is None else fastest.time_s(batch)
    rescue_energy = np.zeros(len(weight)) if fastest is None else fastest.energy_j(batch)
    spend = weight * rescue_energy / np.where(dated, np.maximum(deadline, 1e-300), 1.0)
    total = np.where(dated, time_weight + np.where(spend > 0, spend, 1.0), time_weight)
    start = np.where(working, (total / np.maximum(working.sum(axis=1), 1))[:, None], 0.0)
    return find_prices(
        batch,
        weight,
        time_weight,
        deadline,
        start,
        rescue_s,
        rescue_energy,
        tolerance=limits[0],
        max_iterations=limits[1],
    )


def _answer(batch: PhaseBatch, weight: Array, prices: Prices) -> Decisions:
    """Return the feasible plan that answers to the prices."""
    time_price = np.where(batch.loaded, (prices.path[:, None, :] @ batch.path_arc)[:, 0, :], 1.0)
    band_price = np.where(batch.loaded, batch.of_pool(prices.band), 1.0)
    response = link.respond(
        batch.load_bit, batch.gain_to_noise_hz_per_w, batch.power_max_w, weight[:, None], time_price, band_price
    )
    cpu = best_cpu_hz(batch, weight, prices.path)
    return Decisions(response.duration_s, response.bandwidth_hz, cpu).fitted(batch)
