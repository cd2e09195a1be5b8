"""Circulation of modules over tiers as a MILP over states, with proven supports in place of the cells.

Source: docs/formulations.md.

Variables (units)
    z[j, s]      1 if rounds of kind j = 0..K stand in state s (a tier per module)
    b, a, e[i, j]  seconds before and after the cloud's meeting, and joules, of cell i in a round of kind j
    sigma, delta[J]  the slowest cell's seconds in a segment that ends with a round of kind J, before and after

minimise    w_L latency + w_E energy + w_P Phi
one state   sum_s z[j, s] = 1
nested      sum_s [s_m >= t] (z[j+1, s] - z[j, s]) >= 0            for every module m and tier t
support     alpha b + beta a + gamma e >= sum_s V_is(alpha, beta, gamma) z[j, s]    for proven V
segment     sigma[J] >= sum_{j < first} 2^(first-1-j) b[i, j] + b[i, J]   for J >= first
            delta[J] >= a[i, J]
latency     (sum_J n_J (sigma[J] + delta[J])) / H,  energy (sum_ij n_j e[i, j]) / H
drift       Phi(z) <= Phi_max: periods are read off z, since 4^period telescopes over kinds

``first`` is the first kind of round with a cloud event; one program per value (or none) keeps all rows linear, and
together they cover every circulation. ``n_j`` counts rounds of kind j in a cycle of H = 2^K.

Because V is a lower bound for every way of doing a round, the optimum of this program is a lower bound for every plan;
visited circulations are cut off at the value proven for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.circulation import Tier
from hffm_opt.problem.model import Ints, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.engines.highs import HighsModel, HighsOptions, HighsOutcome
from hffm_opt.solvers.engines.highs_builder import ModelBuilder
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.covering import covering, last_kind, takes_turns, twins
from hffm_opt.solvers.formulations.duals import Price
from hffm_opt.solvers.formulations.weights import State, Weights


def drift_terms(problem: Problem, states: Sequence[State], top: int) -> tuple[float, Floats]:
    """Return Phi as ``constant - sum_js terms[j, s] z[j, s]``."""
    horizon = float(problem.scenario.planning.horizon_rounds)
    squares = np.array([4.0**j for j in range(top + 1)] + [horizon**2])
    steps = np.diff(squares)
    grid = np.array(states)
    moves, reaches = (grid >= Tier.D2D), (grid >= Tier.CLOUD)
    per_state = moves @ problem.divergence_within**2 + reaches @ problem.divergence_between**2
    constant = float((horizon**2 - 1) * ((problem.divergence_within**2).sum() + (problem.divergence_between**2).sum()))
    return constant, steps[:, None] * per_state[None, :]


@dataclass(frozen=True, eq=False)
class MasterSolution:
    """The relaxed optimum: its bound, and the states it picks (``None`` where it found none)."""

    bound: float
    states: tuple[State, ...] | None
    outcome: HighsOutcome


@dataclass(frozen=True, eq=False)
class Master:
    """The program of one value of ``first``; ``support`` proves V, ``ways`` lists a cell's real ways if complete."""

    problem: Problem
    states: tuple[State, ...]
    calendar: Calendar
    weights: Weights
    support: Callable[[int, State, Price], float]
    ways: Callable[[int, State], tuple[Floats, Floats, Floats]] | None
    collection: Callable[[int], tuple[float, float, float]]

    def allowed(self, kind: int) -> list[int]:
        """Return which states a kind of round may stand in: with a cloud event exactly from ``first`` on."""
        meets = self.calendar.first is not None and kind >= self.calendar.first
        return [k for k, s in enumerate(self.states) if (max(s) == Tier.CLOUD) == meets]

    def solve(
        self,
        prices: Sequence[Sequence[Sequence[Price]]],
        visited: Sequence[tuple[tuple[State, ...], float]],
        exact: Collection[tuple[int, State]],
        options: HighsOptions,
    ) -> MasterSolution:
        """Solve the relaxation.

        Args:
            prices: [cell][kind] support prices (before, after, energy).
            visited: circulations already judged, with a proven lower bound on their objective without its Phi.
            exact: kinds and states in which the cells choose among their real ways instead of supports.
            options: stopping rule.
        """
        model, z = self.build(prices, visited, exact)
        outcome = model.solve(options)
        if outcome.x is None:
            return MasterSolution(outcome.bound, None, outcome)
        x = outcome.x
        chosen = tuple(self.states[int(np.argmax(x[columns]))] for columns in z.values())
        return MasterSolution(outcome.bound, chosen, outcome)

    def build(
        self,
        prices: Sequence[Sequence[Sequence[Price]]],
        visited: Sequence[tuple[tuple[State, ...], float]] = (),
        exact: Collection[tuple[int, State]] = (),
    ) -> tuple[HighsModel, dict[int, Ints]]:
        """Return the program and the columns of z by kind of round; arguments as :meth:`solve`."""
        problem, calendar, weights = self.problem, self.calendar, self.weights
        kinds, cells, length = calendar.top + 1, len(problem.cells), calendar.length
        constant, terms = drift_terms(problem, self.states, calendar.top)
        builder = ModelBuilder()
        z = {}
        for j in range(kinds):
            upper = np.zeros(len(self.states))
            upper[self.allowed(j)] = 1.0
            cost, count = -weights.drift * terms[j], len(self.states)
            z[j] = builder.add_columns(count, upper=upper, cost=cost, integer=True, name="z")
            builder.add_rows(np.zeros(count), z[j], 1.0, lower=1.0, upper=1.0, name="state")
        self._nesting(builder, z)
        self._twins(builder, z)
        before = builder.add_columns(cells * kinds, name="b").reshape(cells, kinds)
        # Only a round with a cloud event has seconds after it; elsewhere they would buy energy for free.
        late = np.where([j in calendar.endings for j in range(kinds)], np.inf, 0.0)
        after = builder.add_columns(cells * kinds, upper=np.tile(late, cells), name="a").reshape(cells, kinds)
        energy_cost = np.tile(weights.energy * calendar.counts / length, cells)
        energy = builder.add_columns(cells * kinds, cost=energy_cost, name="e").reshape(cells, kinds)
        for i in range(cells):
            memo: dict[Price, Floats] = {}
            for j in range(kinds):
                self._supports(builder, i, z[j], (before[i, j], after[i, j], energy[i, j]), prices[i][j], memo)
        for j, state in sorted(exact):
            for i in range(cells):
                spent = (before[i, j], after[i, j], energy[i, j])
                self._real_ways(builder, i, state, int(z[j][self.states.index(state)]), spent)
        shares, spans = self._segments(builder, before, after)
        collected = [self.collection(i) for i in range(cells)] if calendar.collects else []
        collected_j = sum(c[2] for c in collected) / length
        latency_row = (spans, np.full(len(spans), 1.0) * shares)
        energy_row = (energy.ravel(), np.tile(calendar.counts / length, cells))
        if np.isfinite(weights.max_latency_s):
            _add_limit(builder, latency_row, weights.max_latency_s, "max_latency")
        if np.isfinite(weights.max_energy_j):
            _add_limit(builder, energy_row, weights.max_energy_j - collected_j, "max_energy")
        z_all = np.concatenate([z[j] for j in range(kinds)])
        if np.isfinite(weights.max_drift):
            scale = 1.0 + weights.max_drift
            limit = weights.max_drift * (1 + 1e-9) - constant
            builder.add_rows(np.zeros(z_all.size), z_all, -terms.ravel() / scale, upper=limit / scale, name="drift")
        offset = weights.energy * collected_j + weights.drift * constant
        self._visited(builder, z, (spans, shares), energy_row, weights.energy * collected_j, visited)
        return builder.build(offset), z

    def _nesting(self, builder: ModelBuilder, z: dict[int, Ints]) -> None:
        grid = np.array(self.states)
        for j in range(len(z) - 1):
            for m in range(grid.shape[1]):
                for tier in (Tier.D2D, Tier.EDGE, Tier.CLOUD):
                    rows = np.flatnonzero(grid[:, m] >= tier)
                    columns = np.concatenate([z[j + 1][rows], z[j][rows]])
                    values = np.repeat([1.0, -1.0], rows.size)
                    builder.add_rows(np.zeros(columns.size), columns, values, lower=0.0, name="nested")
        menu = set(self.problem.scenario.planning.periods)
        for j in range(len(z)):
            if (1 << j) in menu:
                continue
            if j == 0:
                local = self.states.index((0,) * grid.shape[1])
                builder.add_rows([0], [z[0][local]], 1.0, lower=1.0, name="menu")
            else:
                for k in range(len(self.states)):
                    same, signs = [z[j][k], z[j - 1][k]], [1.0, -1.0]
                    builder.add_rows([0, 0], same, signs, lower=0.0, upper=0.0, name="menu")

    def _twins(self, builder: ModelBuilder, z: dict[int, Ints]) -> None:
        """Of modules that nothing tells apart, let the first travel no less deep: sum_j tier is ordered."""
        grid = np.array(self.states)
        for m in twins(self.problem):
            columns = np.concatenate([z[j] for j in range(len(z))])
            values = np.tile(grid[:, m] - grid[:, m + 1], len(z))
            builder.add_rows(np.zeros(columns.size), columns, values, lower=0.0, name="twins")

    def _supports(
        self,
        builder: ModelBuilder,
        cell: int,
        z: Ints,
        columns: tuple[int, int, int],
        prices: Sequence[Price],
        memo: dict[Price, Floats],
    ) -> None:
        for price in prices:
            values = memo.get(price)
            if values is None:
                values = memo[price] = np.array([self.support(cell, state, price) for state in self.states])
            row = np.concatenate([list(columns), z])
            builder.add_rows(np.zeros(row.size), row, np.concatenate([price, -values]), lower=0.0, name="support")

    def _real_ways(self, builder: ModelBuilder, cell: int, state: State, z: int, spent: tuple[int, int, int]) -> None:
        """Let a cell take one of its complete list of ways where the state is taken: spent >= sum_f figure_f x_f."""
        assert self.ways is not None
        figures = self.ways(cell, state)
        x = builder.add_columns(figures[0].size, upper=1.0, integer=True, name="x")
        one, signs = np.append(x, z), np.append(np.ones(x.size), -1.0)
        builder.add_rows(np.zeros(x.size + 1), one, signs, lower=0.0, upper=0.0, name="way")
        for column, figure in zip(spent, figures, strict=True):
            taken, signs = np.append(x, column), np.append(-figure, 1.0)
            builder.add_rows(np.zeros(x.size + 1), taken, signs, lower=0.0, name="spent")

    def _segments(self, builder: ModelBuilder, before: Ints, after: Ints) -> tuple[Floats, Ints]:
        """Add each segment's slowest cell; return the spans' shares of the latency per round, and their columns."""
        calendar, weights = self.calendar, self.weights
        cells = before.shape[0]
        shares, spans = [], []
        collected = [self.collection(i) for i in range(cells)] if calendar.collects else [(0.0, 0.0, 0.0)] * cells
        for segment in calendar.segments:
            cost = weights.latency * segment.share
            (sigma,), (delta,) = (builder.add_columns(1, cost=cost, name=name) for name in ("sigma", "delta"))
            shares += [segment.share, segment.share]
            spans += [int(sigma), int(delta)]
            for i in range(cells):
                used = np.flatnonzero(segment.rounds)
                builder.add_rows(
                    np.zeros(used.size + 1),
                    np.concatenate([[sigma], before[i, used]]),
                    np.concatenate([[1.0], -segment.rounds[used]]),
                    lower=collected[i][0],
                    name="before",
                )
                if segment.ending is not None:
                    pair = [delta, after[i, segment.ending]]
                    builder.add_rows([0, 0], pair, [1.0, -1.0], lower=0.0, name="after")
                else:
                    builder.add_rows([0], [delta], 1.0, lower=collected[i][1], name="after")
        return np.array(shares), np.array(spans)

    def _visited(
        self,
        builder: ModelBuilder,
        z: dict[int, Ints],
        latency_row: tuple[Ints, Floats],
        energy_row: tuple[Ints, Floats],
        collected: float,
        visited: Sequence[tuple[tuple[State, ...], float]],
    ) -> None:
        """Cut off judged circulations, and all that cost no less: ``w_L latency + w_E energy >= v`` there.

        The row reads ``cost >= v (kinds in which z is covering the judged state - K)``; infeasible ones go altogether.
        Where cycles may take turns, circulations with a longer one are left out: from the last kind on, z is the state.
        """
        columns = np.concatenate([latency_row[0], energy_row[0]])
        values = np.concatenate([self.weights.latency * latency_row[1], self.weights.energy * energy_row[1]])
        for states, proven in visited:
            covers = {state: covering(self.problem, self.states, state) for state in states}
            kinds, last = len(states), last_kind(states)
            if takes_turns(self.weights, self.calendar.first) and last < kinds - 1:
                covers[states[last]] = np.array([each == states[last] for each in self.states])
            same = np.concatenate([z[j][covers[state]] for j, state in enumerate(states)])
            if not np.isfinite(proven):
                builder.add_rows(np.zeros(same.size), same, 1.0, upper=kinds - 1, name="visited")
                continue
            builder.add_rows(
                np.zeros(columns.size + same.size),
                np.concatenate([columns, same]),
                np.concatenate([values, np.full(same.size, -proven)]),
                lower=-proven * (kinds - 1) - collected,
                name="visited",
            )


def _add_limit(builder: ModelBuilder, row: tuple[Ints, Floats], limit: float, name: str) -> None:
    """Add an upper limit on a row; the engine's tolerance is absolute, so the limit stands as 1."""
    unit = limit if limit > 0 else 1.0
    builder.add_rows(np.zeros(row[0].size), row[0], row[1] / unit, upper=limit / unit, name=name)
