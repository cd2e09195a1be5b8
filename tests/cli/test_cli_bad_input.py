"""Every bad input ends with exit code 2 and one screen that names the place and the repair."""

import json
import re

import pytest

SCREEN_LINES = 24
SCENARIO_FAULTS = {
    "truncated": (lambda text: text[: len(text) // 2].rsplit("\n", 1)[0] + "\n  - {name: cut", "line"),
    "not a number": (lambda text: re.sub(r"uplink_power_w: .*", "uplink_power_w: .nan", text, count=1), "finite"),
    "text for a number": (lambda text: text.replace("seed: 1\n", "seed: one\n"), "seed"),
    "negative bandwidth": (
        lambda text: re.sub(r"uplink_bandwidth_hz: .*", "uplink_bandwidth_hz: -1.0", text, count=1),
        "edges[0].uplink_bandwidth_hz",
    ),
    "unknown key": (lambda text: text.replace("noise_dbm_per_hz", "noise_dbm", 1), "did you mean"),
    "doubled key": (lambda text: text + "seed: 2\n", "twice"),
    "dangling edge": (lambda text: text.replace("edge: edge-0", "edge: edge-9", 1), "no edge is named"),
    "zero samples": (lambda text: re.sub(r"digits: \d+", "digits: 0", text), "no device holds samples"),
    "not a mapping": (lambda _: "- 1\n", "mapping"),
    "empty": (lambda _: "", "mapping"),
}


def one_screen(answer):
    """Check the manners of an error, and return its text."""
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("Bad input")
    assert "repair:" in answer.err
    assert len(answer.err.splitlines()) <= SCREEN_LINES
    return answer.err


@pytest.mark.parametrize("fault", SCENARIO_FAULTS)
@pytest.mark.parametrize("command", [["plan"], ["compare"], ["train"]], ids=" ".join)
def test_faulty_scenarios(hffm, tmp_path, tiny_text, fault, command):
    mutate, words = SCENARIO_FAULTS[fault]
    assert mutate(tiny_text) != tiny_text
    path = tmp_path / "faulty.yaml"
    path.write_text(mutate(tiny_text))
    assert words in one_screen(hffm(*command, path))


def test_many_faults_fit_on_one_screen_and_check_shows_all(hffm, tmp_path, tiny_text):
    path = tmp_path / "faulty.yaml"
    path.write_text(re.sub(r"(cpu_max_hz|uplink_power_w|d2d_power_w): .*", r"\1: -1.0", tiny_text))
    assert "8 more" in one_screen(hffm("plan", path))
    answer = hffm("check", path)
    assert (answer.code, answer.out.count("repair:")) == (2, 18)


@pytest.mark.parametrize("name", ["no-such-file.yaml", "tinny", "/", "no/such/folder"])
@pytest.mark.parametrize("command", ["plan", "compare", "train"])
def test_missing_scenarios(hffm, command, name):
    assert name in one_screen(hffm(command, name))


def test_a_wrong_name_brings_the_near_one(hffm):
    assert "did you mean 'paper-si'?" in one_screen(hffm("plan", "paper-is"))


def _unknown_module(plan):
    plan["circulation"][0]["module"] = "adapter"


def _cycle(plan):
    arcs = plan["cells"][0]["rounds"][0]["gather"]["arcs"]
    arcs[0] |= {"source": "device-0-0", "target": "device-0-2"}
    arcs[1] |= {"source": "device-0-2", "target": "device-0-0"}


def _other_scenario(plan):
    plan["scenario"]["fingerprint"] = "0" * 64


def _left_out_device(plan):
    plan["cells"][0]["rounds"][0]["gather"]["arcs"].pop()


def _odd_period(plan):
    plan["circulation"][0]["cloud"] = 3


def _stranger(plan):
    plan["cells"][0]["rounds"][0]["gather"]["arcs"][0]["source"] = "device-1-0"


def _not_finite(plan):
    plan["cells"][0]["rounds"][0]["gather"]["arcs"][0]["power_w"] = float("nan")


PLAN_FAULTS = {
    _unknown_module: "unknown module 'adapter'",
    _cycle: "cells[0].rounds[0].gather",
    _other_scenario: "scenario.fingerprint",
    _left_out_device: "cells[0].rounds[0].gather",
    _odd_period: "powers of two",
    _stranger: "'device-1-0' is not a node of cell edge-0",
    _not_finite: "finite",
}


@pytest.mark.parametrize("fault", PLAN_FAULTS, ids=lambda fault: fault.__name__.strip("_"))
@pytest.mark.parametrize("command", [["evaluate", "tiny"], ["train", "tiny", "--plan"]], ids=" ".join)
def test_faulty_plans(hffm, tmp_path, monkeypatch, tiny_plan, fault, command):
    monkeypatch.chdir(tmp_path)
    plan = json.loads(tiny_plan.read_text())["plan"]
    fault(plan)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    assert PLAN_FAULTS[fault] in one_screen(hffm(*command, path))
    assert not (tmp_path / "runs").exists()


def test_a_plan_for_another_scenario(hffm, tiny_plan):
    assert "made for scenario 'tiny'" in one_screen(hffm("evaluate", "paper", tiny_plan))


def test_broken_plan_files(hffm, tmp_path):
    path = tmp_path / "plan.json"
    assert "there is no such file" in one_screen(hffm("evaluate", "tiny", path))
    for text, words in (('{"format": "hffm-pl', "line 1"), ("[]", "mapping"), ('{"a": 1, "a": 2}', "twice"), ("", "")):
        path.write_text(text)
        assert words in one_screen(hffm("evaluate", "tiny", path))
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in one_screen(hffm("evaluate", "tiny", path))


def test_a_plan_that_breaks_a_physical_limit_is_not_trained(hffm, tmp_path, monkeypatch, tiny_plan):
    monkeypatch.chdir(tmp_path)
    plan = json.loads(tiny_plan.read_text())["plan"]
    plan["cells"][0]["rounds"][0]["gather"]["arcs"][0]["power_w"] *= 3
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    assert "cells[0].rounds[0].gather.arcs[0]" in one_screen(hffm("train", "tiny", "--plan", path))


WRONG_CALLS = {
    ("plan", "tiny", "--methood", "star"): "--methood",
    ("plan", "tiny", "--method", "best"): "no method is named 'best'",
    ("plan", "tiny", "--circulation", "optimal"): "not a baseline's row",
    ("plan", "tiny", "--method", "star", "--circulation", "h-fedfm-2"): "has its own circulation",
    ("plan", "tiny", "--objective", "speed"): "--objective",
    ("plan", "tiny", "--max-latency", "fast"): "--max-latency",
    ("plan", "tiny", "--max-latency", "nan"): "--max-latency",
    ("plan", "tiny", "--gap", "-1"): "--gap",
    ("plan", "tiny", "--energy-weight", "inf"): "--energy-weight",
    ("plan", "tiny", "--energy-weight", "0", "--latency-weight", "0"): "both are 0",
    ("plan", "tiny", "--objective", "latency", "--latency-weight", "3"): "has no weights",
    ("plan", "tiny", "--for", "inference", "--objective", "energy", "--energy-weight", "3"): "has no weights",
    ("plan", "tiny", "--seed", "-1"): "--seed",
    ("plan", "tiny", "--method", "optimall"): "did you mean 'optimal'?",
    ("plan", "tiny", "--circulation", "h-fedfm2"): "did you mean 'h-fedfm-2'?",
    ("plan", "tiny", "--circulation", ""): "not a baseline's row",
    ("bench", "joints"): "did you mean 'joint'?",
    ("associate", "tiny", "--max-devices", "2", "-o", "/"): "is a directory",
    ("train", "tiny", "--rounds", "10000000"): "--rounds",
    ("plan",): "SCENARIO",
    ("compare", "tiny", "--methods", "star,sun"): "no method is named 'sun'",
    ("train", "tiny", "--rounds", "0"): "--rounds",
    ("train", "tiny", "--plan", "p.json", "--method", "star"): "both are given",
    ("train", "tiny", "--centralised", "--method", "star"): "--centralised",
    ("train", "tiny", "--method", "star", "--fedlama", "4"): "and so does 'star'",
    ("train", "tiny", "--fedlama", "3"): "power of two",
    ("train", "tiny", "--realign-every", "2"): "--kept-neurons",
    ("train", "tiny", "--kept-neurons", "0"): "no share of the neurons",
    ("train", "tiny", "--proximal", "-1"): "--proximal",
    ("train", "tiny", "--proximal", "nan"): "--proximal",
    ("report",): "RUN",
    ("report", "no-such-run"): "no-such-run",
    ("import",): "Missing command",
    ("import", "eua", "--sites", "a.csv", "--users", "b.csv", "-o", "c.yaml"): "a.csv",
    ("plam",): "Did you mean 'plan'?",
    ("--colour",): "--colour",
}


@pytest.mark.parametrize("arguments", WRONG_CALLS, ids=" ".join)
def test_wrong_calls(hffm, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert WRONG_CALLS[arguments] in one_screen(hffm(*arguments))
    assert hffm(*arguments, "--json").code == 2


def test_a_place_that_cannot_be_written(hffm, tmp_path):
    assert "is a directory" in one_screen(hffm("plan", "tiny", "--method", "star", "-o", tmp_path))
    (tmp_path / "file").write_text("")
    assert "file" in one_screen(hffm("plan", "tiny", "--method", "star", "-o", tmp_path / "file" / "plan.json"))
    assert "needs a directory" in one_screen(hffm("train", "tiny", "-o", tmp_path / "file"))


def test_a_place_that_cannot_be_written_is_told_before_the_work(hffm, tmp_path, monkeypatch):
    monkeypatch.setattr("hffm_opt.api.plan", lambda *_, **__: pytest.fail("planned in vain"))
    monkeypatch.setattr("hffm_opt.report.write_report", lambda *_, **__: pytest.fail("reported in vain"))
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "made.json"
    eua = ["import", "eua", "--sites", "a", "--users", "b"]
    for command in (["plan", "tiny"], ["report", tmp_path], eua, ["associate", "tiny", "--max-devices", 3]):
        assert "nothing can be written in" in one_screen(hffm(*command, "-o", below))
    for command in (
        ["train", "tiny", "--rounds", 1, "-o"],
        ["bench", "joint", "-o"],
        ["plan", "tiny", "--write-program"],
    ):
        assert "nothing can be written in" in one_screen(hffm(*command, below))
    (tmp_path / "self").symlink_to("self")
    for place in (tmp_path / "self", tmp_path / "self" / "run"):
        assert "not to be reached" in one_screen(hffm("train", "tiny", "--rounds", 1, "-o", place))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "self"]


def test_a_directory_of_other_things_is_no_place_for_a_run(hffm, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    for extra in ((), ("--overwrite",)):
        told = one_screen(hffm("train", "tiny", "--rounds", 1, "-o", tmp_path, *extra))
        assert "holds other files (thesis.tex) and no run" in told
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_file_is_named_beside_its_fields(hffm, tmp_path, tiny_text):
    scenario, plan = tmp_path / "faulty.yaml", tmp_path / "plan.json"
    scenario.write_text(tiny_text.replace("seed: 1\n", "seed: one\n"))
    assert one_screen(hffm("plan", scenario)).startswith(f"Bad input in {scenario}")
    plan.write_text('{"format": "hffm-plan/1"}')
    assert one_screen(hffm("evaluate", "tiny", plan)).startswith(f"Bad input in {plan} (4 findings)")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("x_m", "1e8"),
        ("digits", "1000000000"),
        ("backhaul_delay_s", "1e308"),
        ("backhaul_rate_bit_per_s", "1e-300"),
        ("latency_weight", "1e308"),
        ("payload_bit", "1" + 30 * "0"),
        ("cpu_max_hz", "1e300"),
        ("divergence_within", "1e200"),
    ],
)
def test_absurd_figures_are_refused_by_name(hffm, tmp_path, tiny_text, field, value):
    path = tmp_path / "absurd.yaml"
    path.write_text(re.sub(rf"{field}: .*", f"{field}: {value}", tiny_text, count=1))
    assert f"{field}: Input should be" in one_screen(hffm("plan", path))


def test_absurd_weights_are_refused(hffm):
    assert "at most 1e+12" in one_screen(hffm("plan", "tiny", "--latency-weight", "1e308"))


def test_a_limit_of_zero_is_told_as_it_was_given(hffm):
    for name in ("--max-latency", "--max-energy"):
        answer = hffm("plan", "tiny", name, 0)
        assert answer.code == 3
        assert f"{name}: 0 " in answer.err


def test_figures_of_a_plan_that_overflow_are_refused(hffm, tmp_path, tiny_plan):
    path = tmp_path / "plan.json"
    for field, value in (("power_w", 1e300), ("bandwidth_hz", 1e-300)):
        plan = json.loads(tiny_plan.read_text())["plan"]
        plan["cells"][0]["rounds"][0]["gather"]["arcs"][0][field] = value
        path.write_text(json.dumps(plan))
        assert f"arcs[0].{field}" in one_screen(hffm("evaluate", "tiny", path))
