"""The cloud's average, as federated learning without relaying gives it to whoever joins."""

from __future__ import annotations

from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.solvers.formulations.relaying_shares import Route
from hffm_opt.solvers.heuristics.requests.paths import fastest


def cloud_global(relaying: RelayingProblem, seed: int) -> list[Route]:
    """Return for every transfer the fastest path from the cloud."""
    del seed
    cloud = relaying.network.cloud
    return [
        fastest(relaying, k, [h.node for h in wanted.holders if h.node == cloud])
        for k, wanted in enumerate(relaying.wanted)
    ]
