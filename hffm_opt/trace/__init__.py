"""What a run did: rounds, accuracies, and a ledger of every training and transfer."""

from hffm_opt.trace.files import read_trace, write_trace
from hffm_opt.trace.ledger import EVENTS, Event, Ledger, LedgerColumns, LedgerEntry
from hffm_opt.trace.model import (
    AccuracyRecord,
    Algorithm,
    Broadcast,
    Divergence,
    ExecutionRecord,
    Intervals,
    Look,
    Phase,
    Revision,
    RoundRecord,
    RunHeader,
    TierName,
    Trace,
)
from hffm_opt.trace.provenance import Provenance, provenance

__all__ = [
    "EVENTS",
    "AccuracyRecord",
    "Algorithm",
    "Broadcast",
    "Divergence",
    "Event",
    "ExecutionRecord",
    "Intervals",
    "Ledger",
    "LedgerColumns",
    "LedgerEntry",
    "Look",
    "Phase",
    "Provenance",
    "Revision",
    "RoundRecord",
    "RunHeader",
    "TierName",
    "Trace",
    "provenance",
    "read_trace",
    "write_trace",
]
