"""Bytes that the cloud sends to all devices right after its average, along the trees of the round's downlink."""

from __future__ import annotations

import numpy as np

from hffm_opt.learning.clock import Hop
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.transport import Message, Post, scatter
from hffm_opt.plan.broadcast import one_payload, receivers
from hffm_opt.plan.circulation import tiers
from hffm_opt.plan.costs import backhaul_cost
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.units import bytes_to_bit


def broadcast(
    engine: RoundEngine, number: int, name: str, data: bytes, clock_s: Floats
) -> tuple[tuple[LedgerEntry, ...], Floats]:
    """Send bytes to every device that took part in a round's averages above the heads.

    Args:
        engine: what carried out the round, one with a cloud average.
        number: the round.
        name: what the ledger calls the bytes.
        data: the bytes.
        clock_s: [cells] the clocks after the round.

    Returns:
        The ledger's entries, and the clocks afterwards: cells do not wait for one another.
    """
    one = one_payload(engine.problem, name, int(bytes_to_bit(len(data))))
    level = tiers(engine.plan.circulation, engine.kind(number))
    post, ends = Post(one, {}, number), np.array(clock_s, dtype=float)
    for i, part in enumerate(engine.cells(number)):
        users = receivers(engine.problem, part.cell, level)
        if part.downlink is None or not users.any():
            continue
        now = float(ends[i])
        if not part.direct and not engine.problem.published:
            message: Message = {name: (data,)}
            hop = Hop(CLOUD, part.cell.edge.name, backhaul_cost(one, part.cell))
            now += post.send("backhaul-down", part.cell.edge.name, hop, message, now)
        _, ends[i] = scatter(post, "downlink", part.downlink, {name: data}, users, now)
    return tuple(post.entries), ends
