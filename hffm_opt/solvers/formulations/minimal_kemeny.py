"""The reversible Markov chain on a graph that reaches its nodes soonest: minimal Kemeny constant (cvxpy).

With m_ij the mean number of steps until a walk from i first stands on j (m_ii = 0), ``sum_j pi_j m_ij`` is the same for
every i: Kemeny's constant K. Of a reversible chain with eigenvalues 1 = l_1 > l_2 >= ... >= l_n,

    K = sum_{i >= 2} 1 / (1 - l_i) = tr X^-1 - 1,   X = I - diag(s)^-1 Q diag(s)^-1 + s s^T

with the flows ``Q_ij = pi_i P_ij`` and s = sqrt(pi) entry by entry. Books that count m_ii as the time of return,
1 / pi_i, have K + 1. X is linear in Q and the trace of an inverse convex:

minimise    tr U                         subject to   [[X, I], [I, U]] >= 0                        ``inverse``
                                                      Q = Q^T >= 0 on the links,  Q 1 = pi         ``law``

Unlike the second largest eigenvalue modulus, K rewards eigenvalues near -1: a chain that alternates is no hindrance to
coming past everywhere.

The solver's point is made exact as in :mod:`.fastest_mixing`. The bound rests on no solver. With
L = X - s s^T, linear in Q, any V with s^T V = 0 has by Cauchy and Schwarz

    (tr V)^2 = (tr L^-1/2 L^1/2 V)^2 <= K <V V^T, L>,   so that   K >= (tr V)^2 / max_Q <V V^T, L>

and the maximum is a linear program, ``max sum_e c_e q_e``, that any y >= 0 with y_i + y_j >= c_ij bounds by
``sum_i pi_i y_i``. V is the dual of the block I of ``inverse``, near the pseudoinverse of L; y is the linear program's
dual, raised where it lacks.

Source: Patel, Agharkar, Bullo, Robotic surveillance and Markov chains with minimal weighted Kemeny constant, IEEE
Trans. Automatic Control 60 (2015); Ghosh, Boyd, Saberi, Minimizing effective resistance of a graph, SIAM Review 50
(2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import cvxpy as cp
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from hffm_opt.solvers.engines.conic import solve_conic
from hffm_opt.solvers.formulations.fastest_mixing import LOOSE, metropolis_hastings
from hffm_opt.solvers.formulations.reversible_flows import Floats, Flows, checked, refuse_islands


@dataclass(frozen=True, eq=False)
class KemenyChain:
    """A reversible chain: transition probabilities P [n, n], its law [n], Kemeny's constant, and a bound on it.

    ``constant`` is in steps, by numpy; ``bound`` a proven lower bound on that of any reversible chain on the graph with
    this law.
    """

    transition: Floats
    law: Floats
    constant: float
    bound: float


def kemeny_constant(transition: ArrayLike, law: ArrayLike) -> float:
    """Return the mean steps of a reversible chain to a node drawn by its law, itself at 0; inf if some are never met.

    >>> round(kemeny_constant([[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5]), 12)
    0.5
    """
    gaps = np.linalg.eigvalsh(_laplacian(np.asarray(transition, dtype=float), np.asarray(law, dtype=float)))[1:]
    return float((1 / gaps).sum()) if (gaps > 1e-14 * len(gaps)).all() else inf


def minimal_kemeny(linked: ArrayLike, law: ArrayLike) -> KemenyChain:
    """Return the reversible chain of minimal Kemeny constant; never one worse than Metropolis-Hastings.

    Args:
        linked: [n, n] which nodes are linked; symmetric.
        law: pi [n], positive, of sum 1.

    Raises:
        InputError: shapes that do not fit, a law that is none, links that are not mutual.
        InfeasibleError: nodes without a path between them.

    Example:
        >>> path = np.eye(3, k=1, dtype=bool) | np.eye(3, k=-1, dtype=bool)
        >>> chain = minimal_kemeny(path, np.ones(3) / 3)
        >>> round(chain.constant, 6), chain.constant <= kemeny_constant(metropolis_hastings(path, chain.law), chain.law)
        (2.666667, True)
    """
    graph, goal = checked(linked, law)
    refuse_islands(graph)
    usual = metropolis_hastings(graph, goal)
    if len(goal) == 1:
        return KemenyChain(usual, goal, 0.0, 0.0)
    n, root, links, before = len(goal), np.sqrt(goal), Flows.of(graph, goal), kemeny_constant(usual, goal)
    flows = cp.Variable(len(links.ends), nonneg=True)
    moved = np.outer(root, root) - cp.reshape(links.spread @ flows, (n, n), order="C")
    inverse = cp.Variable((n, n), symmetric=True)
    # U is in units of Metropolis-Hastings' constant, so that the objective is near one.
    unit = np.eye(n) / np.sqrt(before)
    # `>>` wants a symmetric matrix that it knows to be one.
    block = cp.bmat([[(moved + moved.T) / 2, unit], [unit, inverse]]) >> 0
    rows = [block, cp.multiply(1 / goal, links.leaves @ flows) <= 1]
    solve_conic(cp.Problem(cp.Minimize(cp.trace(inverse)), rows), tolerances=LOOSE)
    bound = _bound(links, np.asarray(block.dual_value)[:n, n:], goal)
    found = links.chain(flows.value, goal)
    constant = kemeny_constant(found, goal)
    if before < constant:
        found, constant = usual, before
    return KemenyChain(found, goal, constant, min(constant, bound))


def _bound(links: Flows, direction: Floats, law: Floats) -> float:
    """Return ``(tr V)^2`` over a proven maximum of ``<V V^T, L>``; V is a direction without what it has along s."""
    root = np.sqrt(law) / np.sqrt(law.sum())
    across = np.eye(len(law)) - np.outer(root, root)
    inverse = across @ direction @ across
    gain = -(inverse @ inverse.T).ravel() @ links.spread
    answer = linprog(-gain, A_ub=links.leaves, b_ub=law, method="highs")
    prices = np.maximum(-answer.ineqlin.marginals, 0.0) if answer.status == 0 else np.zeros(len(law))
    prices = prices + max(0.0, float((gain - links.leaves.T @ prices).max())) / 2
    limit = float(law @ prices)
    return float(np.trace(inverse)) ** 2 / limit if limit > 0 else 0.0


def _laplacian(chain: Floats, law: Floats) -> Floats:
    """Return L = I - diag(s) P diag(s)^-1, symmetric."""
    root = np.sqrt(law)
    similar = root[:, None] * chain / root[None, :]
    return np.asarray(np.eye(len(law)) - (similar + similar.T) / 2)
