"""The reversible Markov chain on a graph that mixes fastest towards a given law: a semidefinite program (cvxpy).

With the flows ``Q_ij = pi_i P_ij`` between nodes i and j of the graph, and s = sqrt(pi) entry by entry,

    Q = Q^T >= 0,   Q_ij = 0 where i and j are not linked (i != j),   Q 1 = pi                  ``law``
    A(Q) = diag(s)^-1 Q diag(s)^-1 - s s^T                                                     similar to P - 1 pi^T

minimise    mu                           subject to   - mu I <= A(Q) <= mu I                   ``fast``
or          sum_ij Q_ij c_ij             subject to the same, mu at most a given limit         ``cost``

mu is the second largest eigenvalue modulus of P: the distance from the law pi shrinks by that factor a step. The second
form is the least expected cost of a step (J, say) of a chain that still mixes as fast as asked.

The solver's point is made exact: what is negative is cut off, and what a row lacks stays at home, so that pi is
stationary to the last bit that doubles have. The bound does not rest on the solver: for symmetric Y of nuclear norm 1,
``min_Q <Y, A(Q)>`` over the first line is a linear program, and no chain mixes faster than its value.

Source: Boyd, Diaconis, Xiao, Fastest mixing Markov chain on a graph, SIAM Review 46 (2004), sections 2 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.solvers.engines.conic import solve_conic
from hffm_opt.solvers.formulations.reversible_flows import Floats, Flows, checked, exact, refuse_islands

LOOSE = (1e-9, 1e-8, 1e-6)


@dataclass(frozen=True, eq=False)
class Chain:
    """A reversible chain: transition probabilities P [n, n], its law [n], and the bound under which none mixes faster.

    ``slem`` is the second largest eigenvalue modulus of P, by numpy; ``bound`` a proven lower bound on that of any
    chain on the graph with this law (0 where none was sought); ``cost`` the expected cost of a step.
    """

    transition: Floats
    law: Floats
    slem: float
    bound: float
    cost: float


def slem(transition: ArrayLike, law: ArrayLike) -> float:
    """Return the second largest eigenvalue modulus of a reversible chain.

    >>> round(slem([[0.75, 0.25], [0.25, 0.75]], [0.5, 0.5]), 12)
    0.5
    """
    root = np.sqrt(np.asarray(law, dtype=float))
    similar = root[:, None] * np.asarray(transition, dtype=float) / root[None, :]
    values = np.linalg.eigvalsh((similar + similar.T) / 2 - np.outer(root, root))
    return float(np.abs(values).max(initial=0.0))


def metropolis_hastings(linked: ArrayLike, law: ArrayLike) -> Floats:
    """Return the Metropolis-Hastings chain: a neighbour drawn uniformly, taken with ``min(1, pi_j d_i / (pi_i d_j))``.

    >>> metropolis_hastings([[False, True], [True, False]], [0.25, 0.75]).round(3).tolist()
    [[0.0, 1.0], [0.333, 0.667]]
    """
    graph, goal = checked(linked, law)
    degree = graph.sum(axis=1)
    flow = np.minimum(goal / np.maximum(degree, 1), (goal / np.maximum(degree, 1))[:, None]) * graph
    return exact(flow, goal)


def fastest_mixing(
    linked: ArrayLike, law: ArrayLike, cost: ArrayLike | None = None, max_slem: float | None = None
) -> Chain:
    """Return the chain that mixes fastest, or the cheapest that mixes as fast as asked; never one worse than MH's.

    Args:
        linked: [n, n] which nodes are linked; symmetric.
        law: pi [n], positive, of sum 1.
        cost: c [n, n] of a step from i to j, at least 0; symmetric parts count. Without ``max_slem`` it is only told.
        max_slem: the limit on mu, for the cheapest chain.

    Raises:
        InputError: shapes that do not fit, a law that is none, links that are not mutual.
        InfeasibleError: nodes without a path between them, or no chain mixes as fast as asked.

    Example:
        >>> path = np.eye(3, k=1, dtype=bool) | np.eye(3, k=-1, dtype=bool)
        >>> chain = fastest_mixing(path, np.ones(3) / 3)
        >>> round(chain.slem, 6), slem(metropolis_hastings(path, chain.law), chain.law) >= chain.slem
        (0.5, True)
    """
    graph, goal = checked(linked, law)
    price = np.zeros(graph.shape) if cost is None else np.asarray(cost, dtype=float)
    if price.shape != graph.shape or not (np.isfinite(price[graph]).all() and (price[graph] >= 0).all()):
        raise InputError.one("cost", "it is no cost of at least 0 for every link", "give finite costs [n, n]")
    price = np.where(graph, price, 0.0)
    refuse_islands(graph)
    usual = metropolis_hastings(graph, goal)
    if len(goal) == 1:
        return Chain(usual, goal, 0.0, 0.0, 0.0)
    n, root, links = len(goal), np.sqrt(goal), Flows.of(graph, goal)
    upper, spread, leaves = links.ends, links.spread, links.leaves
    flows = cp.Variable(len(upper), nonneg=True)
    constant = np.eye(n) - np.outer(root, root)
    moved = constant + cp.reshape(spread @ flows, (n, n), order="C")
    mu = cp.Variable()
    # `<<` wants a symmetric matrix that it knows to be one.
    even = (moved + moved.T) / 2
    below, above = even - mu * np.eye(n) << 0, even + mu * np.eye(n) >> 0
    rows = [cp.multiply(1 / goal, leaves @ flows) <= 1, below, above]
    if max_slem is None:
        solve_conic(cp.Problem(cp.Minimize(mu), rows), tolerances=LOOSE)
        bound = _bound(spread, constant, leaves, goal, np.asarray(below.dual_value) - np.asarray(above.dual_value))
    else:
        both = price[upper[:, 0], upper[:, 1]] + price[upper[:, 1], upper[:, 0]]
        unit = float(both.mean()) or 1.0
        try:
            solve_conic(cp.Problem(cp.Minimize((both / unit) @ flows), [*rows, mu <= max_slem]), tolerances=LOOSE)
        except InfeasibleError:
            message = f"no chain on these links has a second eigenvalue of at most {max_slem:g}"
            raise InfeasibleError.one("max_slem", message, "allow more, or give more links") from None
        bound = 0.0
    found = links.chain(flows.value, goal)
    if max_slem is None and slem(usual, goal) < slem(found, goal):
        found = usual
    expected = float((goal[:, None] * found * price).sum())
    return Chain(found, goal, slem(found, goal), min(bound, slem(found, goal)), expected)


def _bound(spread: Floats, constant: Floats, leaves: Floats, goal: Floats, direction: Floats) -> float:
    """Return ``min <Y, A(Q)>`` for a direction scaled to nuclear norm 1, which is at most mu."""
    even = (direction + direction.T) / 2
    size = np.abs(np.linalg.eigvalsh(even)).sum()
    if not size:
        return 0.0
    even = even / size
    answer = linprog(even.ravel() @ spread, A_ub=leaves / goal[:, None], b_ub=np.ones(len(goal)), method="highs")
    return max(0.0, float(answer.fun + (even * constant).sum())) if answer.status == 0 else 0.0
