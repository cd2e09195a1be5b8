"""The joint search over a table of all circulations: judge the one of least bound, and let its duals raise the others.

The bounds (:mod:`..formulations.circulation_table`) hold for every plan; a judged circulation stands at what was proven
for it, and its duals prove bounds on all others at no more than the price of their rounds' supports. The search ends
when the least bound reaches the best plan. This is :func:`.search.search` where the circulations can be listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from hffm_opt.plan.circulation import Circulation
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation_table import CirculationTable
from hffm_opt.solvers.formulations.duals import Duals
from hffm_opt.solvers.formulations.weights import State, Weights
from hffm_opt.solvers.joint.search import EXCESS, Found, Judge, Judged, Tell
from hffm_opt.solvers.joint.states import states_of

Support = Callable[[int, State, float, float, float], float]


def even_duals(calendar: Calendar, weights: Weights, share: Floats, share_after: Floats) -> Duals:
    """Return the duals under which cell i bears the given share of the worth of time in every segment."""
    per_round = calendar.counts / calendar.length
    ends = np.isin(np.arange(calendar.top + 1), calendar.endings)
    return Duals(
        weights.latency * np.outer(share, per_round),
        weights.latency * np.outer(share_after, per_round * ends),
        weights.energy * per_round,
    )


def stretched(duals: Duals, short: Calendar, full: Calendar) -> Duals:
    """Return duals of a calendar with fewer kinds of round over one with more: what the last kind bore, its parts bear.

    Rounds from the last kind on are alike in the circulation that was judged, so each bears its share of their number.
    A collection stays the kind after the last.
    """
    last = short.top
    # A short published run may end before its longest period: then these kinds of round never come.
    parts = full.counts[last:] / max(float(full.counts[last:].sum()), 1.0)
    ends = np.isin(np.arange(last, full.top + 1), full.endings)

    def spread(price: Floats, parts: Floats) -> Floats:
        pieces = [price[..., :last], price[..., last, None] * parts, price[..., last + 1 :]]
        return np.concatenate(pieces, axis=-1)

    return Duals(
        spread(duals.before, parts), spread(duals.after, parts * ends), spread(duals.energy, parts), duals.charge
    )


class TableSearch:
    """The state of one search: the table, the best plan, and what is still open."""

    def __init__(
        self,
        problem: Problem,
        table: CirculationTable,
        judge: Judge,
        support: Support,
        collection: Callable[[int, float, float, float], float],
        weights: Weights,
    ) -> None:
        self.problem, self.table, self.judge, self.weights = problem, table, judge, weights
        self.support, self.collection = support, collection
        self.cells = len(problem.cells)
        top = table.sequences.shape[1] - 1
        self.calendars = {first: Calendar.of(problem, top, first) for first in table.firsts()}
        self.best: Judged | None = None
        self.best_calendar: Calendar | None = None
        self.settled, self.gap, self.wanted = np.inf, 0.0, np.inf
        share = np.full(self.cells, 1.0 / self.cells)
        for first in self.calendars:
            self._learn(first, self._even(first, share, share))

    def _even(self, first: int | None, share: Floats, share_after: Floats) -> Duals:
        calendar = self.calendars[first]
        return even_duals(
            calendar.with_collection() if calendar.collects else calendar, self.weights, share, share_after
        )

    def _floors(self, first: int | None, duals: Duals) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]:
        rows = self.table.with_first(first)

        def values(kind: int, state: State) -> float:
            before, after, energy = duals.before[:, kind], duals.after[:, kind], float(duals.energy[kind])
            return sum(self.support(i, state, float(before[i]), float(after[i]), energy) for i in range(self.cells))

        floors = self.table.cost_floors(rows, values, duals.charge)
        if self.calendars[first].collects:
            floors += self._collected(duals)
        return rows, floors

    def _collected(self, duals: Duals) -> float:
        """Return what handing in the result costs at least: the kind of round after the last."""
        total = 0.0
        for i in range(self.cells):
            total += self.collection(i, float(duals.before[i, -1]), float(duals.after[i, -1]), float(duals.energy[-1]))
        return total

    def _learn(self, first: int | None, duals: Duals) -> None:
        rows, floors = self._floors(first, duals)
        self.table = self.table.raised(rows, self.table.priced(rows, floors))

    def _learn_shares(self, first: int | None, duals: Duals) -> None:
        """Let the cells' shares of the worth of time prove bounds for calendars whose segments differ."""
        shares = []
        for price in (duals.before, duals.after):
            total = price.sum(axis=1)
            shares.append(total / total.sum() if total.sum() > 0 else np.full(self.cells, 1.0 / self.cells))
        for other in self.calendars:
            # Where no circulation could improve the best plan by more than the gap there is nothing to learn.
            if other != first and self.table.lower[self.table.with_first(other)].min(initial=np.inf) < self.wanted:
                self._learn(other, self._even(other, *shares))

    def _refute(self, first: int | None, duals: Duals) -> None:
        """Strike the circulations that these duals prove unable to keep the limits."""
        rows, floors = self._floors(first, duals)
        hopeless = rows[floors > EXCESS]
        self.table = self.table.raised(hopeless, np.full(hopeless.size, np.inf))

    @property
    def value(self) -> float:
        """The best value so far."""
        return np.inf if self.best is None else self.best.value

    def enough(self, gap: float) -> float:
        """Return the bound at which a circulation cannot improve the best plan by more than the gap."""
        return np.inf if self.best is None else self.value - gap * abs(self.value)

    def step(self, row: int, cutoff: float) -> Judged:
        """Judge one circulation and learn from it."""
        table, states = self.table, self.table.row_states(row)
        first = None if table.first[row] < 0 else int(table.first[row])
        calendar = self.calendars[first]
        judged = self.judge(states, calendar, self.weights, cutoff)
        if judged.value < np.inf:
            self.wanted = min(cutoff, judged.value - self.gap * abs(judged.value))
        self.settled = min(self.settled, judged.bound)
        covering = table.covering_rows(row, self.weights)
        self.table = table.raised(covering, table.priced(covering, judged.cost_bound))
        # What is judged is settled: it stands in `settled`, not in the table.
        self.table = self.table.raised(np.array([row]), np.array([np.inf]))
        if judged.duals is not None:
            short = Calendar.of(self.problem, judged.top, first)
            duals = stretched(judged.duals, short, calendar)
            if judged.bound == np.inf:
                self._refute(first, duals)
            else:
                self._learn(first, duals)
                self._learn_shares(first, duals)
        if judged.value < self.value:
            self.best, self.best_calendar = judged, calendar
        return judged

    def start_with(self, circulation: Circulation) -> None:
        """Judge a circulation before all others, if it is in the table: its plan is one to beat, its duals are near."""
        states = states_of(circulation, self.table.sequences.shape[1] - 1)
        number = {state: i for i, state in enumerate(self.table.states)}
        if all(state in number for state in states):
            wanted = [number[state] for state in states]
            for row in np.flatnonzero((self.table.sequences == wanted).all(axis=1)):
                self.step(int(row), np.inf)

    def run(self, gap: float, deadline: float, tell: Tell | None = None, start: Circulation | None = None) -> Found:
        """Return the best circulation with a proven bound.

        Args:
            gap: relative gap at which to stop.
            deadline: reading of :func:`time.perf_counter` after which nothing new is judged.
            tell: told of every circulation judged.
            start: one to judge first.
        """
        reason, undecided, judged_so_far = "proven", False, 0
        self.gap = gap
        if start is not None:
            self.start_with(start)
        for number in range(1, self.table.size + 1):
            row = int(np.argmin(self.table.lower))
            proven = min(float(self.table.lower[row]), self.settled)
            if self.table.lower[row] == np.inf or proven >= self.enough(gap):
                break
            if time.perf_counter() >= deadline:
                reason = "time limit"
                break
            judged = self.step(row, self.enough(gap))
            judged_so_far = number
            undecided |= judged.value == np.inf and judged.bound < np.inf and self.best is None
            if tell is not None:
                tell(number, judged.value, self.value, proven)
        proven = min(float(self.table.lower.min(initial=np.inf)), self.settled, self.value)
        if self.best is None and undecided and reason == "proven":
            reason = "undecided"
        return Found(self.best, proven, reason, judged_so_far, self.best_calendar)
