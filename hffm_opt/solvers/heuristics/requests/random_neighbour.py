"""A neighbour's copy, drawn among the devices of the cell that hold the module and have a D2D link to the device."""

from __future__ import annotations

from hffm_opt.plan.holders import RelayingProblem
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.relaying_shares import Route
from hffm_opt.solvers.heuristics.requests.paths import fastest


def random_neighbour(relaying: RelayingProblem, seed: int) -> list[Route]:
    """Return for every transfer a neighbour drawn; where no neighbour holds the module, any device that does."""
    devices = {device.name for device in relaying.problem.scenario.devices}
    network, routes = relaying.network, []
    for k, wanted in enumerate(relaying.wanted):
        holders = sorted(h.node for h in wanted.holders if network.nodes[h.node] in devices)
        near = [node for node in holders if (node, wanted.device) in network.arc] or holders
        rng = derive(seed, "random neighbour", network.nodes[wanted.device], wanted.module)
        drawn = [near[int(rng.integers(len(near)))]] if near else []
        routes.append(fastest(relaying, k, drawn))
    return routes
