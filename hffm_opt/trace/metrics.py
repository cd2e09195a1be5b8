"""The figures of a run as files to read along: ``metrics.jsonl`` and ``metrics.csv``, whole or a round at a time.

Of a run that goes on, ``metrics.jsonl`` has its records in the order in which they were made; of one that has ended,
all rounds come first. ``metrics.csv`` is the same either way.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from hffm_opt.errors import InputError
from hffm_opt.serial import write_text
from hffm_opt.trace.model import AccuracyRecord, RoundRecord, RunHeader

TRACE, METRICS, METRICS_TABLE = "trace.json", "metrics.jsonl", "metrics.csv"
COLUMNS = (
    "record",
    "round",
    "kind",
    "phase",
    "tier",
    "task",
    "accuracy",
    "devices",
    "states",
    "clock_s",
    "energy_j",
    "bits",
)
LOSS = "loss_"


class Follower(Protocol):
    """Told of a run's figures while it goes on."""

    def begin(self, header: RunHeader, rounds: Sequence[RoundRecord], accuracy: Sequence[AccuracyRecord]) -> None:
        """Take what is to be run, and the records of the rounds that are complete already."""
        ...

    def add(self, record: RoundRecord, accuracy: Sequence[AccuracyRecord]) -> None:
        """Take a further complete round."""
        ...


def metrics_lines(rounds: Iterable[RoundRecord], accuracy: Iterable[AccuracyRecord]) -> str:
    """Return records as JSON, one on a line: all rounds, then all accuracies."""
    kinds = (("round", rounds), ("accuracy", accuracy))
    return "".join(
        json.dumps({"record": name} | record.model_dump(mode="json"), allow_nan=False) + "\n"
        for name, records in kinds
        for record in records
    )


def metrics_table(header: RunHeader, rounds: Iterable[RoundRecord], accuracy: Iterable[AccuracyRecord]) -> str:
    """Return records as CSV: those of a round by their clock, so its accuracies come before the round's end."""
    return _Table(header).whole(rounds, accuracy)


class _Table:
    """Rows of ``metrics.csv``; costs are those of the run up to a row, summed exactly."""

    def __init__(self, header: RunHeader) -> None:
        self._tasks = tuple(header.baseline)
        self._energy_j = self._bits = Fraction()

    def head(self) -> str:
        return _csv([(*COLUMNS, *(f"{LOSS}{task}" for task in self._tasks))])

    def whole(self, rounds: Iterable[RoundRecord], accuracy: Iterable[AccuracyRecord]) -> str:
        found = defaultdict(list)
        for record in accuracy:
            found[record.round].append(record)
        return self.head() + "".join(self.rows(record, found[record.round]) for record in rounds)

    def rows(self, record: RoundRecord, accuracy: Iterable[AccuracyRecord]) -> str:
        self._energy_j += Fraction(record.energy_j)
        self._bits += Fraction(record.bits)
        empty = ("",) * len(self._tasks)

        def rows() -> Iterator[tuple[object, ...]]:
            for a in accuracy:
                measured = (a.phase, a.tier, a.task, a.accuracy, a.devices, a.states, a.clock_s, a.energy_j)
                yield ("accuracy", a.round, record.kind, *measured, "", *empty)
            spent = (record.end_s, float(self._energy_j), float(self._bits))
            losses = (record.loss.get(task, "") for task in self._tasks)
            yield ("round", record.round, record.kind, *("",) * 6, *spent, *losses)

        return _csv(rows())


def _csv(rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


class LiveMetrics:
    """The two files of a run that goes on: whoever reads them sees every complete round, and no part of another.

    Args:
        directory: the run directory.

    Raises:
        InputError: when a round cannot be written, e.g. as the disk is full.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._table: _Table | None = None

    def begin(self, header: RunHeader, rounds: Sequence[RoundRecord], accuracy: Sequence[AccuracyRecord]) -> None:
        """Write the rounds that are complete, in place of what the files hold: rounds that are run again among them."""
        self._table = _Table(header)
        write_text(self._directory / METRICS, metrics_lines(rounds, accuracy))
        write_text(self._directory / METRICS_TABLE, self._table.whole(rounds, accuracy))

    def add(self, record: RoundRecord, accuracy: Sequence[AccuracyRecord]) -> None:
        """Append a round; each file grows by one write, so that no reader finds half a line."""
        assert self._table is not None
        # The trace of an interrupted run that goes on: it does not belong to what follows.
        (self._directory / TRACE).unlink(missing_ok=True)
        texts = {METRICS: metrics_lines([record], accuracy), METRICS_TABLE: self._table.rows(record, accuracy)}
        for name, text in texts.items():
            path = self._directory / name
            try:
                with open(path, "ab", buffering=0) as stream:
                    stream.write(text.encode())
            except OSError as error:
                message = f"the figures of round {record.round} cannot be written: {error.strerror}"
                raise InputError.one(str(path), message, "make room and go on: --resume") from error
