"""The closed loop on the command line: what it tells, what it keeps, what it refuses."""

from __future__ import annotations

import json

import pytest

import hffm_opt
from hffm_opt.cli.figures import figure
from hffm_opt.report import read_run
from hffm_opt.scenario.changes import Changes, Leave
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.serial import dump_yaml

GONE = "device-0-1"


@pytest.fixture(scope="module")
def changing(tmp_path_factory, small):
    """The small network, from which a device leaves in round 2."""
    scenario = hffm_opt.load_scenario(small)
    changes = Changes(events=(Leave(change="leave", round=2, device=GONE),))
    path = tmp_path_factory.mktemp("changing") / "changing.yaml"
    path.write_text(dump_yaml(scenario.model_copy(update={"changes": changes})))
    return path


def loop(hffm, *arguments):
    return hffm("loop", *arguments, "--method", "h-fedfm-2+best-head+mst", "--replan-every", 2)


def test_loop_tells_what_the_run_directory_holds(hffm, tmp_path, changing):
    out = tmp_path / "run"
    answer = loop(hffm, changing, "--rounds", 6, "-o", out, "--json")
    assert answer.code == 0
    assert f"round 2: {GONE} left; planning anew" in answer.err
    document = answer.document
    assert document["run"] == str(out) and document["to_target"] is None
    kept = json.loads((out / "measurement.json").read_text())
    assert {key: document[key] for key in kept} == kept
    assert set(document) == {*kept, "history", "to_target", "run"}
    history = document["history"]
    assert [(look["round"], look["cause"]) for look in history] == [(3, f"{GONE} left"), (5, "nothing has changed")]
    first = history[0]
    assert first.keys() >= {"current", "proposed", "bound", "rounds_left", "cost", "adopted", "reason"}
    assert first["adopted"] and first["predicted_saving"] > first["cost"] > 0
    assert first["realised_saving"] == pytest.approx(first["predicted_saving"])
    assert history[1]["realised_saving"] is None
    (replan,) = document["replans"]
    assert replan["realised_saving"] == first["realised_saving"] and replan["rounds"] == 4
    for key, value in document["explained"].items():
        assert document["measured"][key] == pytest.approx(value, rel=1e-9)
    run = read_run(out)
    assert [each.round for each in run.trace.revisions] == [3] and run.trace.header.goal.looks_every == 2
    # Taken again, it is what it was; taken with another goal, it is refused.
    again = loop(hffm, changing, "--rounds", 6, "-o", out, "--json", "--resume")
    assert again.code == 0 and again.document == document
    other = loop(hffm, changing, "--rounds", 6, "-o", out, "--resume", "--objective", "latency")
    assert other.code == 2 and 'differs in objective ("weighted" there, "latency" now)' in other.err
    taken = loop(hffm, changing, "--rounds", 6, "-o", out)
    assert taken.code == 2 and "--overwrite" in taken.err
    assert read_run(out).trace == run.trace


def test_the_words_of_a_loop(hffm, tmp_path, monkeypatch, changing):
    monkeypatch.chdir(tmp_path)
    goal = ("--objective", "time-to-accuracy", "--target", 0.1, "--seed", 2)
    answer = loop(hffm, changing, "--rounds", 4, *goal)
    assert answer.code == 0
    assert "Looks at the plan" in answer.out and f"{GONE} left" in " ".join(answer.out.split())
    # Beside what was predicted for the whole network stands what the referee counts for the one that was left.
    kept = json.loads((tmp_path / "runs/tiny-loop-2/measurement.json").read_text())
    told = [figure(kept[name]["latency_s"]) for name in ("predicted", "explained", "measured")]
    assert told[1] == told[2] != told[0]
    assert "as the network was" in answer.out and all(f"{each} s" in answer.out for each in told)
    assert "Mean accuracy 10.0% was reached in round" in answer.out
    assert "hffm report runs/tiny-loop-2" in " ".join(answer.out.split())
    document = loop(hffm, changing, "--rounds", 4, *goal, "--json", "--overwrite").document
    assert document["to_target"].keys() == {"accuracy", "round", "latency_s", "energy_j"}
    # Nothing is left to do once the target is reached.
    assert document["history"][-1]["reason"] == "nothing is left to save"
    assert document["history"][-1]["current"] == 0.0


