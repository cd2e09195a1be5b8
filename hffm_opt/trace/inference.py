"""The trace of collaborative inference: what each class achieved and cost, and every computation and message."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from hffm_opt.errors import InputError
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.scenario.model import Frozen
from hffm_opt.serial import dump_json, read_model, read_text, write_text
from hffm_opt.trace.files import text_digest
from hffm_opt.trace.model import Amount, Share
from hffm_opt.trace.provenance import Provenance

Count = Annotated[int, Field(ge=0)]
INFERENCE, LEDGER, SCENARIO, PLAN = "inference.json", "ledger.csv", "scenario.yaml", "plan.json"
"""What a directory of answers holds; the plan has its certificate, if it was given with one."""


class InferenceEntry(NamedTuple):
    """One computation (source is target, no bits) or one transfer over one link, of one request.

    ``segments`` are those computed, or those whose outputs are sent, parted by commas (``input``: the raw input;
    ``answer``: the answer). ``charged_bits`` are what the chain says, ``serialised_bits`` what the message weighed.
    """

    name: str
    request: int
    event: Literal["compute", "send"]
    segments: str
    source: str
    target: str
    charged_bits: int
    serialised_bits: int
    start_s: float
    seconds: float
    joules: float


class Cost(Frozen):
    """Mean seconds and joules of a request."""

    latency_s: Amount
    energy_j: Amount


class ClassResult(Frozen):
    """What the requests of one class achieved and cost.

    ``planned`` is the referee's figure for the shares of requests that were planned to end early, ``predicted`` that
    for those which did (``ended``, by segment), ``measured`` the ledger's. ``accuracy_full`` is that of the unsplit
    model on the same samples; ``identical`` of the ``unsplit`` requests that went through the whole chain gave its very
    logits. ``early_answers_equal`` is the share of early answers that are the unsplit model's.
    """

    name: str
    task: str
    requests: Annotated[int, Field(ge=1)]
    accuracy: Share
    accuracy_full: Share
    unsplit: Count
    identical: Count
    early_answers_equal: Share | None
    ended: dict[str, Share]
    planned: Cost
    predicted: Cost
    measured: Cost


class InferenceTrace(Frozen):
    """What a run of inference did; ``ledger`` is the SHA-256 of the ledger's text beside it."""

    format: Literal["hffm-inference-trace/1"] = "hffm-inference-trace/1"
    scenario: ScenarioReference
    method: str
    seed: Annotated[int, Field(ge=0)]
    weights: str
    provenance: Provenance
    classes: tuple[ClassResult, ...]
    ledger: str


def ledger_text(entries: list[InferenceEntry]) -> str:
    """Return ledger entries as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(InferenceEntry._fields)
    writer.writerows(entries)
    return stream.getvalue()


def write_inference(trace: InferenceTrace, entries: list[InferenceEntry], directory: Path) -> Path:
    """Write ``ledger.csv`` and then ``inference.json`` to a directory; return the latter's path."""
    write_text(directory / LEDGER, ledger_text(entries))
    write_text(directory / INFERENCE, dump_json(trace))
    return directory / INFERENCE


def read_inference(directory: Path) -> tuple[InferenceTrace, list[InferenceEntry]]:
    """Read the trace and the ledger that :func:`write_inference` wrote.

    Raises:
        InputError: a file is missing or damaged, or the ledger is of another run.
    """
    path = directory / INFERENCE
    trace = read_model(path, InferenceTrace, "trace of inference")
    text = read_text(directory / LEDGER, "ledger")
    if text_digest(text) != trace.ledger:
        message = f"it is not the file that {INFERENCE} belongs to"
        raise InputError.one(str(directory / LEDGER), message, "answer anew: hffm infer SCENARIO --plan PLAN -o DIR")
    return trace, [_entry(row) for row in csv.DictReader(io.StringIO(text))]


def _entry(row: dict[str, str]) -> InferenceEntry:
    return InferenceEntry(
        name=row["name"],
        request=int(row["request"]),
        event="compute" if row["event"] == "compute" else "send",
        segments=row["segments"],
        source=row["source"],
        target=row["target"],
        charged_bits=int(row["charged_bits"]),
        serialised_bits=int(row["serialised_bits"]),
        start_s=float(row["start_s"]),
        seconds=float(row["seconds"]),
        joules=float(row["joules"]),
    )
