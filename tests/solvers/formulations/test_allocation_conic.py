"""The cone program against the batched method, and as a part of larger programs."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from allocation_instances import pick, random_batch, random_weights, star

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.seeds import derive
from hffm_opt.solvers.engines.conic import solve_conic
from hffm_opt.solvers.formulations.allocation import Objective, PhaseBatch
from hffm_opt.solvers.formulations.allocation_batch import solve_batch
from hffm_opt.solvers.formulations.allocation_conic import build, solve_reference

COUNT = 20


@pytest.mark.parametrize("form", ["weighted", "latency", "deadline", "both"])
def test_both_methods_agree(form: str) -> None:
    batch = random_batch(COUNT, 31)
    weight, time_weight = random_weights(COUNT, 31)
    if form == "latency":
        weight, time_weight = np.zeros(COUNT), np.ones(COUNT)
    deadline = np.full(COUNT, np.inf)
    if form in ("deadline", "both"):
        time_weight = np.zeros(COUNT) if form == "deadline" else time_weight
        deadline = solve_batch(batch, 0.0, 1.0).time_s * derive(31, form).uniform(1.02, 10, COUNT)
    fast = solve_batch(batch, weight, time_weight, deadline, tolerance=1e-10)
    for number in range(COUNT):
        slow = solve_reference(pick(batch, number), Objective(weight[number], time_weight[number], deadline[number]))
        assert slow.status == "optimal"
        assert slow.objective == pytest.approx(fast.objective[number], rel=1e-7)
        assert slow.lower_bound == pytest.approx(fast.lower_bound[number], rel=1e-7)
        assert slow.lower_bound <= fast.objective[number] * (1 + 1e-12)
        assert slow.kkt_residual < 1e-4


def test_the_reference_reports_physical_values() -> None:
    phase = star([1e6, 2e6], [1e9, 1e8], cycles=[1e8, 2e8])
    found = solve_reference(phase, Objective(1.0, 1.0))
    rate = found.bandwidth_hz * np.log2(1 + found.power_w * phase.gain_to_noise_hz_per_w / found.bandwidth_hz)
    assert found.duration_s == pytest.approx(phase.load_bit / rate, rel=1e-9)
    assert (found.power_w <= phase.power_max_w * (1 + 1e-9)).all()
    computing = 1e-28 * found.cpu_hz**2 * phase.cycles
    assert found.energy_j == pytest.approx(float((found.power_w * found.duration_s + computing).sum()), rel=1e-12)
    assert found.time_s == pytest.approx(float((phase.cycles / found.cpu_hz + found.duration_s).max()), rel=1e-12)
    assert found.objective == pytest.approx(found.energy_j + found.time_s, rel=1e-12)


def test_parts_join_over_phases_with_one_price_of_time() -> None:
    first, second = star([1e6, 2e6], [1e9, 1e8]), star([3e6], [5e8], cycles=[1e8])
    parts = [build(phase, name=f"cell{number}") for number, phase in enumerate((first, second))]
    cycle = cp.Variable(nonneg=True)
    rows = [row for part in parts for row in part.constraints] + [part.time_s <= cycle for part in parts]
    program = cp.Problem(cp.Minimize(sum(part.energy_j for part in parts) + 0.2 * cycle), rows)
    run = solve_conic(program)
    assert run.status == "optimal"
    # The slowest cell sets the cycle: the sum is least where the energies at a common deadline trade against it.
    batch = PhaseBatch.stack([first, second])
    spans = float(cycle.value) * np.array([0.98, 1.0, 1.02])
    totals = [solve_batch(batch, 1.0, 0.0, span).objective.sum() + 0.2 * span for span in spans]
    assert run.value == pytest.approx(totals[1], rel=1e-6)
    assert totals[0] > totals[1] and totals[2] > totals[1]
    for part, phase in zip(parts, (first, second), strict=True):
        assert float(part.read().time_s(phase)) <= float(cycle.value) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("phase", "value"),
    [
        (star([0.0], [1e9]), 0.0),
        (star([0.0, 0.0], [1e9, 1e9], cycles=[1e9, 2e9]), 2.225),
        (star([0.0, 1e6], [1e9, 1e8]), None),
        (star([1e6] * 3, [1e9] * 3, cycles=[1e9] * 3, kappa=0.0), None),
    ],
)
def test_degenerate_phases(phase, value) -> None:
    found = solve_reference(phase, Objective(1.0, 1.0))
    expected = (
        solve_batch(PhaseBatch.stack([phase]), 1.0, 1.0, tolerance=1e-10).objective[0] if value is None else value
    )
    assert found.objective == pytest.approx(expected, rel=1e-7, abs=1e-15)


def test_impossible_deadline_and_missing_time_are_refused() -> None:
    phase = star([1e6, 5e7], [1e9, 1e8])
    with pytest.raises(InfeasibleError, match=r"arc 1") as caught:
        solve_reference(phase, Objective(1.0, 0.0, 1.0))
    allowed = float(caught.value.findings[0].repair.split()[1])
    assert solve_reference(phase, Objective(1.0, 0.0, 1.001 * allowed)).time_s <= 1.001 * allowed
    with pytest.raises(InputError):
        Objective(1.0, 0.0)
