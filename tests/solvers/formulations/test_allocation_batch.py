"""The batched solver: certificates, closed forms, brute force, monotonicity, deadlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from allocation_instances import pick, random_batch, random_weights, star
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import lambertw

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation import Decisions, Multipliers, Objective, PhaseBatch, kkt_residual
from hffm_opt.solvers.formulations.allocation_batch import BatchResult, solve_batch
from hffm_opt.solvers.formulations.allocation_deadline import fastest_plan, require_deadline


def check_feasible(batch: PhaseBatch, result: BatchResult, deadline: np.ndarray | float = np.inf) -> None:
    plan = result.decisions
    used = (batch.pool_arc * plan.bandwidth_hz[:, None]).sum(axis=2)
    assert (used <= batch.pool_bandwidth_hz * (1 + 1e-12)).all()
    energy = link.energy_j(batch.load_bit, plan.duration_s, plan.bandwidth_hz, batch.gain_to_noise_hz_per_w)
    assert (energy <= batch.power_max_w * plan.duration_s * (1 + 1e-9)).all()
    assert (plan.cpu_hz <= batch.cpu_max_hz * (1 + 1e-12)).all()
    assert (plan.cpu_hz >= np.where(batch.computes, batch.cpu_min_hz, 0.0) * (1 - 1e-12)).all()
    assert (result.time_s <= deadline * np.ones(1) * (1 + 1e-9)).all()


@pytest.mark.parametrize(("arcs", "paths", "pools"), [(4, 4, 2), (5, 3, 1), (1, 1, 1), (5, 5, 2)])
@pytest.mark.parametrize("wide", [False, True])
def test_1000_random_phases_are_solved_with_proof(arcs: int, paths: int, pools: int, wide: bool) -> None:
    batch = random_batch(1000, 21, arcs=arcs, paths=paths, pools=pools, wide=wide)
    weight, time_weight = random_weights(1000, 21, decades=3 if wide else 1)
    result = solve_batch(batch, weight, time_weight)
    check_feasible(batch, result)
    assert (result.lower_bound <= result.objective * (1 + 1e-12)).all()
    assert result.gap.max() <= 1e-6 and np.quantile(result.gap, 0.99) <= 1e-8
    assert result.converged.all()


@pytest.mark.parametrize("wide", [False, True])
def test_1000_random_deadlines_are_met_with_proof(wide: bool) -> None:
    batch = random_batch(1000, 22, wide=wide)
    weight, time_weight = random_weights(1000, 22, decades=3 if wide else 1)
    fastest = solve_batch(batch, 0.0, 1.0)
    assert fastest.gap.max() <= 1e-6
    deadline = fastest.time_s * (1 + 10 ** derive(22, "deadline").uniform(-3, 2, 1000))
    for pressure in (0.0, time_weight):
        result = solve_batch(batch, weight, pressure, deadline)
        check_feasible(batch, result, deadline)
        assert result.feasible.all() and result.converged.all()
        assert result.gap.max() <= 1e-6 and result.gap.min() >= -1e-12


def test_residuals_of_the_optimality_conditions_vanish() -> None:
    batch = random_batch(50, 23)
    result = solve_batch(batch, 1.0, 1.0, tolerance=1e-10)
    for number in range(50):
        plan = Decisions(
            *(getattr(result.decisions, name)[number] for name in ("duration_s", "bandwidth_hz", "cpu_hz"))
        )
        prices = Multipliers(result.multipliers.path[number], result.multipliers.band[number])
        assert kkt_residual(pick(batch, number), Objective(1.0, 1.0), plan, prices) < 1e-5


def test_star_at_a_deadline_obeys_the_price_law_of_lambert() -> None:
    loads, gains = np.array([1e6, 2e6, 5e5, 3e6]), np.array([1e9, 3e8, 1e8, 2e9])
    deadline = 4.0
    batch = PhaseBatch.stack([star(loads, gains, power=10.0)])
    result = solve_batch(batch, 1.0, 0.0, deadline, tolerance=1e-11)
    plan, price = result.decisions, result.multipliers.band[0, 0]
    assert plan.duration_s[0] == pytest.approx(np.full(4, deadline), rel=1e-6)
    x = loads * np.log(2) / (deadline * plan.bandwidth_hz[0])
    assert x * np.exp(x) - np.exp(x) + 1 == pytest.approx(price * gains / deadline, rel=1e-4)

    # The same optimum from one price, found by bisection on the closed form.
    def bands(mu: float) -> np.ndarray:
        return loads * np.log(2) / deadline / (1 + lambertw((mu * gains / deadline - 1) / np.e).real)

    low, high = 1e-14, 1.0
    for _ in range(200):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if bands(middle).sum() > 1e6 else (low, middle)
    closed = link.energy_j(loads, np.full(4, deadline), bands(low), gains).sum()
    assert result.objective[0] == pytest.approx(closed, rel=1e-7)
    assert price == pytest.approx(low, rel=1e-4)


def test_two_arcs_by_brute_force() -> None:
    phase = star([2e6, 1e6], [1e8, 4e8], power=0.5, cycles=[3e8, 8e8], cpu_max=1e9, cpu_min=1e8, kappa=1e-27)
    result = solve_batch(PhaseBatch.stack([phase]), 1.0, 0.3)
    share = np.linspace(0.005, 0.995, 149)[:, None, None]
    time = np.linspace(0.85, 1.5, 150)[None, :, None] * result.time_s[0]
    split = np.linspace(0.01, 0.99, 147)[None, None, :]
    total = 0.3 * time[..., 0]
    for device, part in ((0, share), (1, 1 - share)):
        air = time * split
        band = part * 1e6
        energy = link.energy_j(phase.load_bit[[device]], air, band, phase.gain_to_noise_hz_per_w[[device]])
        frequency = np.maximum(phase.cycles[device] / (time - air), 1e8)
        fits = (energy <= 0.5 * air) & (frequency <= 1e9)
        cost = np.where(fits, energy + 1e-27 * frequency**2 * phase.cycles[device], np.inf)
        total = total + cost.min(axis=2)
    grid = total.min()
    assert result.objective[0] <= grid * (1 + 1e-9)
    assert result.objective[0] >= grid * (1 - 3e-3)


def resolved(batch: PhaseBatch, **changes: np.ndarray) -> float:
    return float(solve_batch(replace(batch, **changes), 1.0, 1.0).objective[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 100.0))
def test_more_of_anything_good_never_hurts(seed: int, factor: float) -> None:
    batch = random_batch(1, seed, wide=True)
    base = resolved(batch)
    slack = 1 + 1e-6
    assert resolved(batch, pool_bandwidth_hz=batch.pool_bandwidth_hz * factor) <= base * slack
    assert resolved(batch, power_max_w=batch.power_max_w * factor) <= base * slack
    assert resolved(batch, gain_to_noise_hz_per_w=batch.gain_to_noise_hz_per_w * factor) <= base * slack
    assert resolved(batch, cpu_max_hz=batch.cpu_max_hz * factor) <= base * slack
    assert resolved(batch, load_bit=batch.load_bit * factor) >= base / slack


def test_units_do_not_matter() -> None:
    batch = random_batch(100, 24)
    base = solve_batch(batch, 1.0, 1.0)
    # Ten times the load over ten times the band at a tenth of the gain: the same times, ten^2 the energy.
    scaled = replace(
        batch,
        load_bit=10 * batch.load_bit,
        pool_bandwidth_hz=10 * batch.pool_bandwidth_hz,
        gain_to_noise_hz_per_w=0.1 * batch.gain_to_noise_hz_per_w,
        power_max_w=100 * batch.power_max_w,
        capacitance=100 * batch.capacitance,
    )
    other = solve_batch(scaled, 0.01, 1.0)
    assert other.objective == pytest.approx(base.objective, rel=2e-8)


def test_impossible_deadlines_are_proven_and_near_ones_mended() -> None:
    batch = random_batch(200, 25)
    fastest = solve_batch(batch, 0.0, 1.0)
    factor = np.where(np.arange(200) % 2 == 0, 0.9, 1.1)
    result = solve_batch(batch, 1.0, 0.0, factor * fastest.time_s)
    assert (result.feasible == (factor > 1)).all()
    assert np.isinf(result.objective[factor < 1]).all() and result.converged[factor > 1].all()
    assert result.fastest_s == pytest.approx(fastest.time_s, rel=1e-7)


def test_deadline_at_the_limit_keeps_a_valid_bound() -> None:
    batch = random_batch(100, 26)
    fastest = solve_batch(batch, 0.0, 1.0, tolerance=1e-10)
    result = solve_batch(batch, 1.0, 0.0, fastest.time_s)
    relaxed = solve_batch(batch, 1.0, 0.0, 1.0001 * fastest.time_s)
    seen = result.feasible
    assert seen.any()
    assert (result.lower_bound[seen] <= result.objective[seen] * (1 + 1e-12)).all()
    assert (result.time_s[seen] <= fastest.time_s[seen] * (1 + 1e-7)).all()
    assert (relaxed.lower_bound[seen] <= result.objective[seen] * (1 + 1e-9)).all()


def test_equal_devices_share_equally() -> None:
    result = solve_batch(PhaseBatch.stack([star([1e6] * 4, [1e9] * 4, cycles=[1e9] * 4)]), 1.0, 1.0)
    assert result.decisions.bandwidth_hz[0] == pytest.approx(np.full(4, 2.5e5), rel=1e-9)
    assert result.multipliers.path[0] == pytest.approx(np.full(4, 0.25), rel=1e-9)


def test_degenerate_phases() -> None:
    nothing = star([0.0], [1e9])
    only_computing = star([0.0, 0.0], [1e9, 1e9], cycles=[1e9, 2e9])
    half = star([0.0, 1e6], [1e9, 1e8])
    single = star([1e6], [1e8])
    free_cpu = star([1e6], [1e8], cycles=[1e9], kappa=0.0)
    result = solve_batch(PhaseBatch.stack([nothing, only_computing, half, single, free_cpu]), 1.0, 1.0)
    assert result.converged.all() and result.gap.max() <= 1e-7
    assert result.objective[0] == 0.0 and result.iterations[0] == 0
    # Path 1 paces: y1 = 1 - y0 and both end together, f1 = 2 f0 = 1 GHz at the cap.
    assert result.objective[1] == pytest.approx(2.0 + 1e-28 * (0.25e18 * 1e9 + 1e18 * 2e9), rel=1e-7)
    assert result.objective[2] == pytest.approx(result.objective[3], rel=1e-7)
    assert result.objective[4] == pytest.approx(result.objective[3] + 1.0, rel=1e-7)


def test_paths_listed_twice_or_contained_change_nothing() -> None:
    one = star([1e6, 1e6], [1e9, 1e8])
    zeros = np.zeros(4)
    rows = np.array([[1, 1], [1, 1], [0, 1], [1, 0]], dtype=bool)
    chain = replace(
        one, path_arc=rows[:2], **dict.fromkeys(("cycles", "cpu_min_hz", "cpu_max_hz", "capacitance"), np.zeros(2))
    )
    more = replace(one, path_arc=rows, **dict.fromkeys(("cycles", "cpu_min_hz", "cpu_max_hz", "capacitance"), zeros))
    result = solve_batch(PhaseBatch.stack([chain, more]), 1.0, 1.0)
    assert result.converged.all()
    assert result.objective[0] == pytest.approx(result.objective[1], rel=1e-7)


def test_order_and_company_do_not_matter() -> None:
    batch = random_batch(64, 27)
    together = solve_batch(batch, 1.0, 1.0)
    alone = [float(solve_batch(batch.take(np.array([n])), 1.0, 1.0).objective[0]) for n in range(0, 64, 8)]
    assert together.objective[::8] == pytest.approx(alone, rel=1e-9)


def test_neither_time_weight_nor_deadline_is_refused() -> None:
    with pytest.raises(InputError, match="weight_time"):
        solve_batch(random_batch(1, 0), 1.0)


def test_an_impossible_deadline_names_what_stands_in_the_way() -> None:
    slow_arc = star([1e6, 5e7], [1e9, 1e8])
    with pytest.raises(InfeasibleError, match=r"path 1 alone.*arc 1"):
        require_deadline(slow_arc, 1.0)
    slow_cpu = star([1e3, 1e3], [1e9, 1e9], cycles=[1e10, 1e9])
    with pytest.raises(InfeasibleError, match=r"path 0 alone.*its computation"):
        require_deadline(slow_cpu, 1.0)
    crowd = star([1e6] * 5, [1e8] * 5)
    least = float(fastest_plan(crowd).time_s[0])
    with pytest.raises(InfeasibleError, match=r"share the bands"):
        require_deadline(crowd, 0.9 * least)
    require_deadline(crowd, 1.000001 * least)
