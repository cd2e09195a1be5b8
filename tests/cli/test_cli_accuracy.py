"""Plans that aim at an accuracy, from the command line: keys, views, errors."""

import math

import numpy as np
import pytest

import hffm_opt
from hffm_opt.plan.accuracy import default_curve, rounds_needed
from hffm_opt.plan.files import load_outcome
from hffm_opt.problem import build_problem
from hffm_opt.report.words import objective_words
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.serial import dump_yaml

AIM = ("--objective", "time-to-accuracy", "--target", 0.35)
DEFAULT = default_curve(build_problem(hffm_opt.load_scenario("tiny")))
DULL = LearningCurve(final=0.4, scale_rounds=10, shape=1, half_rounds=0.01, unit_drift=1)


class Cut(LearningCurve):
    """A curve that reaches nothing where Phi is beyond 1."""

    def rounds_to(self, target, drift):
        """Return the rounds of the curve, infinite beyond Phi = 1."""
        return np.where(np.asarray(drift) > 1, np.inf, super().rounds_to(target, drift))


@pytest.fixture(scope="module")
def dull():
    """``tiny`` with a curve of its own that any drift slows down."""
    scenario = hffm_opt.load_scenario("tiny")
    return scenario.model_copy(update={"planning": scenario.planning.model_copy(update={"curve": DULL})})


def test_plan_tells_target_rounds_and_total(hffm, tmp_path):
    path = tmp_path / "plan.json"
    answer = hffm("plan", "tiny", *AIM, "--json", "-o", path)
    assert answer.code == 0
    found = answer.document
    assert (found["objective_name"], found["target"], found["status"]) == ("time-to-accuracy", 0.35, "optimal")
    assert found["objective"] == found["rounds_to_target"] * found["latency_s"]
    assert found["rounds_to_target"] == rounds_needed(DEFAULT, 0.35, found["drift"])
    assert found["bound"] <= found["objective"]
    outcome = load_outcome(path)
    assert outcome.model_dump(mode="json") == found
    assert objective_words(outcome) == "the seconds of all rounds to an accuracy of 0.35"
    assert hffm("evaluate", "tiny", path, "--json").document["feasible"]
    text = hffm("plan", "tiny", *AIM).out
    assert "minimising the seconds of all rounds to an accuracy of 0.35" in text
    assert "rounds to accuracy 0.35" in text and "in all" in text


def test_other_outcomes_are_written_as_before(hffm):
    assert not {"target", "rounds_to_target"} & hffm("plan", "tiny", "--json").document.keys()
    document = hffm("compare", "tiny", "--methods", "star", "--json").document
    assert "target" not in document and "rounds_to_target" not in document["rows"][0]


def test_compare_ranks_by_the_total(hffm):
    call = ("compare", "tiny", "--methods", "star,h-fedfm-2,optimal", "--objective", "energy-to-accuracy")
    document = hffm(*call, "--target", 0.35, "--json").document
    assert document["target"] == 0.35
    for row in document["rows"]:
        assert row["objective"] == row["rounds_to_target"] * row["energy_j"]
        assert row["objective"] >= document["bound"]
    text = hffm(*call, "--target", 0.35).out
    assert "total J" in text and "rounds" in text and "in all to an accuracy of 0.35" in text


def test_the_curve_is_the_calls_else_the_scenarios(hffm, dull, tmp_path):
    steep = hffm_opt.plan(dull, objective="time-to-accuracy", target=0.35)
    given = hffm_opt.plan(dull, objective="time-to-accuracy", target=0.35, curve=DEFAULT)
    assert steep.rounds_to_target == rounds_needed(DULL, 0.35, steep.drift)
    assert given.objective == hffm_opt.plan("tiny", objective="time-to-accuracy", target=0.35).objective
    assert steep.drift < given.drift
    path = tmp_path / "dull.yaml"
    path.write_text(dump_yaml(dull))
    document = hffm("plan", path, *AIM, "--json").document
    assert (document["objective"], document["drift"]) == (steep.objective, steep.drift)


def test_a_drift_that_keeps_below_the_target_is_told(hffm, monkeypatch):
    curve = Cut(**DEFAULT.model_dump())
    for module in ("hffm_opt.asked", "hffm_opt.cli.views.plan"):
        monkeypatch.setattr(f"{module}.curve_of", lambda _: curve)
    answer = hffm("plan", "tiny", *AIM, "--method", "h-fedfm-2", "--json")
    assert (answer.code, answer.document["objective"], answer.document["rounds_to_target"]) == (3, None, None)
    assert "stays below the target at this drift" in hffm("plan", "tiny", *AIM, "--method", "h-fedfm-2").out
    rows = hffm("compare", "tiny", *AIM, "--methods", "star,h-fedfm-2", "--json").document["rows"]
    assert rows[0]["feasible"] and "stays below the target" in rows[1]["reason"]
    held = hffm("plan", "tiny", *AIM, "--circulation", "h-fedfm-2")
    assert held.code == 3 and "stays below the target" in held.err


def test_a_scenario_without_a_curve_keeps_its_fingerprints(dull):
    plain = hffm_opt.load_scenario("tiny")
    assert dull.fingerprint() == plain.fingerprint()
    assert dull.planning_fingerprint() != plain.planning_fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--objective", "time-to-accuracy"), "needs the accuracy to reach"),
        (("--objective", "energy-to-accuracy", "--target", "1.5"), "no accuracy between 0 and 1"),
        (("--objective", "energy-to-accuracy", "--target", "nan"), "no accuracy between 0 and 1"),
        (("--objective", "time-to-accuracy", "--target", "0.6"), "without any drift it leads to 0.5148 at most"),
        (("--objective", "time-to-accuracy", "--target", "1e-300"), "before the first round"),
        (("--target", "0.3"), "of no use to the objective 'weighted'"),
        (("--objective", "pareto", "--target", "0.3"), "belong to a single plan"),
    ],
)
def test_bad_targets_are_told_in_words(hffm, options, message):
    answer = hffm("plan", "tiny", *options)
    assert answer.code == 2 and message in answer.err


def test_limits_hold_per_round(hffm):
    free = hffm("plan", "tiny", *AIM, "--json").document
    tight = hffm("plan", "tiny", *AIM, "--max-energy", 0.98 * free["energy_j"], "--json").document
    assert tight["energy_j"] <= 0.98 * free["energy_j"] * (1 + 1e-6)
    assert tight["objective"] >= free["bound"]
    lifted = hffm("plan", "tiny", *AIM, "--max-drift", "inf", "--json").document
    assert lifted["objective"] <= free["objective"] * (1 + 1e-4)
    assert hffm("plan", "tiny", *AIM, "--max-latency", 0.1).code == 3
    assert math.isfinite(lifted["drift"])
