"""Training goes through requests: the copies are those sent, the ledger is the prediction, the rest stays as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "learning"))
from relayed_cases import asking_scenario

import hffm_opt
from hffm_opt.errors import HffmError, InputError
from hffm_opt.learning.continued import data_before
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.weights import load_weights
from hffm_opt.relayed import load_relaying, plan_requests, train_requests
from hffm_opt.report.relayed import read_relayed
from hffm_opt.scenario.requests import granted
from hffm_opt.serial import dump_json


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("relayed")
    (out / "phase-7").mkdir()  # as a longer run that is overwritten leaves it behind
    return train_requests(asking_scenario(True), rounds=5, method="h-fedfm-2", seed=3, out=out), out


def test_the_ledger_of_every_phase_and_relaying_equals_the_prediction(run):
    found, _ = run
    assert [len(phase.trace.rounds) for phase in found.phases] == [2, 1, 2]
    for phase in found.phases:
        difference = phase.measurement.difference
        assert max(abs(difference.latency_s), abs(difference.energy_j), abs(difference.bits)) < 1e-9
    for trace in found.relayings:
        for name in ("latency_s", "energy_j", "bits"):
            assert getattr(trace.measured, name) == pytest.approx(getattr(trace.predicted, name), rel=1e-9)
        assert trace.ledger.charged_bits == trace.ledger.serialised_bits
    whole = found.summary()
    assert whole["measured"]["latency_s"] == pytest.approx(whole["predicted"]["latency_s"], rel=1e-9)
    assert whole["measured"]["latency_s"] > sum(phase.measurement.measured.latency_s for phase in found.phases)


def test_devices_get_the_modules_that_they_lack_and_train_them(run):
    found, out = run
    first, second = found.relayings
    assert sorted(copy.module for copy in first.copies) == ["adapters", "head-shapes"]
    assert [(copy.device, copy.module) for copy in second.copies] == [("device-1-0", "head-shapes")]
    assert all(len(copy.sha256) == 64 for copy in (*first.copies, *second.copies))
    with pytest.raises(InputError, match="owns no module"):
        load_weights(out / "phase-0").of_device("device-0-1")
    assert sorted(load_weights(out / "phase-2").of_device("device-1-0")) == ["adapters", "head-digits", "head-shapes"]
    assert (out / "phase-0" / "relaying.json").is_file() and not (out / "phase-2" / "relaying.json").exists()


def test_the_directory_tells_the_report_what_was_copied_and_why(run):
    found, out = run
    assert sorted(path.name for path in out.iterdir()) == ["phase-0", "phase-1", "phase-2"]
    phases, events = read_relayed(out)
    assert [phase.measurement for phase in phases] == [phase.measurement for phase in found.phases]
    assert tuple(event.plan for event in events) == found.plans
    assert tuple(event.trace for event in events) == found.relayings


def test_granting_changes_no_other_devices_data():
    scenario = asking_scenario(True)
    final = granted(scenario, scenario.requests.asked)
    before, whole = data_before(final)(scenario, 3, None), federated_data(final, 3)
    assert before.samples["shapes"].tolist() == [4, 0, 5, 0, 4, 4]
    assert whole.samples["shapes"].tolist() == [4, 6, 5, 6, 4, 4]
    for task, data in before.tasks.items():
        for mine, later in zip(data.shares, whole.tasks[task].shares, strict=True):
            assert not len(mine) or (mine == later).all()


def test_plans_from_a_file_are_run_and_others_refused(tmp_path):
    scenario = asking_scenario()
    plans = plan_requests(scenario, method="best-fit", training="h-fedfm-2", seed=3)
    (tmp_path / "plan.json").write_text(dump_json(plans))
    read = load_relaying(tmp_path / "plan.json")
    assert read == plans
    found = train_requests(scenario, rounds=3, method="h-fedfm-2", relaying=read, seed=3)
    assert found.plans == plans.events
    late = read.model_copy(update={"events": (read.events[0].model_copy(update={"round": 1}),)})
    with pytest.raises(InputError, match="says nothing about the requests"):
        train_requests(scenario, rounds=3, method="h-fedfm-2", relaying=late, seed=3)


def test_bad_calls_are_told():
    with pytest.raises(InputError, match="give at least 3"):
        train_requests(asking_scenario(), rounds=2)
    with pytest.raises(InputError, match="has no requests"):
        plan_requests("tiny")
    with pytest.raises(InputError, match="requests"):
        hffm_opt.train(asking_scenario(), rounds=2)


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        ({"relaying": "telepathy"}, "no method of relaying is named 'telepathy'"),
        ({"relaying": "plan"}, "with other requests or in another state"),
        ({"method": "edge-only", "relaying": "cloud-global"}, "this rule finds no holder"),
    ],
)
def test_what_cannot_be_copied_is_told_before_a_run_is_overwritten(run, asks, message):
    _, out = run
    if asks["relaying"] == "plan":
        asks = {"relaying": plan_requests(asking_scenario(), method="best-fit", training="h-fedfm-2")}
    kept = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(HffmError, match=message):
        train_requests(asking_scenario(True), rounds=5, out=out, overwrite=True, **{"method": "h-fedfm-2"} | asks)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == kept
