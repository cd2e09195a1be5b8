"""The trace of a training by walks: where copies went in every round, accuracies, and prediction beside measurement.

In a run directory: ``walk.json`` (the plan), ``walk-trace.json`` and ``ledger.csv``, beside ``scenario.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hffm_opt.errors import InputError
from hffm_opt.scenario.model import Frozen, Name
from hffm_opt.serial import dump_json, read_model, read_text, validate, write_text
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.files import LEDGER, ledger_columns, ledger_text, text_digest
from hffm_opt.trace.ledger import Ledger
from hffm_opt.trace.model import Amount, Number, Share
from hffm_opt.trace.provenance import Provenance

WALK, WALK_TRACE = "walk.json", "walk-trace.json"


class WalkHop(Frozen):
    """A copy of a module that crossed a link, and whether it arrived."""

    module: Name
    source: Name
    target: Name
    arrived: bool


class WalkMeeting(Frozen):
    """Copies of a module that became one on a device: where each came from."""

    module: Name
    device: Name
    sources: tuple[Name, ...]


class WalkCreation(Frozen):
    """A copy of a module that was started anew on a device."""

    module: Name
    device: Name


class WalkRecord(Frozen):
    """A complete round: who trained, hops, meetings, new copies, and clock (s) and joules of the run at its end.

    ``stood`` names, by module, the devices where copies stood when it began.
    """

    round: Number
    stood: dict[Name, tuple[Name, ...]]
    trained: tuple[Name, ...]
    hops: tuple[WalkHop, ...]
    met: tuple[WalkMeeting, ...]
    created: tuple[WalkCreation, ...]
    clock_s: Amount
    energy_j: Amount


class WalkPoint(Frozen):
    """After a round: clock in s, joules so far, and per task the mean accuracy of the devices that own it."""

    round: Number
    clock_s: Amount
    energy_j: Amount
    accuracy: dict[str, Share]

    @property
    def mean(self) -> float:
        """Mean accuracy over the tasks."""
        return sum(self.accuracy.values()) / len(self.accuracy)


class WalkHeader(Frozen):
    """What was run: scenario, chain, seed, the rounds asked for, and the software that ran them.

    ``baseline`` is the accuracy per task of always giving the most frequent answer; ``skipped`` counts, per task and
    reason, the records of a data set that could not be used.
    """

    scenario: str
    fingerprint: str
    method: str
    backbone: str
    seed: int = Field(ge=0)
    rounds: Number
    evaluate_every: Number
    baseline: dict[str, Share]
    skipped: dict[str, dict[str, int]] = Field(default_factory=dict)
    provenance: Provenance


class WalkTrace(Frozen):
    """What a training by walks did. Complete rounds only: an interrupted run has fewer than its header asks for.

    ``predicted`` is what its complete rounds were to cost, known before anything was trained; ``measured`` is the
    ledger's.
    """

    format: Literal["hffm-walk-trace/1"] = "hffm-walk-trace/1"
    header: WalkHeader
    rounds: tuple[WalkRecord, ...]
    curve: tuple[WalkPoint, ...]
    predicted: SpentCosts
    measured: SpentCosts
    ledger: Ledger

    @property
    def complete(self) -> bool:
        """Whether every round that was asked for was run."""
        return len(self.rounds) == self.header.rounds

    @property
    def accuracy(self) -> dict[str, float]:
        """Accuracy per task when it was last measured; empty where it never was."""
        return dict(self.curve[-1].accuracy) if self.curve else {}

    def summary(self) -> dict[str, Any]:
        """Return accuracy, costs and counts as JSON values, without the single rounds."""
        hops = [hop for record in self.rounds for hop in record.hops]
        head = self.header
        return {
            **{name: getattr(head, name) for name in ("scenario", "fingerprint", "method", "seed")},
            "rounds": len(self.rounds),
            "complete": self.complete,
            "accuracy": self.accuracy,
            "accuracy_round": self.curve[-1].round if self.curve else None,
            "baseline": head.baseline,
            "predicted": self.predicted.model_dump(),
            "measured": self.measured.model_dump(),
            "serialised_bits": self.ledger.total("serialised_bits"),
            "hops": len(hops),
            "lost": sum(not hop.arrived for hop in hops),
            "met": sum(len(meeting.sources) - 1 for record in self.rounds for meeting in record.met),
            "created": sum(len(record.created) for record in self.rounds),
            "curve": [point.model_dump() for point in self.curve],
        }


class _Index(Frozen):
    """``walk-trace.json``: the trace without its ledger, and the SHA-256 of the ledger beside it."""

    format: Literal["hffm-walk-trace/1"]
    header: WalkHeader
    rounds: tuple[WalkRecord, ...]
    curve: tuple[WalkPoint, ...]
    predicted: SpentCosts
    measured: SpentCosts
    sha256: dict[str, str]


def write_walk_trace(trace: WalkTrace, directory: Path) -> Path:
    """Write ``ledger.csv`` and then ``walk-trace.json`` to a directory; return the latter's path."""
    text = ledger_text(trace.ledger)
    write_text(directory / LEDGER, text)
    parts = {name: getattr(trace, name) for name in WalkTrace.model_fields if name != "ledger"}
    write_text(directory / WALK_TRACE, dump_json(_Index(**parts, sha256={LEDGER: text_digest(text)})))
    return directory / WALK_TRACE


def read_walk_trace(directory: Path) -> WalkTrace:
    """Read the trace of a directory that ``hffm train --walk`` wrote.

    Raises:
        InputError: a file is missing, damaged, or from another run than its neighbour.
    """
    path = directory / WALK_TRACE
    index = read_model(path, _Index, "trace of walks")
    text = read_text(directory / LEDGER, "ledger")
    if text_digest(text) != index.sha256.get(LEDGER):
        message = f"it is not the file that {WALK_TRACE} belongs to"
        raise InputError.one(str(directory / LEDGER), message, "run anew")
    unknown = sorted({task for point in index.curve for task in point.accuracy} - index.header.baseline.keys())
    if unknown:
        message = f"it holds no accuracy of majority answers for '{unknown[0]}', which was trained"
        raise InputError.one(f"{path}: header.baseline", message, "run anew")
    data = index.model_dump(mode="json", exclude={"sha256"}) | {"ledger": ledger_columns(text)}
    return validate(data, WalkTrace, "trace of walks", str(directory))
