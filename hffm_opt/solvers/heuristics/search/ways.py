"""Ways of a cell to do a round, each priced by the referee's parts: found stage by stage, and kept.

Heads and routes are tried first, at the nominal allocation; the best of them under other shares of bands and powers;
the best of those at other speeds of training. "Best" is taken twice, with the whole price of time and with a cell's
equal share of it, because only the slowest cell pays for time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.model import RoundPlan
from hffm_opt.plan.relaying import relaying_violations
from hffm_opt.plan.rounds import round_cost
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.heuristics.clusters import cluster_of
from hffm_opt.solvers.heuristics.search.recipes import Recipe, allocations, routings, slowed
from hffm_opt.solvers.joint.states import circulation_of
from hffm_opt.solvers.request import Request

Level = tuple[int, ...]


PACES = (1.0, 1.5, 2.2, 3.3, 5.0, 8.0)
Key = tuple[int, Level, bool]
"""A cell, the tiers of the modules, and whether the round is the published collection."""


@dataclass(frozen=True, eq=False)
class Way:
    """A round of a cell with its seconds before and after the cloud's meeting, and its joules.

    ``pace`` is how far training is stretched.
    """

    recipe: Recipe
    plan: RoundPlan
    pace: float
    before_s: float
    after_s: float
    energy_j: float

    @property
    def seconds(self) -> float:
        """Seconds of the round in all."""
        return self.before_s + self.after_s


class OutOfEvaluationsError(Exception):
    """The number of rounds that a search may price is used up."""


class Ways:
    """The ways of every cell, per tiers of the modules; ``left`` rounds may still be priced."""

    def __init__(self, problem: Problem, request: Request, evaluations: float = np.inf) -> None:
        self.problem = problem
        self.request = request
        self.weights = request.weights()
        self.left = evaluations
        self._found: dict[Key, list[Way]] = {}

    def of(self, key: Key) -> list[Way]:
        """Return the ways of a cell; the list grows with what is tried beside them.

        Raises:
            OutOfEvaluationsError: the limit is reached.
        """
        if key not in self._found:
            self._found[key] = self._search(key)
        return self._found[key]

    def price(self, key: Key, recipes: Iterable[Recipe]) -> list[Way]:
        """Return the ways of recipes that keep the limits on relaying.

        Raises:
            OutOfEvaluationsError: the limit is reached.
        """
        problem, cell, level = self.problem, self.problem.cells[key[0]], np.array(key[1], dtype=np.int64)
        cluster = cluster_of(problem, cell, circulation_of(problem, (key[1],)))
        found = []
        for recipe in recipes:
            plan = recipe.plan(problem, cell, level, cluster)
            trees = ((plan.gather, False), (plan.scatter, True), (plan.uplink, False), (plan.downlink, True))
            if any(next(relaying_violations(problem, cell, t, out, ""), None) for t, out in trees if t is not None):
                continue
            way = self._judged(key, recipe, plan, 1.0)
            if np.isfinite(way.seconds + way.energy_j):
                found.append(way)
        return found

    def slowed(self, key: Key, way: Way, pace: float) -> Way:
        """Return a way with training stretched.

        Raises:
            OutOfEvaluationsError: the limit is reached.
        """
        plan = slowed(self.problem, self.problem.cells[key[0]], way.plan, pace)
        return self._judged(key, way.recipe, plan, pace)

    def _judged(self, key: Key, recipe: Recipe, plan: RoundPlan, pace: float) -> Way:
        if self.left <= 0:
            raise OutOfEvaluationsError
        self.left -= 1
        index, level, collection = key
        cell = self.problem.cells[index]
        tiers = np.array(level, dtype=np.int64)
        cost = round_cost(self.problem, cell, plan, tiers, f"cell {cell.edge.name}", collection)
        joules = float(sum(cost.tally.energies()))
        return Way(recipe, plan, pace, cost.before_s, cost.after_s, joules)

    def _search(self, key: Key) -> list[Way]:
        problem, cell = self.problem, self.problem.cells[key[0]]
        cluster = cluster_of(problem, cell, circulation_of(problem, (key[1],)))
        found = self.price(key, routings(problem, cell, np.array(key[1], dtype=np.int64), cluster))
        if problem.fixed_allocation:
            return found
        best = self._best(found)
        if any(way.recipe.held(cell, way.plan).links for way in best):
            found += self.price(key, [r for way in best for r in allocations(way.recipe.held(cell, way.plan))])
        if problem.cycles[cell.members].any():
            found += [self.slowed(key, way, pace) for way in self._best(found) for pace in PACES]
        return found

    def _best(self, ways: list[Way]) -> list[Way]:
        latency, energy, _ = self.weights
        shares = (latency, latency / len(self.problem.cells))
        chosen = [min(ways, key=lambda way: share * way.seconds + energy * way.energy_j) for share in shares if ways]
        return list(dict.fromkeys(chosen))
