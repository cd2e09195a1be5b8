"""The copy of least misfit, whatever its way costs; among equals the fastest."""

from __future__ import annotations

from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.solvers.formulations.relaying_shares import Route
from hffm_opt.solvers.heuristics.requests.paths import fastest


def best_fit(relaying: RelayingProblem, seed: int) -> list[Route]:
    """Return for every transfer the holder of least misfit, over its fastest path."""
    del seed
    routes = []
    for k, wanted in enumerate(relaying.wanted):
        least = min(holder.misfit for holder in wanted.holders)
        routes.append(fastest(relaying, k, [h.node for h in wanted.holders if h.misfit <= least]))
    return routes
