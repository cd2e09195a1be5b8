"""Every circulation of the menu in one table, with a proven lower bound on each that rises with every set of duals.

Symbols (units)
    q            a circulation: the state s_j (a tier per module) of every kind of round j = 0..K
    V[j, s]      the least that all cells pay for a round of kind j in state s at given duals: sum_i V_ij(s)
    n_j / H      share of rounds of kind j in a cycle
    N            rounds to the target accuracy, where one is aimed at; else 1

For any duals (prices on the cells' seconds whose sum over cells is the worth of the slowest cell's second)

    bound(q) = N(Phi(q)) (sum_j V[j, s_j] - charge) + w_P Phi(q)

is below the cost of every plan with circulation q (weak Lagrangian duality), so the largest over all duals seen is too.
Tiers never fall from one kind to the next, so a module has C(K + 4, 3) sequences of tiers and M modules that number to
the power of M: 175,616 for three modules and periods up to 16, before limits thin them out. Where it fits, the table
serves as the program of :mod:`.circulation` does, and is far faster.

Source: Geoffrion (1974), Lagrangean relaxation for integer programming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from hffm_opt.plan.circulation import Tier
from hffm_opt.problem.model import Bools, Ints, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.formulations.covering import covering, takes_turns, twins
from hffm_opt.solvers.formulations.weights import State, Weights

MOST = 1_000_000
"""Rows up to which the table is used."""
CROWD = 20
"""How many times as many rows may be looked at, before the limit on Phi and the target thin them out."""
Values = Callable[[int, State], float]
"""Returns V[j, s]."""


def table_rows(problem: Problem) -> int:
    """Return how many circulations the menu makes at most."""
    kinds = max(problem.scenario.planning.periods).bit_length()
    return int(comb(kinds + 3, 3) ** len(problem.modules))


@dataclass(frozen=True, eq=False)
class CirculationTable:
    """N circulations: state indices [N, K + 1], kind of the first cloud event (-1: none), rounds to the target (or 1),
    ``w_P Phi``, bounds [N].

    ``lower`` alone changes: :meth:`raised` returns a new table.
    """

    problem: Problem
    states: tuple[State, ...]
    sequences: Ints
    first: Ints
    factor: Floats
    penalty: Floats
    lower: Floats

    @classmethod
    def of(cls, problem: Problem, states: tuple[State, ...], weights: Weights) -> CirculationTable:
        """Return the circulations that the menu, the possible states and the limit on Phi admit."""
        planning = problem.scenario.planning
        kinds, modules = max(planning.periods).bit_length(), len(problem.modules)
        tiers = _tiers_in_menu(kinds, set(planning.periods))
        found = _choices(problem, tiers, weights)
        assert found is not None
        pick, phi = found
        powers = 4 ** np.arange(modules)
        number = np.full(4**modules, -1)
        number[np.array(states) @ powers] = np.arange(len(states))
        sequences = number[sum(tiers[pick[m]] * powers[m] for m in range(modules))]
        keep = (sequences >= 0).all(axis=1)
        factor = _factors(weights, phi)
        depth = tiers.sum(axis=1)
        for m in twins(problem):
            keep &= depth[pick[m]] >= depth[pick[m + 1]]
        meets = np.array([max(state) == Tier.CLOUD for state in states])[sequences[keep]]
        first = np.where(meets.any(axis=1), meets.argmax(axis=1), -1)
        penalty = weights.drift * phi[keep] if weights.drift else np.zeros(int(keep.sum()))
        lower = np.full(int(keep.sum()), -np.inf)
        return cls(problem, states, sequences[keep], first, factor[keep], penalty, lower)

    @property
    def size(self) -> int:
        """Number of circulations."""
        return int(self.first.size)

    def firsts(self) -> tuple[int | None, ...]:
        """Return the kinds of first cloud event that occur."""
        return tuple(None if f < 0 else int(f) for f in np.unique(self.first))

    def with_first(self, first: int | None) -> Ints:
        """Return the rows whose first cloud event is of a kind."""
        return np.flatnonzero(self.first == (-1 if first is None else first))

    def reaching_the_cloud(self) -> CirculationTable:
        """Return the table without the circulations that never average at the cloud."""
        keep = self.first >= 0
        return replace(
            self,
            sequences=self.sequences[keep],
            first=self.first[keep],
            factor=self.factor[keep],
            penalty=self.penalty[keep],
            lower=self.lower[keep],
        )

    def row_states(self, row: int) -> tuple[State, ...]:
        """Return a circulation as the states of its kinds of round."""
        return tuple(self.states[s] for s in self.sequences[row])

    def last_kinds(self) -> Ints:
        """Return the last kind of round of every circulation by itself, [N] (see :func:`.circulation.last_kind`)."""
        changes = np.diff(self.sequences, axis=1) != 0
        return np.asarray((changes * np.arange(1, self.sequences.shape[1])).max(axis=1, initial=0))

    def cost_floors(self, rows: Ints, values: Values, charge: float) -> Floats:
        """Return what duals prove for rows per round, without the penalty: ``sum_j V[j, s_j] - charge``."""
        total = np.full(rows.size, -charge)
        for kind in range(self.sequences.shape[1]):
            of_kind = self.sequences[rows, kind]
            table = np.full(len(self.states), np.nan)
            for s in np.unique(of_kind):
                table[s] = values(kind, self.states[s])
            total += table[of_kind]
        return total

    def priced(self, rows: Ints, costs: Floats | float) -> Floats:
        """Return the objective of rows of some cost per round: times the rounds to the target, plus the penalty."""
        return np.asarray(self.factor[rows] * costs + self.penalty[rows])

    def raised(self, rows: Ints, floors: Floats) -> CirculationTable:
        """Return the table with bounds of rows at least as high as given, on the objective."""
        lower = self.lower.copy()
        lower[rows] = np.maximum(lower[rows], floors)
        return replace(self, lower=lower)

    def covering_rows(self, row: int, weights: Weights) -> Ints:
        """Return the circulations that meet as one does and cost no less (see :func:`.circulation.covering`)."""
        same = self.first == self.first[row]
        if takes_turns(weights, None if self.first[row] < 0 else int(self.first[row])):
            last = self.last_kinds()
            same &= last <= last[row]
        for kind, state in enumerate(self.row_states(row)):
            same &= covering(self.problem, self.states, state)[self.sequences[:, kind]]
        return np.flatnonzero(same)


def few_circulations(problem: Problem, weights: Weights, most: int) -> bool:
    """Return whether at most so many circulations keep the limit on Phi and reach the target."""
    kinds = max(problem.scenario.planning.periods).bit_length()
    tiers = _tiers_in_menu(kinds, set(problem.scenario.planning.periods))
    return _choices(problem, tiers, weights, most) is not None


def _choices(problem: Problem, tiers: Ints, weights: Weights, most: float = np.inf) -> tuple[Ints, Floats] | None:
    """Return a sequence of tiers per module [M, N] for all circulations within reach, and Phi [N]; None for too many.

    Modules join one after the other. Their terms of Phi are not negative, so what is out of reach stays so.
    """
    horizon = problem.scenario.planning.horizon_rounds
    local, cloud = _periods(tiers, Tier.D2D, horizon), _periods(tiers, Tier.CLOUD, horizon)
    within, between = problem.divergence_within**2, problem.divergence_between**2
    pick, phi = np.zeros((0, 1), dtype=np.int64), np.zeros(1)
    for m in range(len(problem.modules)):
        if phi.size * len(tiers) > CROWD * most:
            return None
        terms = (local**2 - 1) * within[m] + (cloud**2 - 1) * between[m]
        phi = (phi[:, None] + terms[None, :]).ravel()
        pick = np.vstack([np.repeat(pick, len(tiers), axis=1), np.tile(np.arange(len(tiers)), pick.shape[1])])
        keep = (phi <= weights.max_drift * (1 + 1e-9)) & np.isfinite(_factors(weights, phi))
        pick, phi = pick[:, keep], phi[keep]
    return (pick, phi) if phi.size <= most else None


def _factors(weights: Weights, phi: Floats) -> Floats:
    """Return the rounds to the target at values of Phi, or ones."""
    # The referee may round Phi otherwise; a little less of it needs no more rounds.
    return np.ones(phi.size) if weights.rounds is None else np.asarray(weights.rounds(phi * (1 - 1e-12)))


def _tiers_in_menu(kinds: int, menu: set[int]) -> Ints:
    """Return the sequences [Q, kinds] of tiers that never fall and rise only where the menu has a period."""
    every = np.array(list(combinations_with_replacement(range(4), kinds)), dtype=np.int64)
    before = np.hstack([np.zeros((len(every), 1), dtype=np.int64), every[:, :-1]])
    offered = np.array([(1 << kind) in menu for kind in range(kinds)])
    return np.asarray(every[((every == before) | offered).all(axis=1)])


def _periods(tiers: Ints, tier: Tier, horizon: int) -> Floats:
    """Return the rounds between averages at a tier or deeper, at most the horizon."""
    reached: Bools = tiers >= tier
    period = np.where(reached.any(axis=1), 2.0 ** reached.argmax(axis=1), float(horizon))
    return np.asarray(np.minimum(period, float(horizon)))
