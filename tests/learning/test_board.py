"""What TensorBoard reads of a run is what the trace says, also while it goes on and after it was stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from resume_cases import quick_plan, quick_scenario
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, ScalarEvent

from hffm_opt import api
from hffm_opt.cli.main import main
from hffm_opt.errors import InputError
from hffm_opt.report.run import Run
from hffm_opt.trace import AccuracyRecord, RoundRecord

ROUNDS = 3


def scalars(directory: Path) -> dict[str, list[ScalarEvent]]:
    events = EventAccumulator(str(directory / "tensorboard"))
    events.Reload()
    return {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}


def train(out: Path, **options: object) -> Run:
    return api.train(  # type: ignore[arg-type]
        quick_scenario(), quick_plan(), rounds=ROUNDS, seed=3, evaluate_every=2, out=out, tensorboard=True, **options
    )


def points(events: list[ScalarEvent]) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events]


def test_scalars_of_a_run_that_was_stopped(tmp_path: Path) -> None:
    seen: list[int] = []

    def interrupt(record: RoundRecord, _accuracies: tuple[AccuracyRecord, ...]) -> None:
        seen.append(len(scalars(tmp_path)["cost/latency_s"]))
        if record.round == 2:
            raise KeyboardInterrupt

    train(tmp_path, on_round=interrupt)
    assert seen == [1, 2]
    run = train(tmp_path, resume=True)
    found = scalars(tmp_path)
    assert {tag.partition("/")[0] for tag in found} == {"loss", "accuracy", "cost"}
    assert [event.step for event in found["cost/energy_j"]] == [1, 2, 3]
    rounds = run.trace.rounds
    for event, record in zip(found["cost/latency_s"], rounds, strict=True):
        assert event.wall_time == record.end_s
        assert event.value == pytest.approx(record.end_s)
    assert found["cost/energy_j"][-1].value == pytest.approx(sum(record.energy_j for record in rounds))
    for task in run.measurement.accuracy:
        losses = [(record.round, pytest.approx(record.loss[task])) for record in rounds]
        assert points(found[f"loss/{task}"]) == losses
        for phase in ("before-average", "after-average"):
            told = [a for a in run.trace.accuracy if (a.task, a.phase) == (task, phase)]
            events = found.get(f"accuracy/{task}/{phase}", [])
            assert points(events) == [(a.round, pytest.approx(a.accuracy)) for a in told]
            assert [event.wall_time for event in events] == [a.clock_s for a in told]


def test_without_the_extra_one_error_tells_the_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="there is no directory to write to"):
        api.train("tiny", rounds=1, tensorboard=True)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert main(["train", "tiny", "--method", "star", "-o", str(tmp_path / "run"), "--tensorboard"]) == 2
    err = capsys.readouterr().err
    assert "TensorBoard is not installed" in err and "pip install 'hffm_opt[tensorboard]'" in err
    assert not (tmp_path / "run").exists()
