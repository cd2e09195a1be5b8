"""Every example scenario is sound, and does what its first lines say."""

import json
from pathlib import Path

import pytest

from hffm_opt.cli.main import main
from hffm_opt.placed import placed_scenario
from hffm_opt.scenario.read import load_scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
RELAYING = str(EXAMPLES / "module-relaying.yaml")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_sound_and_named_as_their_file(path):
    assert load_scenario(path).name == path.stem
    assert f"examples/{path.name}" in path.read_text(encoding="utf-8")


def test_module_relaying_is_planned_and_trained(tmp_path, capsys):
    plan, out = str(tmp_path / "plan.json"), str(tmp_path / "run")
    assert main(["plan", RELAYING, "--for", "requests", "-o", plan, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "hffm-relaying-plan/1"
    (event,) = told["events"]
    assert (event["status"], event["round"], len(event["transfers"])) == ("optimal", 4, 3)
    words = ["train", RELAYING, "--rounds", "5", "--method", "h-fedfm-2", "--plan", plan, "-o", out, "--json"]
    assert main(words) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["measured"] == pytest.approx(run["predicted"], rel=1e-9)
    assert [(copy["module"], copy["device"]) for copy in run["relaying"][0]["copies"]] == [
        (transfer["module"], transfer["device"]) for transfer in event["transfers"]
    ]
    assert main(["report", out, "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["path"])
    assert page == Path(out) / "report.html" and "phase-1" in page.read_text(encoding="utf-8")


def test_what_requests_do_not_allow_is_told(capsys):
    assert main(["train", RELAYING, "--rounds", "4"]) == 2
    assert "give at least 5" in capsys.readouterr().err
    assert main(["train", RELAYING, "--rounds", "8", "--resume"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["train", "tiny", "--relaying", "scratch"]) == 2
    assert "has no requests" in capsys.readouterr().err
    assert main(["plan", RELAYING, "--for", "requests", "--max-energy", "3"]) == 2
    assert "--max-energy" in capsys.readouterr().err
    assert main(["plan", RELAYING, "--for", "requests", "--method", "nearest-holder"]) == 0
    assert "nearest-holder" in capsys.readouterr().out


def test_walks_along_few_links_are_planned(capsys):
    walk = str(EXAMPLES / "random-walk.yaml")
    for method in ("x-learning", "x-learning+shares", "x-learning+optimised"):
        assert main(["plan", walk, "--method", method, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["feasible"] is True
    assert main(["plan", walk, "--for", "walks", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["late"], told["loss"]) == ("hffm-walk-plan/1", 8, 0.1)
    assert [len(island["devices"]) for island in told["islands"]] == [4, 2, 1]


def test_experts_are_placed_and_trained_where_they_are(tmp_path, capsys):
    scenario, plan = str(EXAMPLES / "specialisation.yaml"), str(tmp_path / "placement.json")
    assert main(["plan", scenario, "--for", "specialise", "--gap", "0.01", "-o", plan, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["status"]) == ("hffm-placement-plan/1", "optimal")
    placed = placed_scenario(load_scenario(scenario), plan)
    kept = {device.name: device.experts for device in placed.devices}
    assert all(1 <= len(experts) <= 2 for experts in kept.values())
    assert {name: sorted(d for d, held in kept.items() if name in held) for name in told["hosts"]} == {
        name: sorted(nodes) for name, nodes in told["hosts"].items()
    }
    assert main(["plan", scenario, "--for", "specialise", "--method", "everyone"]) == 3
    assert "experts" in capsys.readouterr().out
    assert main(["train", "tiny", "--placement", "optimal"]) == 2
    assert "no experts to place" in capsys.readouterr().err
