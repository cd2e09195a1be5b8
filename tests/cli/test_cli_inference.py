"""Inference on the command line: the example from planning to answers, and what is refused."""

from pathlib import Path

import pytest

from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "inference.yaml"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The example's plan without exits."""
    from hffm_opt.inference import plan_inference
    from hffm_opt.serial import dump_json, write_text

    path = tmp_path_factory.mktemp("plans") / "plan.json"
    write_text(path, dump_json(plan_inference(EXAMPLE)))
    return path


def test_the_example_is_planned_and_answered(hffm, tmp_path, plan):
    made = hffm("plan", EXAMPLE, "--for", "inference", "-o", tmp_path / "plan.json", "--json")
    assert made.code == 0
    document = made.document
    assert (document["status"], document["plan"]["format"]) == ("optimal", "hffm-inference-plan/1")
    others = [
        hffm("plan", EXAMPLE, "--for", "inference", "--method", method, "--json")
        for method in ("greedy", "edge-only", "cloud-only", "device-only")
    ]
    assert [other.code for other in others] == [0, 0, 0, 3]  # the watch cannot hold the model
    assert all(other.document["objective"] >= document["objective"] for other in others[:3])
    done = hffm("infer", EXAMPLE, "--plan", plan, "--samples", 1, "-o", tmp_path / "out", "--json")
    assert done.code == 0
    for result in done.document["classes"]:
        assert result["identical"] == result["unsplit"] == 1
        assert result["measured"]["latency_s"] == pytest.approx(result["predicted"]["latency_s"], rel=1e-9)
    assert (tmp_path / "out" / "ledger.csv").read_text().startswith("name,request,event,")
    assert (tmp_path / "out" / "inference.json").is_file()


def test_people_read_where_it_runs(hffm, tmp_path):
    said = hffm("plan", EXAMPLE, "--for", "inference", "-o", tmp_path / "plan.json")
    assert "watch-digits" in said.out and "A mean request:" in said.out
    assert "hffm infer" in said.err
    refused = hffm("plan", EXAMPLE, "--for", "inference", "--method", "device-only")
    assert refused.code == 3 and "breaks limits" in refused.out
    energy = hffm("plan", EXAMPLE, "--for", "inference", "--objective", "energy", "--json").document
    assert energy["weights"] == [0.0, 1.0]


def test_exits_from_calibration_to_answers(hffm, tmp_path):
    text = dump_yaml(load_scenario(EXAMPLE)).replace("calibration_samples: 200", "calibration_samples: 20")
    scenario = tmp_path / "few.yaml"
    scenario.write_text(text)
    found = hffm("infer", scenario, "--calibrate", tmp_path / "exits")
    assert found.code == 0 and "Exits" in found.out
    given = ("--exits", tmp_path / "exits")
    assert hffm("plan", scenario, "--for", "inference", *given, "-o", tmp_path / "plan.json").code == 0
    said = hffm("infer", scenario, "--plan", tmp_path / "plan.json", *given, "--samples", 2)
    assert said.code == 0 and "Where requests ended" in said.out and "--run RUN" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", EXAMPLE, "--for", "inference", "--max-latency", "1"), "belongs to plans of training"),
        (("plan", EXAMPLE, "--for", "inference", "--objective", "pareto"), "pareto belongs to plans of training"),
        (("plan", "tiny", "--for", "inference"), "has no requests"),
        (("plan", "tiny", "--exits", "somewhere"), "--for inference"),
        (("plan", EXAMPLE, "--for", "inference", "--exits", "nowhere"), "no such file"),
        (("plan", EXAMPLE, "--for", "inference", "--method", "edge"), "did you mean 'edge-only'"),
        (("infer", EXAMPLE), "neither is given"),
        (("infer", EXAMPLE, "--calibrate", "a", "--samples", "2"), "belongs to answering"),
        (("infer", EXAMPLE, "--plan", "nowhere.json"), "no such file"),
    ],
)
def test_bad_calls_are_answered_with_the_repair(hffm, arguments, words):
    answer = hffm(*arguments)
    assert answer.code == 2
    assert words in answer.err


def test_plans_of_two_kinds_are_told_apart(hffm, plan, tiny_plan):
    assert "this is a plan of training" in hffm("infer", EXAMPLE, "--plan", tiny_plan).err
    answer = hffm("train", "tiny", "--plan", plan, "--rounds", 1)
    assert answer.code == 2
    assert "this is a plan of inference, and a plan of training is needed here" in answer.err
    assert "hffm infer S --plan FILE" in answer.err


def test_a_chain_that_fits_nowhere_is_proven_so(hffm, tmp_path):
    text = dump_yaml(load_scenario(EXAMPLE)).replace("rate_per_s: 4.0", "rate_per_s: 4000.0")
    (tmp_path / "busy.yaml").write_text(text)
    answer = hffm("plan", tmp_path / "busy.yaml", "--for", "inference", "--json")
    assert answer.code == 3
    (finding, *_) = answer.document["findings"]
    assert "rate_per_s" in finding["repair"]


def test_answers_are_reported_and_take_the_place_of_no_run(hffm, tmp_path, plan):
    out = tmp_path / "answers"
    assert hffm("infer", EXAMPLE, "--plan", plan, "--samples", 1, "-o", out).code == 0
    assert load_scenario(out / "scenario.yaml") == load_scenario(EXAMPLE)
    assert (out / "plan.json").read_text() == plan.read_text()
    assert hffm("report", out, "--json").document["path"] == str(out / "report.html")
    for name in ("trace.json", "outcome.json", "walk.json", "walk-trace.json"):  # complete, and stopped before that
        (out / name).write_text("{}")
        refused = hffm("infer", EXAMPLE, "--plan", plan, "--samples", 1, "-o", out)
        assert refused.code == 2 and "a run of training is kept here" in refused.err
        (out / name).unlink()
