"""``hffm plan --objective pareto``: document, table, files, figure, refusals."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.plan.front import ParetoFront

POINT_KEYS = {"latency_s", "energy_j", "bound", "gap", "status", "seconds", "plan"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network that is planned in no time."""
    from hffm_opt.serial import dump_yaml

    path = tmp_path_factory.mktemp("scenarios") / "small.yaml"
    path.write_text(dump_yaml(hffm_opt.random_scenario(4, cells=2, devices=(2, 3), modules=2)))
    return path


def test_the_document_is_what_is_written(hffm, small, tmp_path):
    path = tmp_path / "front.json"
    answer = hffm("plan", small, "--objective", "pareto", "--points", 4, "--json", "-o", path)
    assert answer.code == 0
    document = answer.document
    assert json.loads(path.read_text()) == document
    assert document["format"] == "hffm-front/1"
    assert 2 <= len(document["points"]) <= 4
    for point in document["points"]:
        assert point.keys() >= POINT_KEYS
        assert point["bound"] <= point["energy_j"]
        # Each point is a plan file of its own.
        (tmp_path / "point.json").write_text(json.dumps(point))
        verdict = hffm("evaluate", small, tmp_path / "point.json", "--json").document
        assert (verdict["latency_s"], verdict["energy_j"]) == (point["latency_s"], point["energy_j"])
    front = ParetoFront.model_validate_json(path.read_text())
    same = hffm_opt.pareto(small, 4)
    assert [(p.latency_s, p.energy_j) for p in same.points] == [(p.latency_s, p.energy_j) for p in front.points]


def test_the_table_says_how_to_get_a_point(hffm, small, tmp_path):
    answer = hffm("plan", small, "--objective", "pareto", "--points", 3, "--max-drift", "inf")
    assert answer.code == 0
    assert "Proven: no plan is faster than" in answer.out
    words = re.search(r"The plan of a point: hffm (.*)", re.sub(r"\s+", " ", answer.out))[1].split()
    words[-1] = str(tmp_path / "plan.json")
    assert words[words.index("--max-drift") + 1] == "inf"
    made = hffm(*words, "--json").document
    shown = re.findall(r"^([0-9.]+) +([0-9.]+) +[0-9.]+ +.*(?:optimal|feasible) +([0-9.]+) ", answer.out, re.MULTILINE)
    (energy,) = (float(energy) for _, energy, limit in shown if limit == words[words.index("--max-latency") + 1])
    assert made["energy_j"] == pytest.approx(energy, rel=2e-4)


def test_the_figure_is_one_file_for_light_and_dark(hffm, small, tmp_path):
    path = tmp_path / "front.svg"
    assert hffm("plan", small, "--objective", "pareto", "--points", 2, "--json", "--figure", path).code == 0
    text = path.read_text()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    defined = set(re.findall(r"(--[a-z0-9]+):", text))
    assert set(re.findall(r"var\((--[a-z0-9]+)\)", text)) <= defined
    assert "proven impossible" in text and re.search(r"beside [1-9]\d* baselines", root.get("aria-label"))
    assert not re.search(r"(?:href|src)=\"https?:", text)


def test_a_plan_that_costs_nothing_can_be_drawn(hffm, tmp_path):
    path = tmp_path / "nothing.svg"
    answer = hffm("plan", "random-3", "--objective", "pareto", "--json", "--figure", path)
    assert answer.code == 0
    assert [(point["latency_s"], point["energy_j"]) for point in answer.document["points"]] == [(0.0, 0.0)]
    assert "linear" in path.read_text()


def test_exit_codes(hffm, small):
    assert hffm("plan", small, "--objective", "pareto", "--max-latency", "1e-6", "--json").code == 3
    late = hffm("plan", "paper", "--objective", "pareto", "--time-limit", "0", "--json")
    assert (late.code, late.document["findings"][0]["path"]) == (4, "--time-limit")


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("--objective", "pareto", "--method", "star"), "--method"),
        (("--objective", "pareto", "--points", "1"), "--points"),
        (("--objective", "pareto", "--points", "51"), "--points"),
        (("--objective", "pareto", "--latency-weight", "2"), "--latency-weight"),
        (("--objective", "pareto", "--write-program", "there"), "--write-program"),
        (("--objective", "pareto", "--max-energy", "-1"), "--max-energy"),
        (("--points", "4"), "--points"),
        (("--figure", "front.svg"), "--figure"),
    ],
)
def test_what_makes_no_sense_is_refused(hffm, words, path):
    answer = hffm("plan", "tiny", *words, "--json")
    assert answer.code == 2
    (finding,) = answer.document["findings"]
    assert finding["path"] == path and finding["repair"]


def test_one_plan_has_no_front():
    with pytest.raises(InputError, match="pareto"):
        hffm_opt.plan("tiny", objective="pareto")


def test_a_front_is_no_plan_and_its_points_are(hffm, tmp_path):
    front, point = tmp_path / "front.json", tmp_path / "point.json"
    assert hffm("plan", "tiny", "--objective", "pareto", "--points", 2, "-o", front).code == 0
    for command in (["evaluate", "tiny"], ["train", "tiny", "--plan"]):
        answer = hffm(*command, front)
        assert answer.code == 2
        assert "one entry of its 'points'" in answer.err
    point.write_text(json.dumps(json.loads(front.read_text())["points"][0]))
    assert hffm("evaluate", "tiny", point).code == 0
    answer = hffm("report", tmp_path / "run", "--front", point)
    assert answer.code == 2 and "this is no front" in answer.err and "did you mean" not in answer.err
