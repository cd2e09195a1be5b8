"""Walks on the command line: plans with their certificate, real training, and what is refused."""

import json
from contextlib import contextmanager

import pytest

import hffm_opt
from hffm_opt.learning.weights import load_weights
from hffm_opt.loop import claim_directory
from hffm_opt.plan.walks import walk_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.changes import Changes
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.walks import Walks
from hffm_opt.serial import dump_yaml
from hffm_opt.trace.walks import read_walk_trace
from hffm_opt.walked import load_walk

FILES = {"scenario.yaml", "walk.json", "walk-trace.json", "ledger.csv", "weights"}


@pytest.fixture
def lossy(tmp_path, small):
    """The small network with a section `walks`."""
    path = tmp_path / "lossy.yaml"
    section = Walks(walkers=2, late=2, loss=0.2)
    path.write_text(dump_yaml(load_scenario(small).model_copy(update={"walks": section})))
    return path


def test_a_plan_tells_its_chains_and_what_they_cost(hffm, tmp_path, lossy):
    path = tmp_path / "walk.json"
    answer = hffm("plan", lossy, "--for", "walks", "-o", path, "--seed", 3, "--json")
    assert answer.code == 0
    told = answer.document
    predicted = told.pop("predicted")
    assert json.loads(path.read_text()) == told
    plan = load_walk(path)
    assert (plan.method, plan.walkers, plan.late, plan.loss) == ("fastest-mixing", 2, 2, 0.2)
    cost = walk_cost(build_problem(load_scenario(lossy)), plan, 100, 3)
    assert (predicted["rounds"], predicted["latency_s"], predicted["lost"]) == (100, cost.latency_s, cost.lost)
    words = " ".join(hffm("plan", lossy, "--for", "walks", "--method", "metropolis-hastings").out.split())
    assert "chains by metropolis-hastings" in words and "2 copies of each module" in words
    assert "Predicted a round:" in words and "Kemeny" not in words
    words = " ".join(hffm("plan", lossy, "--for", "walks", "--method", "minimal-kemeny").out.split())
    assert "chains by minimal-kemeny" in words and "Kemeny's constant" in words


def test_a_scenario_without_the_section_has_its_defaults(hffm, small):
    answer = hffm("plan", small, "--for", "walks", "--json")
    assert [answer.document[name] for name in ("walkers", "late", "loss")] == [1, None, 0.0]


def test_lone_devices_and_copies_that_die_are_told(hffm, tmp_path, small):
    given = load_scenario(small)
    devices = tuple(d.model_copy(update={"d2d": d.name != "device-0-2"}) for d in given.devices)
    path = tmp_path / "lone.yaml"
    path.write_text(dump_yaml(given.model_copy(update={"devices": devices, "walks": Walks(loss=0.5)})))
    words = " ".join(hffm("plan", path, "--for", "walks").out.split())
    assert "device-0-2: no links" in words and "set walks.late" in words


def test_a_run_costs_what_was_predicted_and_keeps_everything(hffm, tmp_path, lossy):
    plan, out = tmp_path / "walk.json", tmp_path / "run"
    assert hffm("plan", lossy, "--for", "walks", "-o", plan).code == 0
    way = ("train", lossy, "--walk", plan, "--rounds", 3, "--seed", 1, "-o", out, "--evaluate-every", 2)
    answer = hffm(*way, "--json")
    assert answer.code == 0
    told = answer.document
    assert told["measured"] == pytest.approx(told["predicted"], rel=1e-9)
    assert told["accuracy"].keys() == told["baseline"].keys() == {"digits", "shapes"}
    assert {path.name for path in out.iterdir()} == FILES
    trace = read_walk_trace(out)
    assert trace.summary() | {"run": str(out)} == told
    assert [point.round for point in trace.curve] == [2, 3]
    assert trace.ledger.total("joules") == pytest.approx(trace.measured.energy_j)
    assert trace.header.provenance.packages["torch"]
    assert load_walk(out / "walk.json") == load_walk(plan)
    assert load_weights(out).of_device("device-0-0").keys() >= {"adapters"}
    refused = hffm(*way)
    assert refused.code == 2 and "--overwrite" in refused.err
    assert read_walk_trace(out) == trace
    # A run of another kind takes the whole place.
    assert hffm("train", lossy, "--method", "star", "--rounds", 1, "-o", out, "--overwrite").code == 0
    assert not {"walk.json", "walk-trace.json"} & {path.name for path in out.iterdir()}
    assert hffm(*way, "--overwrite").code == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert read_walk_trace(out) == trace


