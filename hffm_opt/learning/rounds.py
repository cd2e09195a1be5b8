"""The averages of a round, carried out as planned: at the heads, at the edges, at the cloud, and back.

Cells run freely and meet where the cloud averages. In each cell one event follows another: the head's average ends
before the uplink starts, and no event ends before every device of the cell has trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

import numpy as np
import torch

from hffm_opt.learning.aggregation import Statistic, sample_weights, total
from hffm_opt.learning.cell_rounds import CellRound, cell_round
from hffm_opt.learning.clock import Hop, meet
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.transport import Message, Post, Statistics, gather, scatter
from hffm_opt.plan.circulation import Tier, kind_of_round, tiers, top_kind
from hffm_opt.plan.costs import backhaul_cost
from hffm_opt.plan.model import Plan
from hffm_opt.plan.referee import check_plan
from hffm_opt.problem.model import Bools, Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.trace.model import RoundRecord

Received = Mapping[int, Mapping[str, bytes]]


@dataclass(frozen=True)
class RoundResult:
    """The states after a round, its record, its ledger entries, the clock of every cell, and who received what.

    ``averaged`` maps each module that was averaged to the devices that now hold the average, as rows of ``states``.
    """

    states: StackedStates
    record: RoundRecord
    entries: tuple[LedgerEntry, ...]
    clock_s: Floats
    averaged: Mapping[str, tuple[int, ...]]

    def then(self, sent: tuple[LedgerEntry, ...], clock_s: Floats) -> RoundResult:
        """Return the round with what was sent after its average, given the clocks [cells] afterwards."""
        joules, bits = (fsum(getattr(entry, name) for entry in sent) for name in ("joules", "charged_bits"))
        told = {
            "end_s": float(clock_s.max()),
            "energy_j": self.record.energy_j + joules,
            "bits": self.record.bits + bits,
        }
        record = self.record.model_copy(update=told)
        return replace(self, record=record, entries=self.entries + sent, clock_s=clock_s)


@dataclass(frozen=True)
class _Arrival:
    """What a cell has when it arrives at the cloud: the clock, its sums for the cloud, and its edge's results."""

    clock_s: float
    sums: Mapping[str, Statistic]
    edge_results: Mapping[str, bytes]


