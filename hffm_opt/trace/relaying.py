"""What the copying of modules did: every hop, the checksum of every copy, and prediction beside measurement."""

from __future__ import annotations

from typing import Literal

from hffm_opt.scenario.model import Frozen
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.ledger import Ledger
from hffm_opt.trace.model import Amount, Number

RELAYING, RELAYING_PLAN = "relaying.json", "relaying-plan.json"
"""In the directory of the phase that a relaying ended: what it did, and what had been planned."""


class CopyRecord(Frozen):
    """A copy that arrived: the SHA-256 of its bytes, which is that of the bytes sent, and when it was complete."""

    device: str
    module: str
    source: str
    sha256: str
    arrived_s: Amount


class RelayingTrace(Frozen):
    """One event of module relaying, after round ``round``; clocks start at 0 with the event."""

    format: Literal["hffm-relaying-trace/1"] = "hffm-relaying-trace/1"
    round: Number
    method: str
    copies: tuple[CopyRecord, ...]
    predicted: SpentCosts
    measured: SpentCosts
    ledger: Ledger
