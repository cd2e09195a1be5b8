"""The engine of each round: that of the plan in force, in the network as it is then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hffm_opt.learning.clock import Hop
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.costs import LinkCost
from hffm_opt.plan.model import Plan
from hffm_opt.plan.notice import notices
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.course import Course
from hffm_opt.trace.ledger import Event, LedgerEntry

NOTICE = "plan"
"""What the ledger calls the bits that tell devices of a new plan."""


@dataclass(frozen=True, eq=False)
class InForce:
    """What carries out a round: its engine, who trains, who is there and owns what, and who sits out."""

    engine: RoundEngine
    trains: list[int]
    owners: Bools
    sat_out: tuple[str, ...]
    participation: float


class Engines:
    """Makes engines, and keeps the last one as long as plan and network stay the same.

    Args:
        problem: the network as the scenario gives it.
        modules: the trainable modules by name.
        course: what happens to the network; None leaves it as it is.
    """

    def __init__(self, problem: Problem, modules: Mapping[str, Module], course: Course | None) -> None:
        self._problem, self._modules, self._course = problem, modules, course
        self._key: tuple[Problem, Plan] | None = None
        self._last: InForce | None = None

    def at(self, number: int, plan: Plan) -> InForce:
        """Return what carries out a round under a plan."""
        network = self._problem if self._course is None else self._course.network(number)
        if self._last is None or self._key is None or self._key[0] is not network or self._key[1] is not plan:
            self._key, self._last = (network, plan), self._made(network, plan)
        return self._last

    def _made(self, network: Problem, plan: Plan) -> InForce:
        carried = carried_out(network, plan)
        return InForce(
            engine=RoundEngine(carried.problem, carried.plan, self._modules),
            trains=np.flatnonzero(carried.problem.owners.any(axis=1)).tolist(),
            owners=network.owners,
            sat_out=carried.sat_out,
            participation=carried.participation,
        )


def tell(
    problem: Problem, bits: tuple[int, ...], number: int, clock_s: Floats
) -> tuple[tuple[LedgerEntry, ...], Floats]:
    """Tell all devices of a new plan after a round; return the ledger's entries and the clocks [cells] then."""
    entries, ends = [], np.array(clock_s, dtype=float)

    def sent(event: Event, cell: str, hop: Hop, size: int, start_s: float) -> float:
        seconds = hop.link.seconds(size)
        cost = (size, size, start_s, seconds, hop.link.joules(size))
        entries.append(LedgerEntry(number, event, cell, hop.source, hop.target, NOTICE, *cost))
        return seconds

    for i, notice in enumerate(notices(problem, bits)):
        cell = notice.cell
        ends[i] += sent("backhaul-down", cell, Hop(CLOUD, cell, notice.backhaul), notice.bits, float(ends[i]))
        if notice.listener is not None:
            link = notice.downlink
            assert isinstance(link, LinkCost)
            ends[i] += sent("downlink", cell, Hop(cell, notice.listener, link), notice.bits, float(ends[i]))
    return tuple(entries), ends
