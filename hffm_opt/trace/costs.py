"""What copies that cross links cost, as predicted and as measured."""

from __future__ import annotations

from hffm_opt.scenario.model import Frozen
from hffm_opt.trace.model import Amount


class SpentCosts(Frozen):
    """Seconds, joules, and bits over all links, lost copies included."""

    latency_s: Amount
    energy_j: Amount
    bits: Amount
