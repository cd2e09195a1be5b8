r"""Prices of many phases at once: a primal-dual interior-point method on the dual of the allocation.

The dual of :mod:`.allocation` has one price ``y_k`` per path and one ``mu`` per pool; an arc's duration and bandwidth
and a computation's frequency are explicit answers to them (:func:`.allocation_link.respond`). With ``T`` and, for a
deadline, its price ``lambda`` the optimality conditions are

    T - path_k(y, mu) = s_k,          y_k s_k = tau                      (paths)
    B_pool - sum_a B_a(y, mu) = v,    mu v = tau                         (pools)
    D - T = r,                        lambda r = tau                     (deadline)
    sum_k y_k = V + lambda

and ``tau`` is driven to 0. Newton's method eliminates ``s``, ``v``, ``r`` and ``lambda``; in logarithms of the prices
every entry of the matrix, of order ``K + P + 1``, is in the unit of the objective, so nothing needs to be scaled but
the objective itself. Near-power-law answers make the iteration insensitive to the range of the data. The start needs
no phase one: every positive price is feasible in the dual.

Source: Boyd and Vandenberghe, Convex Optimization, 11.7, applied to the dual.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation_link import Array, LinkResponse
from hffm_opt.solvers.formulations.allocation_phase import PhaseBatch


@dataclass(frozen=True, eq=False)
class Rows:
    """Arrays with one row per phase."""

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


@dataclass(frozen=True, eq=False)
class PriceData(Rows):
    load: Array
    gain: Array
    power: Array
    pool: NDArray[np.intp]
    band: Array
    path_arc: Array
    pool_arc: Array
    cycles: Array
    cpu_min: Array
    cpu_max: Array
    kappa: Array
    weight: Array
    time_weight: Array
    deadline: Array
    active: NDArray[np.bool_]

    @property
    def paths(self) -> int:
        return self.cycles.shape[1]

    @classmethod
    def of(cls, batch: PhaseBatch, weight: Array, time_weight: Array, deadline: Array) -> PriceData:
        path_arc = batch.path_arc & batch.loaded[:, None, :]
        working = batch.computes | path_arc.any(axis=2)
        return cls(
            batch.load_bit,
            batch.gain_to_noise_hz_per_w,
            batch.power_max_w,
            batch.pool,
            batch.pool_bandwidth_hz,
            path_arc.astype(np.float64),
            batch.pool_arc.astype(np.float64),
            batch.cycles,
            batch.cpu_min_hz,
            batch.cpu_max_hz,
            batch.capacitance,
            weight,
            time_weight,
            deadline,
            np.concatenate([working, batch.pool_arc.any(axis=2)], axis=1),
        )


@dataclass(frozen=True, eq=False)
class PriceState(Rows):
    """Prices ``[N, K + P]`` with their slacks, ``T``, and the deadline's price and slack."""

    price: Array
    slack: Array
    time: Array
    late_price: Array
    late_slack: Array
    scale: Array


@dataclass(frozen=True, eq=False)
class Answer:
    """What the phases do at given prices."""

    link: LinkResponse
    time_price: Array
    cpu: Array
    ready: Array
    ready_slope: Array
    path: Array
    used: Array
    energy: Array


def answer_to(data: PriceData, price: Array) -> Answer:
    path_price, band_price = price[:, : data.paths], price[:, data.paths :]
    time_price = np.einsum("nka,nk->na", data.path_arc, path_price)
    time_price = np.where(data.load > 0, time_price, 1.0)
    arc_band_price = np.take_along_axis(band_price, data.pool, axis=1)
    weight = data.weight[:, None]
    response = link.respond(data.load, data.gain, data.power, weight, time_price, arc_band_price, 1)
    slope = 2.0 * weight * data.kappa
    computes = data.cycles > 0
    free = np.cbrt(path_price / np.where(slope > 0, slope, 1.0))
    cpu = np.where(computes, np.where(slope > 0, np.clip(free, data.cpu_min, data.cpu_max), data.cpu_max), 1.0)
    ready = data.cycles / cpu
    inner = computes & (slope > 0) & (free > data.cpu_min) & (free < data.cpu_max)
    computing = np.where(computes, data.kappa * cpu**2 * data.cycles, 0.0)
    return Answer(
        link=response,
        time_price=time_price,
        cpu=cpu,
        ready=ready,
        ready_slope=np.where(inner, ready / 3.0, 0.0),
        path=ready + np.einsum("nka,na->nk", data.path_arc, response.duration_s),
        used=np.einsum("npa,na->np", data.pool_arc, response.bandwidth_hz),
        energy=response.energy_j.sum(axis=1) + computing.sum(axis=1),
    )


