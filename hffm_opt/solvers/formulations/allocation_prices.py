"""The prices of many phases: the iteration around the Newton step of :mod:`.allocation_newton`.

A phase is done when the duality gap of the primal point that its prices answer with, including the cost of mending
that point's violation of the deadline, falls below the tolerance. Undamped primal-dual steps settle nearly all phases
in 10 to 25 iterations; the few whose steps alternate across a kink are finished by a line search on a concave function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation_link import Array
from hffm_opt.solvers.formulations.allocation_newton import (
    Answer,
    PriceData,
    PriceState,
    answer_to,
    direction,
    mean_product,
    moved,
    pressure,
)
from hffm_opt.solvers.formulations.allocation_phase import PhaseBatch

_TO_BOUNDARY = 0.95
_EXCESS = 1.0 + 1e-5


@dataclass(frozen=True, eq=False)
class Prices:
    """Result: prices ``path [N, K]`` and ``band [N, P]``, iterations used and whether the tolerance was met."""

    path: Array
    band: Array
    iterations: NDArray[np.intp]
    converged: NDArray[np.bool_]


def _start(data: PriceData, path_price: Array) -> PriceState:
    """Find band prices at which the pools are nearly used up, and slacks to match."""
    paths = data.paths
    loaded, drawn = data.load > 0, data.active[:, paths:]
    share = np.take_along_axis(data.band / np.maximum(data.pool_arc.sum(axis=2), 1.0), data.pool, axis=1)
    time_price = np.where(loaded, np.einsum("nka,nk->na", data.path_arc, path_price), 1.0)
    snr = data.power * data.gain
    nats = np.where(loaded, link.LN2 * data.load, 1.0)
    log_price = link.log_capped_curve(np.log1p(snr / share))[0]
    log_price += np.log(nats * (data.weight[:, None] * data.power + time_price)) - 2.0 * np.log(snr)
    dearest = np.where(data.pool_arc > 0, log_price[:, None, :], -np.inf).max(axis=2, initial=-np.inf)
    band_price = np.exp(np.where(drawn, dearest, 0.0))
    for _ in range(4):
        answer = answer_to(data, np.concatenate([path_price, band_price], axis=1))
        bend = -np.einsum("npa,na->np", data.pool_arc, answer.link.band_by_band)
        over = np.log(np.where(drawn, answer.used, 1.0) / np.where(drawn, 0.9 * data.band, 1.0))
        step = over * answer.used * band_price / np.where(drawn, bend, 1.0)
        band_price = band_price * np.exp(np.clip(step, -20.0, 20.0))
    answer = answer_to(data, np.concatenate([path_price, band_price], axis=1))
    longest = answer.path.max(axis=1, where=data.active[:, :paths], initial=0.0)
    dated = np.isfinite(data.deadline)
    deadline = np.where(dated, data.deadline, np.inf)
    time = np.minimum(1.2 * longest, 0.9 * deadline)
    total = path_price.sum(axis=1)
    path_slack = np.maximum(time[:, None] - answer.path, 0.05 * time[:, None])
    return PriceState(
        price=np.concatenate([path_price, band_price], axis=1),
        slack=np.concatenate([path_slack, np.maximum(data.band - answer.used, 0.05 * data.band)], axis=1),
        time=time,
        late_price=np.where(dated, np.maximum(total - data.time_weight, 0.1 * total), 0.0),
        late_slack=np.where(dated, np.where(dated, deadline, 0.0) - time, 1.0),
        scale=data.weight * answer.energy + total * longest,
    )


def _gap(data: PriceData, state: PriceState, answer: Answer, rescue_s: Array, rescue_energy: Array) -> Array:
    """Return the duality gap, relative to the objective, of the primal point that the prices answer with."""
    path_price, band_price = state.price[:, : data.paths], state.price[:, data.paths :]
    drawn = data.active[:, data.paths :]
    # A pool in excess is scaled into its limit, which lengthens its capped arcs by no more than the same factor.
    excess = np.where(drawn, np.maximum(answer.used / data.band, 1.0), 1.0)
    duration = answer.link.duration_s * np.take_along_axis(excess, data.pool, axis=1)
    fitted = answer.ready + np.einsum("nka,na->nk", data.path_arc, duration)
    longest = fitted.max(axis=1, where=data.active[:, : data.paths], initial=0.0)
    dated = np.isfinite(data.deadline)
    limit = np.where(dated, data.deadline, 0.0)
    late = np.where(dated, np.maximum(longest - limit, 0.0), 0.0)
    blend = np.where(late > 0, late / np.where(late > 0, np.maximum(longest - rescue_s, late), 1.0), 0.0)
    mending = blend * np.maximum(rescue_energy - answer.energy, 0.0) * data.weight
    extra = np.where(dated, path_price.sum(axis=1) - data.time_weight, 0.0) * limit
    gap = data.time_weight * longest + extra - (path_price * answer.path).sum(axis=1)
    gap = gap + (np.where(drawn, band_price * np.abs(data.band - answer.used), 0.0)).sum(axis=1) + mending
    value = data.weight * answer.energy + data.time_weight * longest
    relative = np.abs(gap) / np.where(value > 0, value, 1.0)
    # Beyond this excess the energy of the scaled plan is no longer what the prices say to first order.
    return np.where(excess.max(axis=1, initial=1.0) <= _EXCESS, relative, np.inf)


def _barrier(data: PriceData, state: PriceState, answer: Answer, tau: Array) -> Array:
    """Return the dual function with its logarithmic barrier, ``[N]``: concave in the prices."""
    dated = np.isfinite(data.deadline)
    dual = data.weight * answer.energy - np.where(dated, state.late_price * np.where(dated, data.deadline, 0.0), 0.0)
    amounts = np.concatenate([answer.path, answer.used - data.band], axis=1)
    dual = dual + np.where(data.active, state.price * amounts, 0.0).sum(axis=1)
    logs = np.log(np.where(data.active, state.price, 1.0)).sum(axis=1)
    value: Array = dual + tau * (logs + np.log(np.where(dated, state.late_price, 1.0)))
    return value


def _guarded(
    data: PriceData, state: PriceState, rescue_s: Array, rescue_energy: Array, tolerance: float, max_iterations: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Maximise the barrier function by Newton steps with a line search: slower, but it cannot cycle.

    The answers have kinks, where a cap or an end of a CPU range sets in, between which undamped steps may alternate.
    Returns prices and whether the tolerance was met.
    """
    dated = np.isfinite(data.deadline)
    price = np.where(data.active, np.maximum(state.price, 1e-300), state.price)
    total = price[:, : data.paths].sum(axis=1)
    target = np.where(dated, np.maximum(total, 1.01 * data.time_weight), data.time_weight)
    price[:, : data.paths] *= (target / np.where(total > 0, total, 1.0))[:, None]
    state = replace(state, price=price, late_price=np.where(dated, target - data.time_weight, 0.0))
    tau = 0.1 * state.scale
    floor = 0.01 * tolerance * state.scale
    done = np.zeros(len(tau), dtype=np.bool_)
    for _ in range(max_iterations):
        answer = answer_to(data, state.price)
        done |= _gap(data, state, answer, rescue_s, rescue_energy) <= tolerance
        if done.all():
            break
        late_slack = np.where(dated, tau / np.where(dated, state.late_price, 1.0), 1.0)
        state = replace(state, slack=tau[:, None] / state.price, late_slack=late_slack)
        step = direction(data, state, answer, tau)
        slope = (
            step.growth * np.where(data.active, state.price * pressure(data, 0.0 * tau, answer) + tau[:, None], 0.0)
        ).sum(axis=1)
        late_pull = tau - state.late_price * np.where(dated, data.deadline, 0.0)
        slope = slope + np.where(dated, step.late_growth * late_pull, 0.0)
        here = _barrier(data, state, answer, tau)
        prices_only = replace(step, slack=0.0 * step.slack, late_slack=0.0 * step.late_slack)
        length = np.where(done, 0.0, np.minimum(1.0, _TO_BOUNDARY * prices_only.room(state)))
        for _halving in range(30):
            trial = moved(state, prices_only, length)
            there = _barrier(data, trial, answer_to(data, trial.price), tau)
            short = there < here + 0.1 * length * slope - 1e-13 * np.abs(here)
            if not short.any():
                break
            length = np.where(short, 0.5 * length, length)
        state = trial
        centred = slope <= 0.1 * tau
        if (done | centred & (tau <= floor)).all():
            break
        tau = np.where(centred, np.maximum(0.2 * tau, floor), tau)
    return state.price, done