class RoundEngine:
    """Carries out the rounds of a plan.

    It holds no state of the run: clocks and states go in and come out.

    Args:
        problem: the problem.
        plan: a plan made for it.
        modules: the trainable modules by name.

    Raises:
        InputError: the plan does not fit the problem.
    """

    def __init__(self, problem: Problem, plan: Plan, modules: Mapping[str, Module]) -> None:
        check_plan(problem, plan)
        self.problem = problem
        self.plan = plan
        self.modules = modules
        self.top = top_kind(plan.circulation)
        self._weights = sample_weights(problem)
        self._levels = [tiers(plan.circulation, kind) for kind in range(self.top + 1)]
        self._parts = [self._part(kind) for kind in range(self.top + 1)]

    def _part(self, kind: int) -> list[CellRound]:
        """Return the cells' parts in rounds of a kind."""
        level = self._levels[kind]
        return [
            cell_round(self.problem, cell, cell_plan.rounds[kind], level, f"cells[{i}].rounds[{kind}]")
            for i, (cell, cell_plan) in enumerate(zip(self.problem.cells, self.plan.cells, strict=True))
        ]

    @property
    def start_s(self) -> Floats:
        """The clocks of all cells before the first round."""
        return np.zeros(len(self.problem.cells))

    def kind(self, number: int) -> int:
        """Return the kind of round ``number`` (from 1)."""
        return kind_of_round(number, self.top)

    def tier(self, number: int) -> Tier:
        """Return the deepest tier that averages in a round."""
        return Tier(int(self._levels[self.kind(number)].max()))

    def cells(self, number: int) -> list[CellRound]:
        """Return the cells' parts in a round."""
        return self._parts[self.kind(number)]

    def after_training(self, number: int, clock_s: Floats) -> tuple[float, float]:
        """Return the clock when the last device has trained in a round, and the joules of that training."""
        parts = self._parts[self.kind(number)]
        ends = [now + part.ready_s.max(initial=0.0) for now, part in zip(clock_s, parts, strict=True)]
        return float(max(ends)), float(sum(part.train_j.sum() for part in parts))

    def average(self, number: int, trained: StackedStates, clock_s: Floats) -> RoundResult:
        """Carry out everything in a round that follows training.

        Args:
            number: the round, from 1.
            trained: what the devices' training has left, [U, ...].
            clock_s: [cells] when each cell started the round.

        Returns:
            The round's result. Devices change the modules that they own, and no others.

        Raises:
            InputError: a module's bytes are not as many as the plan counted with, or its training diverged.
        """
        parts = self._parts[self.kind(number)]
        post = Post(self.problem, self.modules, number)
        received: list[tuple[CellRound, Received]] = []
        arrivals: list[_Arrival] = []
        for part, now in zip(parts, clock_s, strict=True):
            self._record_training(post, part, float(now))
            at_head, ready_s = self._head_average(post, part, trained, now + part.ready_s)
            received.append((part, at_head))
            arrival = self._uplink(post, part, trained, ready_s)
            if not part.at_cloud.any():
                at_edge, end_s = self._downlink(post, part, arrival.edge_results, arrival.clock_s)
                received.append((part, at_edge))
                arrival = _Arrival(end_s, {}, {})
            arrivals.append(arrival)
        clocks = np.array([arrival.clock_s for arrival in arrivals])
        if self.tier(number) == Tier.CLOUD:
            at_cloud, clocks = self._cloud_average(post, parts, arrivals, clocks)
            received += at_cloud
        record = RoundRecord(
            round=number,
            kind=self.kind(number),
            end_s=float(clocks.max()),
            energy_j=float(sum(entry.joules for entry in post.entries)),
            bits=float(sum(entry.charged_bits for entry in post.entries)),
        )
        states, averaged = self._adopt(post, trained, received)
        return RoundResult(states, record, tuple(post.entries), clocks, averaged)

    def _record_training(self, post: Post, part: CellRound, start_s: float) -> None:
        owners = self.problem.cell_owners(part.cell)
        for i, name in enumerate(part.cell.names):
            trained = " ".join(self.problem.modules[m] for m in np.flatnonzero(owners[i]))
            cost = (start_s, float(part.ready_s[i]), float(part.train_j[i]))
            post.entries.append(LedgerEntry(post.number, "train", part.cell.edge.name, name, "", trained, 0, 0, *cost))

    def _statistics(self, part: CellRound, states: StackedStates, owners: Bools) -> dict[int, Statistics]:
        """Return what each device of a cell contributes of the modules that it owns."""

        def contribution(row: int, m: int) -> Statistic:
            return Statistic.of(states.of_device(row, self.problem.modules[m]), float(self._weights[row, m]))

        return {
            i: {self.problem.modules[m]: contribution(int(row), int(m)) for m in np.flatnonzero(owners[i])}
            for i, row in enumerate(part.cell.members)
            if owners[i].any()
        }

    def _adopt(
        self, post: Post, trained: StackedStates, received: Sequence[tuple[CellRound, Received]]
    ) -> tuple[StackedStates, dict[str, tuple[int, ...]]]:
        """Return the states in which every device holds what it received, and who received which module.

        Equal bytes are decoded once.
        """
        news: dict[str, dict[int, bytes]] = {}
        for part, messages in received:
            for node, modules in messages.items():
                for module, data in modules.items():
                    news.setdefault(module, {})[int(part.cell.members[node])] = data
        states = trained
        for module, rows in news.items():
            decoded = {data: post.decode(module, data)[0] for data in set(rows.values())}
            copies = [decoded[data] for data in rows.values()]
            stacked = {name: torch.stack([copy[name] for copy in copies]) for name in copies[0]}
            states = states.replace(module, list(rows), stacked)
        return states, {module: tuple(rows) for module, rows in news.items()}

    def _head_average(
        self, post: Post, part: CellRound, states: StackedStates, ready_s: Floats
    ) -> tuple[Received, Floats]:
        """Average at the head; return what devices receive and when each device is ready for the next event."""
        if part.gather is None or part.scatter is None:
            return {}, ready_s
        own = self._statistics(part, states, part.at_head)
        sums, now = gather(post, "gather", part.gather, own, ready_s)
        result = {module: post.encode(module, value) for module, value in sums.items()}
        received, now = scatter(post, "scatter", part.scatter, result, part.at_head, now)
        return received, np.full_like(ready_s, now)

    def _uplink(self, post: Post, part: CellRound, states: StackedStates, ready_s: Floats) -> _Arrival:
        """Bring a cell's statistics to the edge, and those for the cloud on to the cloud."""
        if part.uplink is None:
            return _Arrival(float(ready_s.max(initial=0.0)), {}, {})
        sums, now = gather(post, "uplink", part.uplink, self._statistics(part, states, part.above), ready_s)
        due = {self.problem.modules[m] for m in np.flatnonzero(np.asarray(part.at_cloud.any(axis=0)))}
        results = {module: post.encode(module, value) for module, value in sums.items() if module not in due}
        upward = {module: value for module, value in sums.items() if module in due}
        if upward and not part.direct:
            message = {module: (post.encode(module, value),) for module, value in upward.items()}
            now += post.send("backhaul-up", part.cell.edge.name, self._backhaul(part.cell), message, now)
            upward = {module: Statistic.of(*post.decode(module, data)) for module, (data,) in message.items()}
        return _Arrival(now, upward, results)

    def _backhaul(self, cell: Cell, down: bool = False) -> Hop:
        ends = (CLOUD, cell.edge.name) if down else (cell.edge.name, CLOUD)
        return Hop(*ends, backhaul_cost(self.problem, cell))

    def _cloud_average(
        self, post: Post, parts: list[CellRound], arrivals: list[_Arrival], clocks: Floats
    ) -> tuple[list[tuple[CellRound, Received]], Floats]:
        """Average at the cloud, cells in the order of their edges' names, and bring the results back."""
        order = sorted(range(len(parts)), key=lambda i: parts[i].cell.edge.name)
        results = {}
        for module in self.problem.modules:
            shares = [arrivals[i].sums[module] for i in order if module in arrivals[i].sums]
            if shares:
                results[module] = post.encode(module, total(shares))
        received: list[tuple[CellRound, Received]] = []

        def after(meeting_s: float, i: int) -> float:
            part, mine = parts[i], {module: results[module] for module in arrivals[i].sums}
            if not mine:
                return meeting_s
            now = meeting_s
            if not part.direct and not self.problem.published:
                message: Message = {module: (data,) for module, data in mine.items()}
                now += post.send("backhaul-down", part.cell.edge.name, self._backhaul(part.cell, True), message, now)
            messages, now = self._downlink(post, part, {**arrivals[i].edge_results, **mine}, now)
            received.append((part, messages))
            return now

        clocks = meet(clocks, after)
        return received, clocks

    def _downlink(
        self, post: Post, part: CellRound, results: Mapping[str, bytes], start_s: float
    ) -> tuple[Received, float]:
        """Bring results to a cell's owners; without a downlink (as published) they arrive at once and for free."""
        if part.downlink is not None:
            return scatter(post, "downlink", part.downlink, results, part.above, start_s)
        modules = self.problem.modules
        free = {
            i: {modules[m]: results[modules[m]] for m in np.flatnonzero(owned)}
            for i, owned in enumerate(part.above)
            if owned.any()
        }
        return free, start_s
