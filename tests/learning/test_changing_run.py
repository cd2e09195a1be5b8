"""Runs in networks that change: every second, joule and bit of the ledger is the referee's, whatever happens."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
from resume_cases import quick_scenario

from hffm_opt import api
from hffm_opt.learning import run as learning_run
from hffm_opt.learning.engines import NOTICE
from hffm_opt.measurement.replans import TrueNetwork
from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.notice import notice_cost
from hffm_opt.plan.schedule import run_cost
from hffm_opt.report.run import Run
from hffm_opt.scenario.changes import Changes, DrawnChanges, Fade, Fail, Join, Leave, Slow
from hffm_opt.scenario.model import ReferenceArithmetic, Scenario

# Two cells: device-0-0 to device-0-2, and device-1-0.
NAMES = tuple(device.name for device in quick_scenario().devices)
A, B, C, D = NAMES
SCRIPT = (
    Fade(change="fade", round=2, source=B, loss_db=30.0),
    Slow(change="slow", round=3, until=7, device=C, factor=0.2),
    Fail(change="fail", round=4, until=6, source=A, target=B),
    Leave(change="leave", round=5, until=8, device=A),
    Join(change="join", round=3, device=D),
)


def changing(*events: object, scenario: Scenario | None = None, **more: object) -> Scenario:
    given = quick_scenario() if scenario is None else scenario
    return given.model_copy(update={"changes": Changes.model_validate({"events": events} | more)})


def published() -> Scenario:
    given = quick_scenario()
    physics = given.physics.model_copy(update={"profile": "reference", "reference": ReferenceArithmetic()})
    return given.model_copy(update={"physics": physics})


def free_association() -> Scenario:
    given = quick_scenario()
    planning = given.planning.model_copy(update={"association": "free"})
    devices = tuple(device.model_copy(update={"edge": None}) for device in given.devices)
    return given.model_copy(update={"planning": planning, "devices": devices})


GONE = tuple(Leave(change="leave", round=2, until=4, device=name) for name in NAMES)
LOOP = {"rounds": 9, "replan_every": 3, "method": "h-fedfm-2+best-head+mst"}
CASES = {
    "scripted": lambda: api.run_loop(changing(*SCRIPT), **LOOP | {"method": "optimal"}),
    "static": lambda: api.train(changing(*SCRIPT), method="h-fedfm-2+d2d", rounds=9),
    "fading": lambda: api.run_loop(changing(*SCRIPT, fading="rayleigh"), **LOOP),
    "drawn": lambda: api.run_loop(changing(drawn=DrawnChanges(seed=2, per_round=1.0, mean_rounds=3.0)), **LOOP),
    "aimed": lambda: api.run_loop(
        changing(*SCRIPT), **LOOP | {"method": "optimal"}, objective="time-to-accuracy", target=0.5
    ),
    "nobody": lambda: api.run_loop(changing(*GONE), **LOOP | {"rounds": 5}),
    "fedlama": lambda: api.train(changing(*SCRIPT, fading="rayleigh"), method="fedlama", fedlama=2, rounds=6),
    "published": lambda: api.run_loop(changing(*SCRIPT, scenario=published()), **LOOP),
    "free": lambda: api.run_loop(changing(*SCRIPT[:2], scenario=free_association()), rounds=4, replan_every=2, gap=0.5),
}


@cache
def run_of(name: str) -> Run:
    return CASES[name]()


@pytest.fixture(params=CASES)
def run(request: pytest.FixtureRequest) -> Run:
    return run_of(request.param)


def test_the_ledger_is_what_the_referee_counts_under_the_true_conditions(run: Run) -> None:
    measured, explained = run.measurement.measured, run.measurement.explained
    assert explained is not None
    for name in ("latency_s", "energy_j", "bits"):
        assert getattr(measured, name) == pytest.approx(getattr(explained, name), rel=1e-9), name
    assert run.trace.rounds[-1].end_s == pytest.approx(measured.latency_s, rel=1e-12)
    assert sum(record.energy_j for record in run.trace.rounds) == pytest.approx(measured.energy_j, rel=1e-12)
    assert sum(record.bits for record in run.trace.rounds) == pytest.approx(measured.bits, rel=1e-12)


def test_records_tell_who_sat_out(run: Run) -> None:
    network, plans = TrueNetwork(run.problem), run.trace.plans(run.plan)
    for record in run.trace.rounds:
        plan = next(plan for start, plan in reversed(plans) if start <= record.round)
        carried = carried_out(network.at(record.round), plan)
        assert (record.sat_out, record.participation) == (carried.sat_out, carried.participation)
        trained = {
            e.source
            for e in run.trace.ledger.entries()
            if e.round == record.round and e.seconds > 0 and e.event == "train"
        }
        assert not trained & set(carried.sat_out)


def test_looks_and_changes_of_plan_belong_together(run: Run) -> None:
    looks, goal = run.trace.looks, run.trace.header.goal
    if goal is None:
        assert not looks and not run.measurement.replans
        return
    assert [each.round for each in run.trace.revisions] == [look.round for look in looks if look.adopted]
    assert [each.round for each in run.measurement.replans] == [each.round for each in run.trace.revisions]
    due = {n + 1 for n in range(1, run.trace.header.rounds) if n % goal.looks_every == 0}
    assert due <= {look.round for look in looks}
    measured = {record.round for record in run.trace.rounds if record.divergence}
    assert measured <= {look.round - 1 for look in looks}
    for look in looks:
        if look.adopted:
            assert look.saving is None or look.saving > look.cost
    told = {e.round for e in run.trace.ledger.entries() if e.modules == NOTICE}
    assert told == {each.round - 1 for each in run.trace.revisions}


def test_the_loops_really_changed_their_plans() -> None:
    """Else the tests above would say little."""
    for name in ("scripted", "fading"):
        assert run_of(name).trace.revisions, name


def test_a_notice_costs_what_the_look_said(run: Run) -> None:
    goal = run.trace.header.goal
    network = TrueNetwork(run.problem)
    for revision in run.trace.revisions if goal is not None else ():
        seconds, joules = notice_cost(network.at(revision.round - 1), revision.notice_bits)
        sent = [e for e in run.trace.ledger.entries() if e.round == revision.round - 1 and e.modules == NOTICE]
        assert sum(entry.joules for entry in sent) == pytest.approx(joules, rel=1e-9)
        (look,) = [look for look in run.trace.looks if look.round == revision.round]
        assert look.cost == pytest.approx(goal.weights[0] * seconds.max() + goal.weights[1] * joules, rel=1e-9)


def test_devices_stay_where_the_first_plan_put_them() -> None:
    run = run_of("free")
    nearest = [cell.devices for cell in run_of("scripted").plan.cells]
    assert [cell.devices for cell in run.plan.cells] != nearest
    served = [set(cell.devices) for cell in run.plan.cells]
    assert all([set(cell.devices) for cell in each.plan.cells] == served for each in run.trace.revisions)


def test_a_round_without_anybody_passes() -> None:
    run = run_of("nobody")
    assert [record.participation for record in run.trace.rounds] == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert "nobody is left to plan for" in {look.reason for look in run.trace.looks}
    assert not run.trace.revisions


def test_without_changes_a_loop_trains_the_bits_of_a_plain_run(tmp_path: Path) -> None:
    scenario = quick_scenario()
    plain = api.train(scenario, method="h-fedfm-2+d2d", rounds=4, evaluate_every=2, out=tmp_path / "plain")
    loop = api.run_loop(
        scenario, method="h-fedfm-2+d2d", rounds=4, replan_every=2, evaluate_every=2, out=tmp_path / "loop"
    )
    calm = api.train(changing(), method="h-fedfm-2+d2d", rounds=4, evaluate_every=2, out=tmp_path / "calm")
    for other in (loop, calm):
        assert other.trace.accuracy == plain.trace.accuracy and other.trace.ledger == plain.trace.ledger
        assert [r.loss for r in other.trace.rounds] == [r.loss for r in plain.trace.rounds]
    weights = sorted(path.relative_to(tmp_path / "plain") for path in (tmp_path / "plain").rglob("*.safetensors"))
    assert weights
    for path in weights:
        assert (tmp_path / "plain" / path).read_bytes() == (tmp_path / "loop" / path).read_bytes()
    assert not loop.trace.revisions and {look.cause for look in loop.trace.looks} == {"nothing has changed"}
    assert loop.measurement.measured.energy_j == pytest.approx(run_cost(plain.problem, plain.plan, 4).energy_j)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_loop_that_was_stopped_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stopped right after a change of plan, and again in the middle of what it led to; searches take their seconds."""
    options = {"rounds": 6, "replan_every": 2, "method": "h-fedfm-2+best-head+mst"}
    scenario = changing(Fade(change="fade", round=2, source=B, loss_db=40.0), fading="rayleigh")
    whole = api.run_loop(scenario, out=tmp_path / "whole", **options)
    assert whole.trace.revisions
    place = tmp_path / "stopped"
    for number in (whole.trace.revisions[0].round, 6):
        with monkeypatch.context() as patched:
            run_round = learning_run.run_round

            def interrupted(*arguments: object, number: int = number, run_round: object = run_round) -> object:
                if arguments[2] == number:
                    raise KeyboardInterrupt
                return run_round(*arguments)  # type: ignore[operator]

            patched.setattr(learning_run, "run_round", interrupted)
            part = api.run_loop(scenario, out=place, resume=place.exists(), **options)
        assert not part.trace.complete and part.measurement.rounds == number - 1
    # Measured as far as it went: what the last change of plan saved is known where it was in force.
    assert all(math.isfinite(each.cost) for each in part.measurement.replans)
    api.run_loop(scenario, out=place, resume=True, **options)
    one, two = contents(tmp_path / "whole"), contents(place)
    assert one.keys() == two.keys()
    differing = {name for name in one if one[name] != two[name]}
    assert differing <= {"outcome.json"}