def find_prices(
    batch: PhaseBatch,
    weight_energy: Array,
    weight_time: Array,
    deadline_s: Array,
    path_price_start: Array,
    rescue_s: Array,
    rescue_energy_j: Array,
    *,
    tolerance: float,
    max_iterations: int,
) -> Prices:
    """Return prices whose duality gap, relative to the objective, is below the tolerance where they converged.

    Arguments:
        batch: ``N`` phases.
        weight_energy, weight_time, deadline_s: ``[N]``.
        path_price_start: ``[N, K]`` positive on every path that has work; sums to ``weight_time`` without a deadline.
        rescue_s, rescue_energy_j: ``[N]`` time and energy of a plan inside the deadline, to mend late points.
        tolerance: relative duality gap to reach.
        max_iterations: limit on undamped Newton steps; phases left over get five times as many guarded ones.
    """
    data = PriceData.of(batch, weight_energy, weight_time, deadline_s)
    paths = data.paths
    found = np.concatenate([path_price_start, np.ones_like(batch.pool_bandwidth_hz)], axis=1)
    iterations = np.full(len(found), max_iterations, dtype=np.intp)
    converged = np.zeros(len(found), dtype=np.bool_)
    worked = np.flatnonzero(data.active.any(axis=1))
    idle = ~data.active.any(axis=1)
    converged[idle], iterations[idle] = True, 0
    if worked.size:
        data = data.take(worked)
        state = _start(data, path_price_start[worked])
    centring = np.full(worked.size, 0.2)
    for iteration in range(max_iterations):
        if not worked.size:
            break
        answer = answer_to(data, state.price)
        done = _gap(data, state, answer, rescue_s[worked], rescue_energy_j[worked]) <= tolerance
        found[worked] = state.price
        iterations[worked[done]], converged[worked[done]] = iteration, True
        step = direction(data, state, answer, centring * mean_product(data, state))
        length = np.minimum(1.0, _TO_BOUNDARY * step.room(state))
        state = moved(state, step, length)
        centring = np.where(length > 0.9, 0.05, np.where(length > 0.5, 0.2, 0.5))
        if done.any():
            keep = np.flatnonzero(~done)
            worked, data, state, centring = worked[keep], data.take(keep), state.take(keep), centring[keep]
    if worked.size:
        state = _start(data, path_price_start[worked])
        limits = (rescue_s[worked], rescue_energy_j[worked], tolerance, 5 * max_iterations)
        found[worked], converged[worked] = _guarded(data, state, *limits)
    found = np.where(PriceData.of(batch, weight_energy, weight_time, deadline_s).active, found, 0.0)
    return Prices(found[:, :paths], found[:, paths:], iterations, converged)
