"""The functions of the top level return the stages' types, whatever form their arguments have."""

import json
import math
from functools import partial

import pytest

import hffm_opt
from hffm_opt import loop
from hffm_opt.api import load_outcome
from hffm_opt.comparison import Comparison
from hffm_opt.errors import InputError
from hffm_opt.measurement import Measurement
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import Evaluation
from hffm_opt.problem import build_problem
from hffm_opt.report import read_run
from hffm_opt.serial import dump_json, dump_yaml
from hffm_opt.solvers.registry import solve
from hffm_opt.trace import Trace


@pytest.fixture(scope="module")
def tiny():
    return hffm_opt.load_scenario("tiny")


@pytest.fixture(scope="module")
def outcome(tiny):
    return hffm_opt.plan(tiny)


def test_every_public_name_is_there():
    assert set(dir(hffm_opt)) >= set(hffm_opt.__all__)
    assert all(getattr(hffm_opt, name) for name in hffm_opt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hffm_opt.nothing


def test_the_function_plan_outlives_imports_of_the_package_plan():
    from hffm_opt.plan import referee

    assert referee.evaluate_plan
    assert hffm_opt.plan("tiny", method="star").feasible


def test_a_scenario_may_be_a_value_a_name_or_a_path(tiny, tmp_path):
    path = tmp_path / "same.yaml"
    path.write_text(dump_yaml(tiny))
    found = [hffm_opt.plan(form, method="star").plan for form in (tiny, "tiny", path, str(path))]
    assert all(isinstance(plan, Plan) for plan in found)
    assert all(plan == found[0] for plan in found)


def test_a_plan_may_be_a_value_an_outcome_or_a_path(tiny, outcome, tmp_path):
    assert isinstance(outcome, Outcome)
    alone, whole = tmp_path / "plan.json", tmp_path / "outcome.json"
    alone.write_text(dump_json(outcome.plan))
    whole.write_text(dump_json(outcome))
    found = [hffm_opt.evaluate(tiny, form) for form in (outcome, outcome.plan, alone, str(whole))]
    assert all(isinstance(verdict, Evaluation) for verdict in found)
    assert all(verdict == found[0] for verdict in found)
    assert hffm_opt.load_plan(whole) == outcome.plan
    assert (load_outcome(whole), load_outcome(alone)) == (outcome, None)


def test_evaluate_takes_a_limit_on_drift(tiny):
    plan = hffm_opt.plan(tiny, method="edge-only", max_drift=math.inf)
    assert plan.feasible
    assert not hffm_opt.evaluate(tiny, plan).feasible
    assert hffm_opt.evaluate(tiny, plan, max_drift=math.inf).feasible


def test_no_stage_writes_into_its_input(tiny):
    before = dump_yaml(tiny)
    found = hffm_opt.plan(tiny)
    text = dump_json(found)
    hffm_opt.evaluate(tiny, found)
    hffm_opt.compare(tiny, ["star", "optimal"])
    assert (dump_yaml(tiny), dump_json(found)) == (before, text)


def test_the_optimum_never_loses(tiny):
    comparison = hffm_opt.compare(tiny)
    assert isinstance(comparison, Comparison)
    rows = {row.method: row for row in comparison.rows}
    best = rows["optimal"].objective
    assert all(best <= row.objective * (1 + 1e-12) for row in rows.values() if row.feasible)
    assert comparison.bound <= best
    assert all(bool(row.reason) != row.feasible for row in rows.values())


def test_a_method_that_cannot_plan_has_a_row_that_says_why(tiny):
    unconnected = tiny.model_copy(update={"cloud": tiny.cloud.model_copy(update={"direct": None})})
    rows = hffm_opt.compare(unconnected, ["star", "h-fedfm-2"]).rows
    assert (rows[0].feasible, rows[0].latency_s, rows[0].objective) == (False, None, None)
    assert "direct link" in rows[0].reason
    assert rows[1].feasible


def test_methods_of_the_callers_are_judged_beside_the_others(tiny, outcome, tmp_path):
    """A rule, a plan, a file, a plan for another network, something that is no plan."""
    (tmp_path / "plan.json").write_text(dump_json(outcome))
    elsewhere = hffm_opt.plan("paper", method="star").plan
    asked = []

    def rule(problem, request):
        asked.append(request.seed)
        return solve(problem, "h-fedfm-4+best-head", request).plan

    own = {"rule": rule, "plan": outcome.plan, "file": str(tmp_path / "plan.json")}
    own |= {"elsewhere": elsewhere, "broken": lambda *_: None}
    found = hffm_opt.compare(tiny, ["h-fedfm-4+best-head", "optimal"], own=own, seed=3, draws=2)
    rows = {row.method: row for row in found.rows}
    assert list(rows) == ["h-fedfm-4+best-head", "optimal", *own] and asked == [3]
    assert rows["rule"].objective == rows["h-fedfm-4+best-head"].objective
    assert rows["rule"].gap_to_bound == rows["h-fedfm-4+best-head"].gap_to_bound > 0
    assert rows["plan"].objective == rows["file"].objective == rows["optimal"].objective
    assert (rows["elsewhere"].feasible, rows["broken"].feasible) == (False, False)
    assert "NoneType" in rows["broken"].reason and rows["elsewhere"].reason
    assert {o.method for o in found.outcomes} == {"h-fedfm-4+best-head", "optimal", "rule", "plan", "file"}
    with pytest.raises(InputError, match="another"):
        hffm_opt.compare(tiny, ["star"], own={"greedy": outcome})


@pytest.mark.parametrize("arguments", [{"objective": "speed"}, {"gap": -1.0}, {"max_drift": math.nan}, {"draws": -1}])
def test_wrong_arguments(tiny, arguments):
    with pytest.raises(InputError):
        hffm_opt.compare(tiny, ["star"], **arguments)


def test_train_returns_every_stage(tiny, outcome, tmp_path):
    seen = []
    run = hffm_opt.train(tiny, outcome, rounds=1, seed=5, out=tmp_path, on_round=lambda *news: seen.append(news))
    assert isinstance(run.trace, Trace)
    assert isinstance(run.measurement, Measurement)
    assert run.outcome == outcome
    assert [record.round for record, _ in seen] == [1]
    assert run.measurement.difference.energy_j == pytest.approx(0, abs=1e-9)
    kept = read_run(tmp_path)
    assert (kept.plan, kept.outcome, kept.measurement) == (run.plan, run.outcome, run.measurement)
    assert kept.evaluation == run.evaluation
    assert kept.trace.rounds == run.trace.rounds


def test_a_certificate_from_a_file_stays_only_if_its_figures_are_true(tiny, outcome):
    problem = build_problem(tiny)
    assert loop.adopt_outcome(problem, outcome) == outcome
    boast = outcome.model_copy(update={"energy_j": outcome.energy_j / 2, "bound": 0.1})
    judged = loop.adopt_outcome(problem, boast)
    assert (judged.energy_j, judged.bound, judged.gap) == (outcome.energy_j, None, None)
    assert judged.objective == pytest.approx(outcome.objective, rel=1e-12)


def test_outcome_files_are_json_for_any_reader(outcome):
    assert json.loads(dump_json(outcome))["plan"]["format"] == "hffm-plan/1"


def test_a_single_method_may_stand_without_a_list_and_runs_once():
    assert [row.method for row in hffm_opt.compare("tiny", "star").rows] == ["star"]
    assert [row.method for row in hffm_opt.compare("tiny", ["star", "star"]).rows] == ["star"]


def test_a_negative_seed_is_refused_before_any_work():
    for call in (hffm_opt.plan, partial(hffm_opt.train, rounds=1)):
        with pytest.raises(InputError, match="-1 is below 0"):
            call("tiny", method="star", seed=-1)
