"""Which events of which cells have a tree: over the links there are, within limits on hops, fan-in and uplinks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from hffm_opt.errors import Finding, InfeasibleError
from hffm_opt.plan.circulation import Tier
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.solvers.formulations.relay_tree import SearchMethod, solve_tree
from hffm_opt.solvers.formulations.tree_enumeration import MAX_DEVICES, price_trees
from hffm_opt.solvers.formulations.tree_problem import Direction, TreeProblem
from hffm_opt.solvers.joint.states import State, owners_by_level

LIMITS = ("max_hops", "max_fan_in", "max_uplinks")


class Relaying:
    """Answers, for a problem, whether trees exist; remembers every answer."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        planning = problem.scenario.planning
        stated = {name: getattr(planning, name) for name in LIMITS}
        self.limits: dict[str, Any] = {name: limit for name, limit in stated.items() if limit is not None}
        # Every device has an uplink, and with it a tree to the edge server that no limit forbids.
        self._certain = not self.limits and all((cell.downlink_gain > 0).all() for cell in problem.cells)
        self._possible = cache(self._exists)

    def through_edge(self, cell: int, owners: Bools) -> bool:
        """Return whether owners [n, M] have trees to the edge server and (unless that is free) back."""
        return self._possible(cell, False, owners.any(axis=1).tobytes())

    def clustered(self, cell: int, owners: Bools) -> bool:
        """Return whether some head has trees from owners [n, M] and back."""
        return self._possible(cell, True, owners.any(axis=1).tobytes())

    def possible(self, state: State) -> bool:
        """Return whether every cell has the trees that a round in a state needs."""
        return next(self.lacking(state), None) is None

    def lacking(self, state: State, collected: bool = False) -> Iterator[Finding]:
        """Yield, for each event of a round in a state for which a cell has no tree, what is missing or forbids it.

        Args:
            state: the state.
            collected: the round hands in the result, which never takes the direct links to the cloud.
        """
        problem = self.problem
        direct = problem.scenario.cloud.direct is not None and int(Tier.EDGE) not in state and not collected
        for index, cell in enumerate(() if self._certain else problem.cells):
            at_head, above, _ = owners_by_level(problem, cell, state)
            if at_head.any() and not self.clustered(index, at_head):
                yield self._finding(index, True, at_head)
            if above.any() and not direct and not self.through_edge(index, above):
                yield self._finding(index, False, above)

    def _event(self, index: int, clustered: bool, users: Bools) -> TreeProblem:
        """Return the event of a module that ``users`` [n] own, on links of equal cost."""
        cell = self.problem.cells[index]
        n = cell.size
        seconds = np.full((n + 1, n + 1), np.inf)
        seconds[:n, :n][cell.d2d_gain > 0] = 1.0
        seconds[:n, n] = 1.0
        seconds[n, :n][cell.downlink_gain > 0] = 1.0
        return TreeProblem(
            seconds_per_bit=seconds,
            joules_per_bit=np.ones((n + 1, n + 1)),
            payload_bit=np.ones(1),
            owners=users[:, None],
            roots=tuple(range(n)) if clustered else (n,),
            direction=Direction.GATHER if self.problem.published and not clustered else Direction.BOTH,
            names=cell.names,
            **self.limits,
        )

    def _exists(self, index: int, clustered: bool, users: bytes) -> bool:
        return self._certain or _has_tree(self._event(index, clustered, np.frombuffer(users, dtype=bool)))

    def _finding(self, index: int, clustered: bool, owners: Bools) -> Finding:
        event = self._event(index, clustered, np.asarray(owners.any(axis=1)))
        name = self.problem.cells[index].edge.name
        goal = "into a head" if clustered else "into the edge server"

        free: dict[str, Any] = dict.fromkeys(self.limits)
        if not _has_tree(replace(event, **free)):
            message = f"in cell {name} no links lead {goal} and back to all owners"
            return Finding("radio.gains", message, "give those out of reach a link from the edge server or a device")

        def words(limits: dict[str, Any]) -> str:
            return " and ".join(f"{limit} = {value}" for limit, value in limits.items())

        for limit, value in self.limits.items():
            wider: list[dict[str, Any]] = [{limit: k} for k in range(value + 1, event.n + 1)]
            enough = next((change[limit] for change in wider if _has_tree(replace(event, **change))), None)
            if enough is not None:
                others = words({k: v for k, v in self.limits.items() if k != limit})
                beside = f" beside {others}" if others else ""
                message = f"in cell {name} no tree of the owners {goal} keeps {limit} = {value}{beside}"
                return Finding(f"planning.{limit}", message, f"allow at least {enough}")
        message = f"in cell {name} no tree of the owners {goal} keeps {words(self.limits)}"
        return Finding("planning", message, "loosen several of them")


def _has_tree(event: TreeProblem) -> bool:
    if event.n <= MAX_DEVICES:
        heads = [set(price_trees(event, direction).heads.tolist()) for direction in event.directions]
        return bool(set.intersection(*heads))
    try:
        solve_tree(event, 0.0, 1.0, gap=1.0, method=SearchMethod.PROGRAM)
    except InfeasibleError:
        return False
    return True