def test_a_run_too_short_for_a_look(hffm, tmp_path, small):
    answer = hffm("loop", small, "--method", "star", "--rounds", 1, "-o", tmp_path / "run")
    assert answer.code == 0 and "never looked at" in answer.out


def test_train_meets_the_changes_too(hffm, tmp_path, changing):
    out = tmp_path / "run"
    answer = hffm("train", changing, "--method", "h-fedfm-2+d2d", "--rounds", 3, "-o", out, "--json")
    assert answer.code == 0
    assert answer.document["replans"] == [] and answer.document["explained"] is not None
    assert read_run(out).trace.looks == ()
    shares = [record.participation for record in read_run(out).trace.rounds]
    gone = [
        GONE in {e.source for e in read_run(out).trace.ledger.entries() if e.round == n and e.joules} for n in (1, 2)
    ]
    assert gone == [True, False] and shares[0] == 1.0 >= shares[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--objective", "time-to-accuracy"), "--target"),
        (("--target", "0.4"), "--target"),
        (("--replan-every", "0"), "--replan-every"),
        (("--rounds", "0"), "--rounds"),
        (("--method", "no-such-method"), "no-such-method"),
        (("--resume",), "no run to resume"),
    ],
)
def test_bad_input(hffm, tmp_path, small, arguments, told):
    out = tmp_path / "run"
    answer = hffm("loop", small, "-o", out, *arguments)
    assert answer.code == 2 and told in answer.err
    assert not out.exists()


def test_a_change_of_nobody_is_refused(hffm, tmp_path, changing):
    path = tmp_path / "wrong.yaml"
    path.write_text(changing.read_text().replace(f"device: {GONE}", "device: device-0-11"))
    answer = hffm("loop", path, "-o", tmp_path / "run")
    assert answer.code == 2
    assert "changes.events[0].device" in answer.err and "did you mean" in answer.err


def test_neurons_are_not_realigned_in_a_loop(hffm, tmp_path, small):
    scenario = hffm_opt.load_scenario(small)
    learning = scenario.learning.model_copy(update={"kept_neurons": 0.5, "realign_every": 2})
    path = tmp_path / "realigned.yaml"
    path.write_text(dump_yaml(scenario.model_copy(update={"learning": learning})))
    answer = hffm("loop", path, "--rounds", 2, "-o", tmp_path / "run")
    assert answer.code == 2 and "learning.realign_every" in answer.err and not (tmp_path / "run").exists()


def test_requests_and_changes_do_not_go_together(hffm, tmp_path, changing):
    """A loop keeps everybody's modules; requests are granted under one plan, in a network that stays."""
    scenario = hffm_opt.load_scenario(changing)
    data = scenario.devices[1].model_copy(update={"samples": {"digits": 4}})
    asked = ModuleRequest(device=GONE, task="shapes", samples=4, round=2, deadline_s=1.0)
    devices = (scenario.devices[0], data, *scenario.devices[2:])
    scenario = scenario.model_copy(update={"devices": devices, "requests": Requests(asked=(asked,))})
    path = tmp_path / "asking.yaml"
    path.write_text(dump_yaml(scenario))
    for command, told in (("loop", "requests"), ("train", "changes")):
        answer = hffm(command, path, "--rounds", 4, "-o", tmp_path / "run")
        assert answer.code == 2 and f"{told}: " in answer.err
        assert not (tmp_path / "run").exists()


def test_nobody_left_to_evaluate(hffm, tmp_path, small):
    scenario = hffm_opt.load_scenario(small)
    everybody = tuple(Leave(change="leave", round=1, device=device.name) for device in scenario.devices)
    path = tmp_path / "empty.yaml"
    path.write_text(dump_yaml(scenario.model_copy(update={"changes": Changes(events=everybody)})))
    answer = loop(hffm, path, "--rounds", 2, "-o", tmp_path / "run")
    assert answer.code == 0 and "nothing was evaluated" in answer.out
