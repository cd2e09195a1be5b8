from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import highspy
import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, milp

from hffm_opt.errors import InputError
from hffm_opt.seeds import derive
from hffm_opt.solvers.engines.highs import HighsModel, HighsOptions, Status, StopReason, relative_gap
from hffm_opt.solvers.engines.highs_builder import ModelBuilder


def knapsack(
    seed: int, items: int = 30, rows: int = 6, *, integer: bool = True
) -> tuple[HighsModel, np.ndarray, np.ndarray]:
    rng = derive(seed, "knapsack")
    builder = ModelBuilder()
    cost, weight = -rng.uniform(1.0, 2.0, items), rng.uniform(0.0, 1.0, (rows, items))
    columns = builder.add_columns(items, upper=1.0, cost=cost, integer=integer)
    row, column = np.indices(weight.shape)
    builder.add_rows(row, columns[column.ravel()], weight, upper=items / 6)
    return builder.build(), cost, weight


@pytest.mark.parametrize("seed", range(5))
def test_optima_equal_scipys(seed: int) -> None:
    model, cost, weight = knapsack(seed, 12)
    integer = milp(cost, constraints=LinearConstraint(weight, -np.inf, 2.0), integrality=np.ones(12), bounds=(0, 1))
    outcome = model.solve()
    assert outcome.objective == pytest.approx(integer.fun, rel=1e-9)
    assert (outcome.status, outcome.stop_reason) == (Status.OPTIMAL, StopReason.GAP_CLOSED)
    assert outcome.x is not None and model.violation(outcome.x) <= 1e-9
    relaxed, _, _ = knapsack(seed, 12, integer=False)
    assert relaxed.solve().objective == pytest.approx(linprog(cost, weight, np.full(6, 2.0), bounds=(0, 1)).fun)


def test_a_relaxation_is_the_linear_program_and_the_integers_come_back() -> None:
    model, cost, weight = knapsack(2, 12)
    bounded = linprog(cost, weight, np.full(6, 2.0), bounds=(0, 1)).fun
    integer = model.solve().objective
    relaxed = model.solve(relax=True)
    assert relaxed.objective == relaxed.bound == pytest.approx(bounded)
    assert relaxed.objective < integer
    assert model.solve().objective == pytest.approx(integer)


def test_a_limit_leaves_a_value_and_a_valid_bound() -> None:
    best = knapsack(1)[0].solve()
    stopped = knapsack(1)[0].solve(HighsOptions(node_limit=1))
    assert stopped.stop_reason is StopReason.NODE_LIMIT
    assert stopped.status is Status.FEASIBLE
    assert stopped.bound <= best.objective <= stopped.objective
    assert stopped.gap == relative_gap(stopped.objective, stopped.bound) > 0


def test_the_time_limit_is_per_solve() -> None:
    model, _, _ = knapsack(0, 80, 25)
    for _ in range(2):
        outcome = model.solve(HighsOptions(time_limit_s=0.3))
        assert outcome.stop_reason is StopReason.TIME_LIMIT
        assert 0.2 < outcome.seconds < 5.0


def test_infeasible_and_unbounded_are_told_apart() -> None:
    builder = ModelBuilder()
    x = builder.add_columns(1, lower=-math.inf, upper=math.inf, cost=1.0)
    row = builder.add_rows([0], x, [1.0], lower=2.0)
    model = builder.build()
    assert model.solve().objective == 2.0
    model.set_row_bounds(int(row[0]), -math.inf, math.inf)
    unbounded = model.solve()
    assert (unbounded.status, unbounded.x, unbounded.bound) == (Status.UNBOUNDED, None, -math.inf)
    model.set_row_bounds(int(row[0]), 2.0, math.inf)
    model.set_column_bounds(x, 0.0, 1.0)
    infeasible = model.solve()
    assert (infeasible.status, infeasible.x, infeasible.bound) == (Status.INFEASIBLE, None, math.inf)


def test_costs_and_bounds_change_without_a_rebuild() -> None:
    model, cost, _ = knapsack(3, 10)
    model.solve()
    model.set_cost(np.arange(10), -cost)
    assert model.solve().objective == 0.0
    model.set_column_bounds([2], 1.0, 1.0)
    assert model.solve().objective == pytest.approx(-cost[2])


def test_a_start_is_taken() -> None:
    model, _, _ = knapsack(4)
    best = model.solve()
    fresh, _, _ = knapsack(4)
    assert best.x is not None
    assert fresh.set_start(best.x)
    outcome = fresh.solve(HighsOptions(node_limit=0))
    assert outcome.start_taken
    assert outcome.objective == pytest.approx(best.objective)


def test_an_infeasible_start_is_refused_at_once() -> None:
    model, _, _ = knapsack(4)
    assert not model.set_start(np.ones(30))
    assert not model.set_start(np.full(30, 0.01))
    assert model.solve().start_taken is None


def test_a_point_that_breaks_a_row_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _, _ = knapsack(5, 10)

    class Lying:
        col_value: tuple[float, ...] = (1.0,) * 10

    monkeypatch.setattr(model._highs, "getSolution", Lying)
    outcome = model.solve()
    assert outcome.x is None
    assert (outcome.status, outcome.stop_reason) == (Status.UNKNOWN, StopReason.NUMERICS)


def test_the_same_seed_gives_the_same_search() -> None:
    first, second = (knapsack(6)[0].solve(HighsOptions(node_limit=50, seed=7)) for _ in range(2))
    assert (first.objective, first.bound, first.nodes) == (second.objective, second.bound, second.nodes)
    assert np.array_equal(first.x, second.x)


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
def test_a_written_program_has_the_same_optimum(tmp_path: Path, suffix: str) -> None:
    model, _, _ = knapsack(7, 10)
    path = tmp_path / f"program{suffix}"
    model.write(path)
    other = highspy.Highs()
    other.silent()
    other.readModel(str(path))
    other.run()
    assert other.getInfo().objective_function_value == pytest.approx(model.solve().objective)


def test_bad_numbers_and_options_are_refused(tmp_path: Path) -> None:
    builder = ModelBuilder()
    builder.add_columns(1, cost=math.inf)
    with pytest.raises(InputError, match="not finite"):
        builder.build()
    with pytest.raises(InputError, match="mip_rel_gap"):
        knapsack(0)[0].solve(HighsOptions(relative_gap=-1.0))
    with pytest.raises(InputError, match="cannot write"):
        knapsack(0)[0].write(tmp_path / "missing" / "program.mps")


def test_an_empty_program_is_solved() -> None:
    outcome = ModelBuilder().build(offset=3.0).solve()
    assert (outcome.status, outcome.objective) == (Status.OPTIMAL, 3.0)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_ctrl_c_ends_a_long_solve_and_nothing_is_printed() -> None:
    script = textwrap.dedent(
        """
        import numpy as np
        from hffm_opt.solvers.engines.highs_builder import ModelBuilder
        rng = np.random.default_rng(0)
        builder = ModelBuilder()
        columns = builder.add_columns(150, upper=1.0, cost=-rng.uniform(1.0, 2.0, 150), integer=True)
        for _ in range(40):
            builder.add_rows(np.zeros(150), columns, rng.uniform(0.0, 1.0, 150), upper=20.0)
        model = builder.build()
        print("ready", flush=True)
        try:
            model.solve()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.7)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20.0)
        finally:
            process.kill()
    assert output == "interrupted\n"