def test_the_words_of_a_run_and_ctrl_c(hffm, tmp_path, monkeypatch, small):
    @contextmanager
    def interrupting(_title, **_):
        def show(step):
            if step.done == 2:
                raise KeyboardInterrupt

        yield show

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hffm_opt.cli.screen.line", interrupting)
    answer = hffm("train", small, "--walk", "metropolis-hastings", "--rounds", 4)
    assert answer.code == 130
    words = " ".join(answer.out.split())
    assert "2 rounds, seed 0 (interrupted; 4 were asked for)" in words and "cannot be resumed" in words
    run = tmp_path / "runs" / "tiny-walk-metropolis-hastings-0"
    trace = read_walk_trace(run)
    assert (len(trace.rounds), trace.complete, trace.curve[-1].round) == (2, False, 2)
    assert trace.measured.model_dump() == pytest.approx(trace.predicted.model_dump(), rel=1e-9)
    assert {path.name for path in run.iterdir()} == FILES


def test_options_of_other_runs_are_refused(hffm, small, tmp_path):
    out = tmp_path / "run"
    for option in (["--method", "star"], ["--resume"], ["--gap", 0.1], ["--fedlama", 2], ["--max-memory", 1]):
        answer = hffm("train", small, "--walk", "fastest-mixing", *option, "-o", out)
        assert answer.code == 2 and option[0] in answer.err
    for option in (["--gap", 0.1], ["--max-energy", 1], ["--objective", "latency"]):
        answer = hffm("plan", small, "--for", "walks", *option)
        assert answer.code == 2 and option[0] in answer.err
    answer = hffm("train", small, "--walk", "levy-flight", "-o", out)
    assert answer.code == 2 and "neither a chain nor a file" in answer.err
    answer = hffm("plan", small, "--for", "walks", "--method", "levy-flight")
    assert answer.code == 2 and "metropolis-hastings" in answer.err
    assert not out.exists()


def test_plans_of_other_networks_and_other_sections_are_refused(hffm, small, tmp_path):
    path = tmp_path / "walk.json"
    assert hffm("plan", "tiny", "--for", "walks", "-o", path).code == 0
    answer = hffm("train", small, "--walk", path, "-o", tmp_path / "run")
    assert answer.code == 2 and "plan it anew" in answer.err
    changing = load_scenario(small).model_copy(update={"changes": Changes()})
    asking = tmp_path / "changing.yaml"
    asking.write_text(dump_yaml(changing))
    answer = hffm("train", asking, "--walk", "fastest-mixing", "-o", tmp_path / "run")
    assert answer.code == 2 and "changes" in answer.err
    less = load_scenario(small).learning.model_copy(update={"kept_neurons": 0.5})
    asking.write_text(dump_yaml(load_scenario(small).model_copy(update={"learning": less})))
    answer = hffm("train", asking, "--walk", "fastest-mixing", "-o", tmp_path / "run")
    assert answer.code == 2 and "kept_neurons" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_directory_of_walks_is_a_run(tmp_path, small):
    hffm_opt.train_walks(small, rounds=1, out=tmp_path / "run")
    (tmp_path / "run" / "scenario.yaml").unlink()
    with pytest.raises(hffm_opt.errors.InputError, match="holds a run"):
        claim_directory(tmp_path / "run", overwrite=False)
