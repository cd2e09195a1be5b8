"""Which circulations cost no less than one that was judged, and which are the same but for the modules' order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hffm_opt.plan.circulation import Tier
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.solvers.formulations.weights import State, Weights


def covering(problem: Problem, states: Sequence[State], state: State) -> Bools:
    """Return in which states a round costs no less than in the given one, whatever the prices of before and after.

    Averaging further modules besides costs no less, because its trees serve the smaller round too: cut back to the
    owners that are left, a tree has no more hops, children or uplinks, and the copies of a module where pre-summing is
    limited depend on that module's own owners alone, since heights count no other nodes. One thing may make
    it cheaper: a cell that only goes to its edge counts the way down before the cloud's meeting, and once it sends
    something to the cloud it counts it after; so a cell must not change sides.

    This holds round by round. A circulation with a longer cycle may cost less than one that it covers round by round,
    for it may take turns between ways of doing the same round: see :func:`takes_turns`.
    """
    grid, given = np.array(states), np.array(state)
    covers = ((grid == given) | (given == Tier.LOCAL)).all(axis=1)
    for cell in problem.cells:
        owned = problem.cell_owners(cell).any(axis=0)
        if (given[owned] == Tier.EDGE).any() and not (given[owned] == Tier.CLOUD).any():
            covers &= ~(grid[:, owned] == Tier.CLOUD).any(axis=1)
    return np.asarray(covers)


def last_kind(states: Sequence[State]) -> int:
    """Return the last kind of round of a circulation by itself: later ones stand in the same state."""
    return max((j for j in range(1, len(states)) if states[j] != states[j - 1]), default=0)


def takes_turns(weights: Weights, first: int | None) -> bool:
    """Return whether more kinds of round alone may make a cycle cheaper.

    Where every round of the kinds that are told apart ends with a meeting and no limit stands, costs add up over them,
    so that the best way for one is the best for all. Under a limit a mixture of ways may keep it more closely, and
    without a meeting a cell's ways may add up to just what the slowest cell leaves it.
    """
    return first is None or bool(np.isfinite([weights.max_latency_s, weights.max_energy_j]).any())


def twins(problem: Problem) -> tuple[int, ...]:
    """Return the modules m that nothing tells apart from module m + 1."""
    figures = (problem.payload_bit, problem.presum_depth, problem.divergence_within, problem.divergence_between)
    return tuple(
        m
        for m in range(len(problem.modules) - 1)
        if all(f[m] == f[m + 1] for f in figures) and (problem.owners[:, m] == problem.owners[:, m + 1]).all()
    )
