"""The copy that comes fastest, whatever it was trained on."""

from __future__ import annotations

from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.solvers.formulations.relaying_shares import Route
from hffm_opt.solvers.heuristics.requests.paths import fastest


def nearest_holder(relaying: RelayingProblem, seed: int) -> list[Route]:
    """Return for every transfer the holder with the fastest path."""
    del seed
    return [fastest(relaying, k, [h.node for h in wanted.holders]) for k, wanted in enumerate(relaying.wanted)]
