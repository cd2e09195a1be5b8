"""A trace in a run directory: ``trace.json`` (header and checksums), ``ledger.csv``, and the two files of metrics."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any, Literal

from hffm_opt.errors import InputError
from hffm_opt.scenario.model import Frozen
from hffm_opt.serial import dump_json, read_model, read_text, validate, write_text
from hffm_opt.trace.ledger import Ledger, LedgerEntry
from hffm_opt.trace.metrics import METRICS, METRICS_TABLE, TRACE, metrics_lines, metrics_table
from hffm_opt.trace.model import Broadcast, Look, Revision, RunHeader, Trace

LEDGER, PLACEMENT = "ledger.csv", "placement.json"
WEIGHTS, CHECKPOINT, BOARD = "weights", "checkpoint", "tensorboard"  # directories beside them
_NUMBERS = dict.fromkeys(("round", "charged_bits", "serialised_bits"), int) | dict.fromkeys(
    ("start_s", "seconds", "joules"), float
)


class _Index(Frozen):
    """``trace.json``: header, changes of plan, looks and broadcasts if any, and the SHA-256 of the files beside it."""

    format: Literal["hffm-trace/1"]
    header: RunHeader
    sha256: dict[str, str]
    revisions: tuple[Revision, ...] = ()
    broadcasts: tuple[Broadcast, ...] = ()
    looks: tuple[Look, ...] = ()


def write_trace(trace: Trace, directory: Path) -> Path:
    """Write a trace to a run directory and return the path of its ``trace.json``.

    The index is written last, so a directory whose ``trace.json`` can be read is whole.
    """
    texts = {
        METRICS: metrics_lines(trace.rounds, trace.accuracy),
        METRICS_TABLE: metrics_table(trace.header, trace.rounds, trace.accuracy),
        LEDGER: ledger_text(trace.ledger),
    }
    for name, text in texts.items():
        write_text(directory / name, text)
    index = _Index(
        format=trace.format,
        header=trace.header,
        sha256={name: text_digest(text) for name, text in texts.items()},
        revisions=trace.revisions,
        broadcasts=trace.broadcasts,
        looks=trace.looks,
    )
    write_text(directory / TRACE, dump_json(index))
    return directory / TRACE


def read_trace(directory: Path) -> Trace:
    """Read the trace of a run directory.

    Raises:
        InputError: a file is missing, damaged, or from another run than its neighbours.
    """
    path = directory / TRACE
    index = read_model(path, _Index, "trace")
    # Runs of earlier versions have no table of metrics.
    names = (METRICS, LEDGER, *([METRICS_TABLE] if METRICS_TABLE in index.sha256 else []))
    texts = {name: read_text(directory / name, "trace") for name in names}
    for name, text in texts.items():
        if text_digest(text) != index.sha256.get(name):
            raise InputError.one(str(directory / name), f"it is not the file that {TRACE} belongs to", "run anew")
    records: dict[str, list[Any]] = {"round": [], "accuracy": []}
    for record in map(json.loads, texts[METRICS].splitlines()):
        records[record.pop("record")].append(record)
    data = {
        "format": index.format,
        "header": index.header.model_dump(mode="json"),
        "rounds": records["round"],
        "accuracy": records["accuracy"],
        "ledger": ledger_columns(texts[LEDGER]),
        "revisions": [revision.model_dump(mode="json") for revision in index.revisions],
        "broadcasts": [sent.model_dump(mode="json") for sent in index.broadcasts],
        "looks": [look.model_dump(mode="json") for look in index.looks],
    }
    return validate(data, Trace, "trace", str(directory))


def text_digest(text: str) -> str:
    """Return the SHA-256 (hex) by which an index knows the file beside it."""
    return hashlib.sha256(text.encode()).hexdigest()


def ledger_text(ledger: Ledger) -> str:
    """Return a ledger as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(LedgerEntry._fields)
    writer.writerows(ledger.entries())
    return stream.getvalue()


def ledger_columns(text: str) -> dict[str, list[Any]]:
    """Return the columns of a ledger that was written as CSV."""
    header, *rows = csv.reader(io.StringIO(text))
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return {
        name: [_NUMBERS[name](value) for value in column] if name in _NUMBERS else list(column)
        for name, column in zip(header, columns, strict=True)
    }
