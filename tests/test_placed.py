"""Training of a scenario whose experts are placed: fetches are carried out, charged, predicted, kept and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hffm_opt import api
from hffm_opt.cli.main import main
from hffm_opt.errors import InputError
from hffm_opt.learning.one_round import run_round
from hffm_opt.placed import load_placement, placed, plan_specialisation
from hffm_opt.plan.fetching import fetch_cost
from hffm_opt.plan.placement import PlacementPlan
from hffm_opt.report import write_report
from hffm_opt.report.energy import measured_energy, predicted_energy
from hffm_opt.report.run import Run, read_run
from hffm_opt.scenario.changes import Changes
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise
from hffm_opt.serial import dump_json, dump_yaml, write_text

ROUNDS, EVERY = 5, 2
HOW = {"method": "h-fedfm-2", "rounds": ROUNDS, "seed": 1, "evaluate_every": 1}


def mixture(**update: object) -> Scenario:
    """Four devices of `m3t` in two cells with a few samples each, an expert a device."""
    m3t = load_scenario("m3t")
    devices = tuple(
        device.model_copy(
            update={"experts": None, "samples": {task: min(count, 3) for task, count in device.samples.items()}}
        )
        for device in (*m3t.devices[:2], *m3t.devices[4:6])
    )
    tasks = tuple(task.model_copy(update={"test_samples": 4}) for task in m3t.tasks)
    section = Specialise(experts_per_device=1, edge_memory_bit=1e6, fetch_rounds=EVERY, misfit_weight=0.1)
    kept = {"devices": devices, "tasks": tasks, "specialise": section, "name": "mixture"}
    return m3t.model_copy(update=kept | update)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("placed") / "run"


@pytest.fixture(scope="module")
def run(directory: Path) -> Run:
    return api.train(mixture(), out=directory, **HOW)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(run: Run) -> Run:
    """The same training without fetches."""
    return api.train(run.problem.scenario, run.plan, **HOW | {"method": "optimal"})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def placement() -> PlacementPlan:
    return plan_specialisation(mixture(), seed=1)


def test_the_ledger_with_fetches_is_what_was_predicted(run: Run, plain: Run) -> None:
    told = run.measurement
    assert max(abs(told.difference.latency_s), abs(told.difference.energy_j), abs(told.difference.bits)) < 1e-9
    fetching = run.trace.header.fetching
    assert fetching is not None and fetching.every == EVERY
    once = fetch_cost(run.problem, fetching)
    sent = [entry for entry in run.trace.ledger.entries() if entry.event == "relay"]
    assert {entry.round for entry in sent} == {2, 4}
    assert sum(entry.joules for entry in sent) == pytest.approx(2 * once.joules, rel=1e-9)
    assert plain.trace.header.fetching is None
    assert told.predicted.latency_s == pytest.approx(plain.measurement.predicted.latency_s + 2 * once.seconds, rel=1e-9)
    assert told.predicted.energy_j == pytest.approx(plain.measurement.predicted.energy_j + 2 * once.joules, rel=1e-9)
    assert told.predicted.bits == plain.measurement.predicted.bits + 2 * once.bits
    # What is fetched is neither trained nor averaged.
    assert [record.loss for record in run.trace.rounds] == [record.loss for record in plain.trace.rounds]


def test_rounds_are_charged_for_the_fetches_that_follow_them(run: Run) -> None:
    records, entries = run.trace.rounds, list(run.trace.ledger.entries())
    for record in records:
        mine = [entry for entry in entries if entry.round == record.round]
        assert record.energy_j == pytest.approx(sum(entry.joules for entry in mine), rel=1e-9)
        assert record.bits == sum(entry.charged_bits for entry in mine)
        assert record.end_s == pytest.approx(max(entry.start_s + entry.seconds for entry in mine), rel=1e-12)
        fetched = [entry for entry in mine if entry.event == "relay"]
        others = [entry.start_s + entry.seconds for entry in mine if entry.event != "relay"]
        assert all(entry.start_s >= max(others) * (1 - 1e-12) for entry in fetched)
        after = [entry.start_s for entry in entries if entry.round == record.round + 1]
        assert not fetched or min(after, default=record.end_s) >= record.end_s * (1 - 1e-12)


def test_devices_answer_with_what_they_have_fetched(run: Run, plain: Run) -> None:
    """Two devices with an expert each are two models; with all experts, once these are averaged, they are one."""

    def models(of: Run) -> dict[int, int]:
        found = [a for a in of.trace.accuracy if a.phase == "after-average" and a.task == "keys"]
        assert {a.devices for a in found} == {2}
        return {a.round: a.states for a in found}

    assert models(plain) == {1: 2, 2: 2, 3: 2, 4: 2, 5: 2}
    assert models(run) == {1: 2, 2: 1, 3: 2, 4: 1, 5: 2}
    for record in run.trace.accuracy:
        if record.phase == "after-average":
            assert record.clock_s == run.trace.rounds[record.round - 1].end_s


def test_the_directory_has_the_placement_and_the_report_reads_it(
    run: Run, directory: Path, placement: PlacementPlan, tmp_path: Path
) -> None:
    kept = load_placement(directory / "placement.json")
    assert kept.model_copy(update={"seconds": 0.0}) == placement.model_copy(update={"seconds": 0.0})
    found = read_run(directory)
    assert found.trace == run.trace
    measured = list(measured_energy(found).values())
    for band, joules in predicted_energy(found).items():
        assert sum(bands.get(band, 0.0) for bands in measured) == pytest.approx(joules, rel=1e-9)
    assert "experts fetched" in write_report([directory], tmp_path / "page.html").read_text()


@pytest.mark.usefixtures("run")
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    directory: Path, placement: PlacementPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        if arguments[2] == 4:  # a round before which copies have been fetched
            raise KeyboardInterrupt
        run_round(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("hffm_opt.learning.run.run_round", interrupted)
        stopped = api.train(mixture(), out=tmp_path / "run", placement="optimal", **HOW)  # type: ignore[arg-type]
    assert not stopped.trace.complete
    other = placement.model_copy(update={"method": "other"})
    for given in ("everyone", other):
        with pytest.raises(InputError, match="another placement"):
            api.train(mixture(), out=tmp_path / "run", resume=True, placement=given, **HOW)  # type: ignore[arg-type]
    api.train(mixture(), out=tmp_path / "run", resume=True, **HOW)  # type: ignore[arg-type]
    timed = {"placement.json", "outcome.json"}
    here, there = contents(directory), contents(tmp_path / "run")
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name] and name not in timed] == []


def test_fetches_are_predicted_while_plans_change(placement: PlacementPlan) -> None:
    how = {"rounds": 4, "seed": 1}
    loop = api.run_loop(mixture(), replan_every=2, method="h-fedfm-2", **how)  # type: ignore[arg-type]
    lama = api.train(mixture(), method="fedlama", fedlama=2, placement=placement, **how)  # type: ignore[arg-type]
    assert loop.trace.looks and lama.trace.revisions
    for run in (loop, lama):
        difference = run.measurement.difference
        assert max(abs(difference.latency_s), abs(difference.energy_j), abs(difference.bits)) < 1e-9
        assert {entry.round for entry in run.trace.ledger.entries() if entry.event == "relay"} == {2, 4}


def test_the_command_does_as_the_function(
    run: Run, directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario, kept, plan = tmp_path / "s.yaml", str(directory / "placement.json"), str(tmp_path / "plan.json")
    write_text(scenario, dump_yaml(mixture()))
    asked = ["--seed", "1", "--json"]
    assert main(["plan", str(scenario), "--method", "h-fedfm-2", "-o", plan, *asked]) == 0
    train = ["train", str(scenario), "--plan", plan, "--rounds", str(ROUNDS), "-o", str(tmp_path / "run"), *asked]
    capsys.readouterr()
    assert main([*train, "--placement", kept]) == 2
    refused = capsys.readouterr().err
    # The repair that the message tells is one that works.
    words = refused.replace("\n", " ").split("hffm plan ")[1].split(" -o PLAN")[0].split()
    assert words == [str(scenario), "--placement", kept, "--seed", "1"]
    assert main(["plan", *words, "--method", "h-fedfm-2", "-o", plan, "--json"]) == 0
    capsys.readouterr()
    assert main([*train, "--placement", kept, "--evaluate-every", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["measured"] == run.measurement.measured.model_dump(mode="json")
    assert told["accuracy"] == run.measurement.accuracy
    assert (tmp_path / "run" / "placement.json").read_bytes() == (directory / "placement.json").read_bytes()


def test_placements_over_a_limit_are_refused(placement: PlacementPlan) -> None:
    copies = {(f.host, f.module): f for f in placement.fetches}.values()
    caches = tuple(copy.model_copy(update={"device": "edge-0", "edge": "edge-0"}) for copy in copies)
    assert sum(410e3 for _ in caches) > 1e6
    with pytest.raises(InputError, match=r"edge-0: .* bit of copies"):
        placed(mixture(), placement.model_copy(update={"caches": caches}))
    hosts = {name: tuple(device.name for device in mixture().devices) for name in placement.hosts}
    everyone = placement.model_copy(update={"hosts": hosts, "fetches": (), "caches": ()})
    with pytest.raises(InputError, match="it keeps 4 experts"):
        placed(mixture(), everyone)
    scenario = mixture()
    used = max(sum(m.payload_bit for m in scenario.modules if m.kind != "expert") for _ in scenario.devices)
    devices = tuple(device.model_copy(update={"memory_bit": used + 2.5 * 409984}) for device in scenario.devices)
    roomy = scenario.model_copy(update={"devices": devices, "specialise": Specialise(misfit_weight=0.1)})
    plan = plan_specialisation(roomy)
    assert plan.status == "optimal"
    full = {name: tuple(device.name for device in devices) for name in plan.hosts}
    with pytest.raises(InputError, match="exceed its room"):
        placed(roomy, plan.model_copy(update={"hosts": full, "fetches": (), "caches": ()}))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"device": "device-9"}, "'device-9' is no node"),
        ({"host": "edge-0"}, "'edge-0' is no node"),
        ({"edge": "device-0-0"}, "'device-0-0' is no node"),
        ({"module": "head-keys"}, "'head-keys' is no expert"),
    ],
)
def test_placements_that_name_what_there_is_not_are_refused(
    placement: PlacementPlan, wrong: dict[str, str], told: str
) -> None:
    fetches = (placement.fetches[0].model_copy(update=wrong), *placement.fetches[1:])
    with pytest.raises(InputError, match=told):
        placed(mixture(), placement.model_copy(update={"fetches": fetches}))


def test_what_does_not_go_together_is_told(
    placement: PlacementPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for idle in (["--objective", "pareto"], ["--for", "specialise"]):
        assert main(["plan", "m3t", "--placement", "optimal", *idle]) == 2
        assert "--placement" in capsys.readouterr().err
    fades = Changes(fading="rayleigh")
    with pytest.raises(InputError, match="changes may take them away"):
        api.train(mixture(changes=fades), rounds=1)
    with pytest.raises(InputError, match="no experts to place"):
        api.train("tiny", rounds=1, placement="optimal")
    with pytest.raises(InputError, match="trains one model with all experts"):
        api.train(mixture(), rounds=1, centralised=True, placement="optimal")
    with pytest.raises(InputError, match="no experts to place"):
        api.plan("tiny", placement=placement)
    reference = placement.scenario.model_copy(update={"name": "x", "fingerprint": "0" * 64})
    write_text(tmp_path / "p.json", dump_json(placement.model_copy(update={"scenario": reference})))
    with pytest.raises(InputError, match="is for 'x'"):
        placed(mixture(), tmp_path / "p.json")
