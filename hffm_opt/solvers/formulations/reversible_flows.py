"""What programs over reversible chains on a graph share: the flows that they decide, and the chain that flows make.

With the flows ``Q_ij = pi_i P_ij``, a chain of law pi is reversible where Q = Q^T. Only the flows q_e over links
e = {i, j} are free, within ``sum of q_e over the links of i <= pi_i``; what a row lacks stays at home. With
s = sqrt(pi) entry by entry,

    diag(s)^-1 Q diag(s)^-1 = I + sum_e q_e S_e,     S_e = - v v^T,   v = e_i / s_i - e_j / s_j

is similar to P, and keeps s as its first eigenvector whatever the flows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hffm_opt.errors import InfeasibleError, InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Flows:
    """The links of a graph in a row: their ends [m, 2], S_e flattened [n n, m], and which nodes each leaves [n, m]."""

    ends: NDArray[np.int64]
    spread: Floats
    leaves: Floats

    @classmethod
    def of(cls, graph: Bools, law: Floats) -> Flows:
        """Return the flows over a graph's links.

        >>> Flows.of(np.array([[False, True], [True, False]]), np.array([0.5, 0.5])).spread.T.round(12).tolist()
        [[-2.0, 2.0, 2.0, -2.0]]
        """
        n, root = len(law), np.sqrt(law)
        upper = np.argwhere(np.triu(graph))
        spread = np.zeros((n * n, len(upper)))
        for k, (i, j) in enumerate(upper):
            # Each flow leaves its two ends' own probabilities, so that rows keep their sums.
            for row, column, sign in ((i, j, 1.0), (j, i, 1.0), (i, i, -1.0), (j, j, -1.0)):
                spread[row * n + column, k] += sign / (root[row] * root[column])
        leaves = np.zeros((n, len(upper)))
        leaves[upper[:, 0], np.arange(len(upper))] = leaves[upper[:, 1], np.arange(len(upper))] = 1.0
        return cls(upper, spread, leaves)

    def chain(self, values: ArrayLike, law: Floats) -> Floats:
        """Return the chain [n, n] of a solver's flows [m]: what is negative is cut off."""
        flow = np.zeros((len(law), len(law)))
        flow[self.ends[:, 0], self.ends[:, 1]] = np.maximum(np.asarray(values), 0.0)
        return exact(flow + flow.T, law)


def exact(flow: Floats, law: Floats) -> Floats:
    """Return the chain of symmetric flows off the diagonal: no row gives more than it has, the rest stays at home."""
    flow = flow / max(1.0, float((flow.sum(axis=1) / law).max()))
    # At most 1: a row that gives all it has may be rounded above.
    chain = np.minimum(flow / law[:, None], 1.0)
    np.fill_diagonal(chain, 0.0)
    np.fill_diagonal(chain, np.maximum(0.0, 1.0 - chain.sum(axis=1)))
    return chain


def checked(linked: ArrayLike, law: ArrayLike) -> tuple[Bools, Floats]:
    """Return links [n, n] without loops and a law [n].

    Raises:
        InputError: shapes that do not fit, a law that is none, links that are not mutual.
    """
    graph, goal = np.array(linked, dtype=bool), np.asarray(law, dtype=float)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1] or not graph.size or (graph != graph.T).any():
        raise InputError.one("linked", f"shape {graph.shape}", "give a symmetric square matrix of links")
    if goal.shape != graph.shape[:1] or not (goal > 0).all() or abs(goal.sum() - 1) > 1e-9:
        raise InputError.one("law", "it is no law of positive probabilities over the nodes", "give shares of sum 1")
    np.fill_diagonal(graph, False)
    return graph, goal


def refuse_islands(graph: Bools) -> None:
    """Raise :class:`InfeasibleError` where no path leads from one node to another."""
    seen, new = {0}, [0]
    while new:
        near = set(np.flatnonzero(graph[new].any(axis=0)).tolist()) - seen
        seen, new = seen | near, list(near)
    if len(seen) < len(graph):
        lost = min(set(range(len(graph))) - seen)
        message = f"no path of links leads from node 0 to node {lost}"
        raise InfeasibleError.one("linked", message, "give one chain to each connected part")
