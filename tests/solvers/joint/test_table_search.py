"""The table of all circulations against the relaxed programs, and the bounds that duals prove."""

from functools import partial

import numpy as np
import pytest
from accuracy_cases import CURVES

from hffm_opt import random_scenario
from hffm_opt.plan.circulation import drift
from hffm_opt.problem import build_problem
from hffm_opt.solvers import optimal as optimal_method
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation_table import CirculationTable, table_rows
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.fixed import judge_with
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.states import circulation_of, possible_states
from hffm_opt.solvers.joint.table_search import TableSearch, stretched
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request


@pytest.mark.parametrize("profile", ["si", "reference"])
@pytest.mark.parametrize("seed", range(8))
def test_table_and_programs_find_the_same_optimum(seed, profile, monkeypatch):
    scenario = random_scenario(seed, cells=1 + seed % 3, devices=(1, 3), modules=1 + seed % 2, profile=profile)
    problem = build_problem(scenario)
    request = default_request(scenario, objective=("weighted", "latency", "energy")[seed % 3], gap=1e-6)
    listed = solve(problem, "optimal", request)
    monkeypatch.setattr(optimal_method, "MOST", 0)
    assert solve(problem, "optimal", request).objective == pytest.approx(listed.objective, rel=3e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_the_circulations_of_the_menu(seed):
    problem = build_problem(random_scenario(seed, cells=2, devices=(1, 3), modules=2, profile="si"))
    planning = problem.scenario.planning
    limit = np.inf if planning.drift_max is None else planning.drift_max
    table = CirculationTable.of(problem, possible_states(problem), Weights(1.0, 1.0, 0.5, max_drift=limit))
    assert 0 < table.size <= table_rows(problem)
    assert len({tuple(row) for row in table.sequences.tolist()}) == table.size
    for row in range(0, table.size, max(1, table.size // 40)):
        circulation = circulation_of(problem, table.row_states(row))
        periods = {p for c in circulation for p in (c.d2d, c.edge, c.cloud) if p is not None}
        assert periods <= set(planning.periods)
        assert table.penalty[row] == pytest.approx(0.5 * drift(problem, circulation))
        assert drift(problem, circulation) <= limit * (1 + 1e-6)


@pytest.mark.parametrize("curve", [None, "steep"])
@pytest.mark.parametrize("profile", ["si", "reference"])
@pytest.mark.parametrize("seed", range(6))
def test_no_bound_of_the_table_exceeds_what_a_circulation_costs(seed, profile, curve):
    """Judge a few circulations, then hold every row's bound against its own optimum, with and without a target."""
    problem = build_problem(random_scenario(seed, cells=2, devices=(1, 3), modules=1, profile=profile, periods=(1, 2)))
    aimed = None if curve is None else partial(CURVES[curve][0].rounds_to, CURVES[curve][1])
    weights, rounds = Weights(1.0, 0.3, 0.0, rounds=aimed), FixedRounds(problem)
    judge = judge_with(problem, rounds, 1e-9)
    table = CirculationTable.of(problem, possible_states(problem), weights)
    search = TableSearch(problem, table, judge, rounds.support, rounds.collection_support, weights)
    truth = np.array(
        [judge(table.row_states(k), search.calendars[_first(table, k)], weights).value for k in range(table.size)]
    )
    assert (search.table.lower <= truth * (1 + 1e-9)).all()
    for _ in range(3):
        judged = search.step(int(np.argmin(search.table.lower)), np.inf)
        open_rows = np.isfinite(search.table.lower)
        assert np.isclose(truth, judged.value, rtol=1e-9).any()
        assert (search.table.lower[open_rows] <= truth[open_rows] * (1 + 1e-9)).all()


def _first(table, row):
    return None if table.first[row] < 0 else int(table.first[row])


def test_duals_of_fewer_kinds_of_round_spread_over_more():
    problem = build_problem(random_scenario(1, cells=2, devices=(1, 2), modules=1, periods=(1, 2, 4, 8)))
    weights, rounds = Weights(1.0, 1.0, 0.0), FixedRounds(problem)
    table = CirculationTable.of(problem, possible_states(problem), weights)
    row = int(np.flatnonzero((table.sequences == table.sequences[:, :1]).all(axis=1) & (table.first == 0))[0])
    full, short = Calendar.of(problem, 3, 0), Calendar.of(problem, 0, 0)
    duals = judge_with(problem, rounds, 1e-9)(table.row_states(row), full, weights).duals
    wide = stretched(duals, short, full)
    assert wide.before.shape == (2, 4)
    for name in ("before", "after", "energy"):
        np.testing.assert_allclose(getattr(wide, name).sum(axis=-1), getattr(duals, name).sum(axis=-1))