@dataclass(frozen=True, eq=False)
class Direction:
    """A Newton direction: relative growth of the prices, and steps of the rest of the state."""

    growth: Array
    slack: Array
    time: Array
    late_growth: Array
    late_slack: Array

    def room(self, state: PriceState) -> Array:
        """Return how many of these steps lead to the nearest boundary, ``[N]``."""
        rates = [self.growth, self.slack / state.slack]
        rates += [self.late_growth[:, None], (self.late_slack / state.late_slack)[:, None]]
        fall = np.concatenate(rates, axis=1).min(axis=1)
        return 1.0 / np.maximum(-fall, 1e-300)


def direction(data: PriceData, state: PriceState, answer: Answer, tau: Array) -> Direction:
    """Solve the linearised conditions for the centre ``tau``."""
    paths, order = data.paths, data.active.shape[1]
    price, slack, active = state.price, state.slack, data.active
    working = active[:, :paths]
    dated = np.isfinite(data.deadline)
    pull = np.where(active, price * pressure(data, state.time, answer) + tau[:, None], 0.0)
    share = data.path_arc * price[:, :paths, None] / answer.time_price[:, None, :]
    matrix = np.zeros((len(price), order + 1, order + 1))
    matrix[:, :paths, :paths] = -(share * answer.link.time_by_time[:, None]) @ share.transpose(0, 2, 1)
    mixed = -(share * answer.link.time_by_band[:, None]) @ data.pool_arc.transpose(0, 2, 1)
    matrix[:, :paths, paths:order] = mixed
    matrix[:, paths:order, :paths] = mixed.transpose(0, 2, 1)
    bend = -np.einsum("npa,na->np", data.pool_arc, answer.link.band_by_band)
    diagonal = np.concatenate([price[:, :paths] * answer.ready_slope, bend], axis=1) + price * slack
    places = np.arange(order)
    matrix[:, places, places] += np.where(active, diagonal, state.scale[:, None])
    weighed = np.where(working, price[:, :paths], 0.0)
    matrix[:, :paths, order] = weighed * state.time[:, None]
    matrix[:, order, :paths] = weighed * state.time[:, None]
    stiffness = np.where(dated, state.late_price / state.late_slack, 0.0)
    late_gap = np.where(dated, np.where(dated, data.deadline, 0.0) - state.time - state.late_slack, 0.0)
    idle = ~working.any(axis=1)
    matrix[:, order, order] = np.where(idle, state.scale, -stiffness * state.time**2)
    balance = data.time_weight - weighed.sum(axis=1)
    balance = balance + np.where(dated, tau / state.late_slack - stiffness * late_gap, 0.0)
    right = np.concatenate([pull, np.where(idle, 0.0, state.time * balance)[:, None]], axis=1)
    solved = np.linalg.solve(matrix / state.scale[:, None, None], (right / state.scale[:, None])[..., None])[..., 0]
    growth = np.where(active, solved[:, :order], 0.0)
    time = state.time * solved[:, order]
    late_slack = np.where(dated, late_gap - time, 0.0)
    late_price = tau / state.late_slack - state.late_price - stiffness * late_slack
    return Direction(
        growth=growth,
        slack=np.where(active, tau[:, None] / np.where(active, price, 1.0) - slack * (1.0 + growth), 0.0),
        time=time,
        late_growth=np.where(dated, late_price / np.where(dated, state.late_price, 1.0), 0.0),
        late_slack=late_slack,
    )


def pressure(data: PriceData, time: Array, answer: Answer) -> Array:
    """Return ``(path - T, used - B_pool)``, ``[N, K + P]``."""
    return np.concatenate([answer.path - time[:, None], answer.used - data.band], axis=1)


def mean_product(data: PriceData, state: PriceState) -> Array:
    """Return the mean complementarity product of the rows that count."""
    dated = np.isfinite(data.deadline)
    total = np.where(data.active, state.price * state.slack, 0.0).sum(axis=1)
    total = total + np.where(dated, state.late_price * state.late_slack, 0.0)
    mean: Array = total / np.maximum(data.active.sum(axis=1) + dated, 1)
    return mean


def moved(state: PriceState, direction: Direction, length: Array) -> PriceState:
    """Return the state after a step of the given lengths ``[N]``."""
    column = length[:, None]
    return replace(
        state,
        price=state.price * (1.0 + column * direction.growth),
        slack=state.slack + column * direction.slack,
        time=state.time + length * direction.time,
        late_price=state.late_price * (1.0 + length * direction.late_growth),
        late_slack=state.late_slack + length * direction.late_slack,
    )
