"""Data, dual bound, repair and optimality residual of the allocation."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from allocation_instances import pick, random_batch, random_weights, star

from hffm_opt.errors import InputError
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.allocation import (
    Decisions,
    Multipliers,
    Objective,
    PhaseBatch,
    PhaseProblem,
    best_cpu_hz,
    dual_bound,
    kkt_residual,
)


def any_feasible(batch: PhaseBatch, seed: int) -> Decisions:
    rng = derive(seed, "feasible")
    shape = batch.load_bit.shape
    cpu = batch.cpu_min_hz + rng.random(batch.cycles.shape) * (batch.cpu_max_hz - batch.cpu_min_hz)
    bandwidth = np.where(batch.loaded, rng.random(shape) + 0.01, 0.0)
    drawn = Decisions(np.zeros(shape), bandwidth, np.where(batch.computes, cpu, 0.0)).fitted(batch)
    return replace(drawn, duration_s=drawn.duration_s * (1 + rng.exponential(1.0, shape)))


def test_any_prices_bound_any_feasible_plan_of_1000() -> None:
    batch = random_batch(1000, 11, wide=True)
    weight, time_weight = random_weights(1000, 11, decades=3)
    plan = any_feasible(batch, 11)
    value = weight * plan.energy_j(batch) + time_weight * plan.time_s(batch)
    deadline = plan.time_s(batch)
    rng = derive(11, "prices")
    for _ in range(5):
        path = time_weight[:, None] * 10 ** rng.uniform(-3, 1, batch.cycles.shape)
        band = (value / batch.pool_bandwidth_hz.T).T * 10 ** rng.uniform(-4, 1, batch.pool_bandwidth_hz.shape)
        for prices in (Multipliers(path, band), Multipliers(path, band, rng.exponential(1.0, batch.load_bit.shape))):
            assert (dual_bound(batch, Objective(weight, time_weight), prices) <= value * (1 + 1e-12)).all()
            late = dual_bound(batch, Objective(weight, 0.0, deadline), prices)
            assert (late <= weight * plan.energy_j(batch) * (1 + 1e-12)).all()


def test_the_bound_at_no_prices_is_the_energy_floor() -> None:
    phase = star([1e6, 0.0], [1e9, 1e9], cycles=[1e8, 0.0], cpu_min=1e8)
    none = Multipliers(np.zeros(2), np.zeros(1))
    floor = 2.0 * (1e6 * np.log(2) / 1e9 + 1e-28 * 1e16 * 1e8)
    assert dual_bound(phase, Objective(2.0, 1.0), none) == pytest.approx(floor, rel=1e-12)


def test_power_price_given_by_hand_is_no_better_than_the_best_one() -> None:
    batch = random_batch(200, 12)
    path = np.full(batch.cycles.shape, 0.25)
    band = 0.1 / batch.pool_bandwidth_hz
    best = dual_bound(batch, Objective(1.0, 1.0), Multipliers(path, band))
    for nu in (0.0, 0.1, 1.0, 10.0):
        by_hand = dual_bound(batch, Objective(1.0, 1.0), Multipliers(path, band, np.full(batch.load_bit.shape, nu)))
        assert (by_hand <= best + 1e-10 * np.abs(best)).all()


def test_cpu_frequency_is_stationary_inside_its_range() -> None:
    phase = star([0.0] * 3, [1e9] * 3, cycles=[1e9] * 3, cpu_min=1e8, cpu_max=1e9)
    price = np.array([0.02, 1e-9, 1e3])
    frequency = best_cpu_hz(phase, np.array(1.0), price)
    assert frequency == pytest.approx([(0.02 / 2e-28) ** (1 / 3), 1e8, 1e9])


def test_fitted_plans_use_the_band_and_keep_the_power() -> None:
    batch = random_batch(300, 13)
    rng = derive(13, "raw")
    raw = Decisions(*(rng.exponential(1.0, shape) for shape in (batch.load_bit.shape,) * 2), batch.cpu_max_hz)
    plan = raw.fitted(batch)
    used = (batch.pool_arc * plan.bandwidth_hz[:, None]).sum(axis=2)
    drawn = batch.pool_arc.any(axis=2)
    assert used[drawn] == pytest.approx(batch.pool_bandwidth_hz[drawn], rel=1e-12)
    sent = (
        plan.bandwidth_hz
        * plan.duration_s
        * np.log2(1 + batch.power_max_w * batch.gain_to_noise_hz_per_w / plan.bandwidth_hz)
    )
    assert (sent >= batch.load_bit * (1 - 1e-12)).all()


def test_residual_vanishes_at_a_solution_known_by_hand_and_not_beside_it() -> None:
    # One device that only computes: min kappa f^2 C + C / f at f = (1 / (2 kappa))^(1/3).
    phase = star([0.0], [1e9], cycles=[1e9], kappa=4e-27)
    frequency = np.array([(1 / 8e-27) ** (1 / 3)])
    prices = Multipliers(np.ones(1), np.zeros(1))
    at = Decisions(np.zeros(1), np.zeros(1), frequency)
    assert kkt_residual(phase, Objective(1.0, 1.0), at, prices) < 1e-12
    beside = replace(at, cpu_hz=1.1 * frequency)
    assert kkt_residual(phase, Objective(1.0, 1.0), beside, prices) > 1e-2


def test_mending_keeps_the_deadline_and_the_budgets() -> None:
    batch = random_batch(200, 14)
    slow = any_feasible(batch, 14)
    slow = replace(slow, duration_s=3 * slow.duration_s)
    fast = any_feasible(batch, 15)
    fast = replace(fast, cpu_hz=np.where(batch.computes, batch.cpu_max_hz, 0.0)).fitted(batch)
    deadline = 0.5 * fast.time_s(batch) + 0.5 * np.maximum(slow.time_s(batch), fast.time_s(batch))
    mended = slow.mended(batch, fast, deadline)
    assert (mended.time_s(batch) <= deadline * (1 + 1e-12)).all()
    again = mended.fitted(batch)
    assert np.allclose(again.bandwidth_hz, mended.bandwidth_hz, rtol=1e-12)
    assert np.allclose(again.duration_s, mended.duration_s, rtol=1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("load_bit", [-1.0, 1e6]),
        ("load_bit", [np.nan, 1e6]),
        ("gain_to_noise_hz_per_w", [0.0, 1e9]),
        ("power_max_w", [np.inf, 1.0]),
        ("pool", [0, 1]),
        ("pool_bandwidth_hz", [0.0]),
        ("cycles", [-1.0, 0.0]),
        ("cpu_min_hz", [2e9, 0.0]),
        ("cpu_max_hz", [0.0, 0.0]),
        ("capacitance", [-1e-28, 0.0]),
        ("path_arc", [[False, False], [False, True]]),
        ("load_bit", [1e6]),
    ],
)
def test_faults_are_named_with_their_place(field: str, value: list[float]) -> None:
    good = star([1e6, 1e6], [1e9, 1e9], cycles=[1e9, 1e9])
    with pytest.raises(InputError) as caught:
        replace(good, **{field: value})
    assert any(finding.path.startswith(f"phase.{field}") for finding in caught.value.findings)


def test_all_faults_are_reported_at_once() -> None:
    good = star([1e6, 1e6], [1e9, 1e9])
    with pytest.raises(InputError) as caught:
        replace(good, load_bit=[-1.0, 1.0], power_max_w=[0.0, 1.0])
    assert len(caught.value.findings) == 2


@pytest.mark.parametrize(
    "arguments", [{}, {"weight_time": -1.0}, {"weight_energy": np.nan}, {"weight_energy": 0.0, "deadline_s": 1.0}]
)
def test_objectives_without_a_minimum_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Objective(**arguments)


def test_arrays_of_a_phase_cannot_be_written() -> None:
    phase = star([1e6], [1e9])
    for field in fields(phase):
        with pytest.raises(ValueError):
            getattr(phase, field.name)[...] = 0


def test_stacking_pads_and_picks_back() -> None:
    small, large = star([1e6], [1e9]), star([1e6, 2e6, 3e6], [1e9, 1e8, 1e7], cycles=[1e9] * 3)
    batch = PhaseBatch.stack([small, large])
    assert batch.load_bit.tolist() == [[1e6, 0, 0], [1e6, 2e6, 3e6]]
    again = pick(batch, 1)
    assert all(np.array_equal(getattr(again, f.name), getattr(large, f.name)) for f in fields(PhaseProblem))
    with pytest.raises(InputError):
        PhaseBatch.stack([])
