"""What a run of some rounds costs under plans, and networks, that take over from one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hffm_opt.plan.broadcast import broadcast_cost
from hffm_opt.plan.carried import Carried, carried_out
from hffm_opt.plan.circulation import kind_of_round
from hffm_opt.plan.fetching import FetchCost, Fetching
from hffm_opt.plan.model import Plan
from hffm_opt.plan.notice import notices
from hffm_opt.plan.referee import kind_costs, walk
from hffm_opt.problem.model import Problem

InForceT = TypeVar("InForceT")


def in_force(since: Sequence[tuple[int, InForceT]], number: int) -> InForceT:
    """Return what is in force in a round, given what took over from which round on, in order.

    Example:
        >>> in_force([(1, "star"), (5, "tree")], 4), in_force([(1, "star"), (5, "tree")], 5)
        ('star', 'tree')
    """
    return next(what for first, what in reversed(since) if first <= number)


@dataclass(frozen=True)
class RunCost:
    """Predicted totals of a run of some rounds."""

    rounds: int
    latency_s: float
    energy_j: float
    bits: float


@dataclass(frozen=True, eq=False)
class Stretch:
    """A plan that is in force from a round (from 1) on, and the network in which it is carried out.

    ``network`` is the one with all who are there, if not all of them take part: whoever sits out is told of plans, too.
    """

    first: int
    problem: Problem
    plan: Plan
    network: Problem | None = None

    @property
    def listeners(self) -> Problem:
        """The network whose owners are told of plans."""
        return self.problem if self.network is None else self.network


class CarriedRounds:
    """Consecutive rounds as stretches: plans are carried out anew only where plan or network is another object.

    ``stretches`` are those of the rounds so far, as :func:`stretches_cost` takes them.
    """

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self._last: tuple[Problem, Plan, Carried] | None = None

    def add(self, number: int, network: Problem, plan: Plan) -> Carried:
        """Add the next round; return the plan as the network carries it out."""
        if self._last is None or self._last[0] is not network or self._last[1] is not plan:
            carried = carried_out(network, plan)
            self._last = network, plan, carried
            self.stretches.append(Stretch(number, carried.problem, carried.plan, network))
        return self._last[2]


def run_cost(problem: Problem, plan: Plan, rounds: int) -> RunCost:
    """Return the predicted totals of the first ``rounds`` rounds (no collection: training goes on).

    Raises:
        InputError: the plan does not fit the problem.
    """
    return stretches_cost((Stretch(1, problem, plan),), rounds)


def schedule_cost(
    problem: Problem, plans: Sequence[tuple[int, Plan]], rounds: int, broadcasts: Sequence[tuple[int, int]] = ()
) -> RunCost:
    """Return the predicted totals under plans that take over from one another in the same network.

    Args:
        problem: the compiled scenario.
        plans: the first round (from 1) of each plan, and the plan, in order; the first one starts with round 1.
        rounds, broadcasts: as for :func:`stretches_cost`.

    Raises:
        InputError: a plan does not fit the problem.
    """
    return stretches_cost([Stretch(first, problem, plan) for first, plan in plans], rounds, broadcasts)


def stretches_cost(
    stretches: Sequence[Stretch],
    rounds: int,
    broadcasts: Sequence[tuple[int, int]] = (),
    told: Mapping[int, tuple[int, ...]] | None = None,
    start: int = 1,
    fetched: tuple[Fetching, FetchCost] | None = None,
) -> RunCost:
    """Return the predicted totals of the rounds from ``start`` to ``rounds``, before which all cells meet.

    Args:
        stretches: what is in force from when on, in order; the first one from ``start``. Rounds keep their numbers, and
            so their kinds, across plans.
        rounds: the last round.
        broadcasts: (round, bits) of what the cloud sends to all devices right after its average in a round, at most
            once a round (see :mod:`.broadcast`).
        told: the round after which devices are told of a new plan, and the bits for each cell (see :mod:`.notice`).
        start: the first round.
        fetched: what devices fetch every few rounds, and what that takes each time (see :mod:`.fetching`).

    Raises:
        InputError: a plan does not fit its problem.
    """
    found = [(each.first, kind_costs(each.problem, each.plan)) for each in stretches]

    def at(number: int) -> int:
        return max(i for i, each in enumerate(stretches) if each.first <= number)

    walked = []
    for number in range(start, rounds + 1):
        costs = found[at(number)][1]
        walked.append((costs, kind_of_round(number, costs.top)))
    cells = len(stretches[0].problem.cells)
    after = {number: np.zeros(cells) for number, _ in broadcasts} | {number: np.zeros(cells) for number in told or {}}
    joules = float(sum(costs.energy_j[kind].sum() for costs, kind in walked))
    bits = float(sum(costs.bits[kind].sum() for costs, kind in walked))
    for number, size in broadcasts:
        if number <= rounds:
            stretch = stretches[at(number)]
            cost = broadcast_cost(stretch.problem, stretch.plan, number, size)
            after[number] = after[number] + cost.seconds
            joules, bits = joules + cost.joules, bits + cost.bits
    for number, sizes in (told or {}).items():
        if number <= rounds:
            for i, notice in enumerate(notices(stretches[at(number)].listeners, sizes)):
                after[number][i] += notice.seconds
                joules += notice.joules
                bits += notice.bits * (1 if notice.downlink is None else 2)
    together = dict[int, float]()
    if fetched is not None:
        fetching, once = fetched
        together = {number - start + 1: once.seconds for number in range(start, rounds + 1) if fetching.due(number)}
        joules, bits = joules + len(together) * once.joules, bits + len(together) * once.bits
    afterwards = {number - start + 1: seconds for number, seconds in after.items()}
    return RunCost(len(walked), walk(walked, afterwards, together), joules, bits)
