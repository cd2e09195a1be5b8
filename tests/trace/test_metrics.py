"""Metrics to follow: the table says what the records say, and grows to what is written in the end."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
from pathlib import Path

import pytest
from test_trace_files import sample_trace

from hffm_opt.errors import InputError
from hffm_opt.trace import metrics, read_trace, write_trace
from hffm_opt.trace.metrics import LiveMetrics, metrics_lines, metrics_table

TRACE = sample_trace()
ROUNDS = [(record, [found for found in TRACE.accuracy if found.round == record.round]) for record in TRACE.rounds]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_per_round_and_per_accuracy_by_the_clock() -> None:
    rows = table(metrics_table(TRACE.header, TRACE.rounds, TRACE.accuracy))
    assert [(row["record"], row["round"], row["phase"]) for row in rows] == [
        ("round", "1", ""),
        ("round", "2", ""),
        ("accuracy", "3", "before-average"),
        ("accuracy", "3", "after-average"),
        ("round", "3", ""),
    ]
    ends = [row for row in rows if row["record"] == "round"]
    for k, (row, record) in enumerate(zip(ends, TRACE.rounds, strict=True), 1):
        assert float(row["clock_s"]) == record.end_s
        # Exact, however many rounds there are: a running sum of floats would drift.
        assert float(row["energy_j"]) == math.fsum([record.energy_j] * k)
        assert float(row["bits"]) == k * record.bits
        assert (float(row["loss_digits"]), row["loss_shapes"]) == (record.loss["digits"], "")
    measured = TRACE.accuracy[0]
    found = rows[2]
    assert (found["task"], found["tier"], found["devices"], found["states"]) == ("digits", "cloud", "4", "2")
    assert float(found["accuracy"]) == measured.accuracy
    assert (float(found["clock_s"]), float(found["energy_j"]), found["bits"]) == (9.4, 0.9, "")


def test_live_files_grow_to_those_of_the_trace(tmp_path: Path) -> None:
    live = LiveMetrics(tmp_path)
    live.begin(TRACE.header, (), ())
    for k, (record, accuracy) in enumerate(ROUNDS, 1):
        live.add(record, accuracy)
        rounds, measured = TRACE.rounds[:k], [a for a in TRACE.accuracy if a.round <= k]
        assert (tmp_path / "metrics.csv").read_text() == metrics_table(TRACE.header, rounds, measured)
        lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
        assert sorted(lines) == sorted(metrics_lines(rounds, measured).splitlines())
    before = (tmp_path / "metrics.csv").read_bytes()
    write_trace(TRACE, tmp_path)
    assert (tmp_path / "metrics.csv").read_bytes() == before
    assert (tmp_path / "metrics.jsonl").read_text() == metrics_lines(TRACE.rounds, TRACE.accuracy)


def test_rounds_that_are_run_again_stand_once(tmp_path: Path) -> None:
    """A crash may leave rounds behind the checkpoint, and half a line."""
    write_trace(TRACE, tmp_path)
    with open(tmp_path / "metrics.csv", "a") as stream:
        stream.write("round,4,0,,")
    live = LiveMetrics(tmp_path)
    live.begin(TRACE.header, TRACE.rounds[:1], ())
    for record, accuracy in ROUNDS[1:]:
        live.add(record, accuracy)
    assert (tmp_path / "metrics.csv").read_text() == metrics_table(TRACE.header, TRACE.rounds, TRACE.accuracy)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["round"] for record in records if record["record"] == "round"] == [1, 2, 3]
    # What is there now goes on beyond the trace that was interrupted.
    assert not (tmp_path / "trace.json").exists()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveMetrics(tmp_path)
    live.begin(TRACE.header, (), ())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(metrics, "open", full, raising=False)
    with pytest.raises(InputError, match=r"metrics\.jsonl: the figures of round 1 .*: No space left.*--resume"):
        live.add(*ROUNDS[0])


def test_a_changed_table_is_refused_and_runs_without_one_are_read(tmp_path: Path) -> None:
    path = write_trace(TRACE, tmp_path)
    text = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text(text.replace("digits", "shapes", 1))
    with pytest.raises(InputError, match=r"metrics\.csv"):
        read_trace(tmp_path)
    (tmp_path / "metrics.csv").unlink()
    with pytest.raises(InputError, match=r"metrics\.csv"):
        read_trace(tmp_path)
    index = json.loads(path.read_text())
    del index["sha256"]["metrics.csv"]
    path.write_text(json.dumps(index))
    assert read_trace(tmp_path) == TRACE
