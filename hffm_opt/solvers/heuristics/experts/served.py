"""Fetches for given hosts: everybody else gets each expert from the host that is cheapest for it."""

from __future__ import annotations

import numpy as np

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.fetching import Fetch
from hffm_opt.plan.placement import PlacementProblem
from hffm_opt.problem.model import Bools
from hffm_opt.solvers.formulations.placement import Hosting


def served_by(placing: PlacementProblem, hosted: Bools) -> Hosting:
    """Return the placement in which given devices [U, M] host, and everybody else fetches what is cheapest for it.

    Raises:
        InfeasibleError: no host of an expert reaches a device that uses it.
    """
    nodes, settings = placing.nodes, placing.settings
    fetches = []
    absent = np.argwhere(np.logical_and(placing.uses, np.logical_not(hosted)))
    for u, m in absent.tolist():
        cost = np.full(placing.devices, np.inf)
        fit = settings.misfit_weight * placing.misfit[hosted[:, m], u]
        cost[hosted[:, m]] = placing.price[m, : placing.devices, u][hosted[:, m]] / settings.fetch_rounds + fit
        if not np.isfinite(cost).any():
            message = f"'{placing.experts[m]}' is hosted by nobody who reaches {nodes[u]}"
            raise InfeasibleError.one("specialise", message, "let another device host it: --method optimal")
        fetches.append(Fetch(device=nodes[u], module=placing.experts[m], host=nodes[int(np.argmin(cost))]))
    hosts = {name: tuple(nodes[h] for h in np.flatnonzero(hosted[:, m])) for m, name in enumerate(placing.experts)}
    return hosts, (), tuple(fetches)
