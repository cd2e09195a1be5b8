"""The conic engine: only proven statuses count."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from hffm_opt.errors import InfeasibleError
from hffm_opt.solvers.engines.conic import ConicSolverError, engine_name, solve_conic


def test_a_known_optimum_is_reached() -> None:
    x = cp.Variable(2)
    # min e^x0 + e^x1 on x0 + x1 = 2 is 2 e at (1, 1).
    run = solve_conic(cp.Problem(cp.Minimize(cp.sum(cp.exp(x))), [cp.sum(x) == 2]))
    assert run.status == "optimal" and run.value == pytest.approx(2 * np.e, rel=1e-9)
    assert x.value == pytest.approx([1.0, 1.0], abs=1e-5)
    assert run.engine == engine_name() and run.engine.startswith("clarabel ")
    assert run.iterations > 0 and run.seconds > 0


def test_infeasible_and_unbounded_programs_are_told_apart() -> None:
    x = cp.Variable()
    with pytest.raises(InfeasibleError):
        solve_conic(cp.Problem(cp.Minimize(x), [x >= 1, x <= 0]))
    with pytest.raises(ConicSolverError, match="unbounded"):
        solve_conic(cp.Problem(cp.Minimize(x)))


def test_an_inaccurate_solution_is_refused_unless_asked_for() -> None:
    rng = np.random.default_rng(0)
    x = cp.Variable(20)
    data = rng.normal(size=(60, 20)) * 10 ** rng.uniform(-4, 4, 20)
    hard = cp.Problem(cp.Minimize(cp.sum(cp.logistic(data @ x)) + 1e-3 * cp.norm(x)))
    with pytest.raises(ConicSolverError, match="optimal_inaccurate"):
        solve_conic(hard, tolerances=(1e-30,))
    rough = solve_conic(hard, tolerances=(1e-30,), keep_inaccurate=True)
    assert rough.status == "optimal_inaccurate"
    assert solve_conic(hard, tolerances=(1e-30, 1e-7)).tolerance == 1e-7
