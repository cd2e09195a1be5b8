"""Greedy: one decision after the other, none taken back, over the whole space.

1. Circulation: the relaxed rates rounded to the menu, spending the limit on Phi where it saves most
   (:mod:`..circulations.relaxed`), priced over the fastest head's shortest paths. Where an accuracy is aimed at, the
   rounds to it price Phi: then a few limits up to that one are tried, and the best network is kept.
2. Every cell, every kind of round: heads and routes, then shares of bands and powers, then speeds of training, each at
   what the referee charges.
3. One way per cell: a common deadline for each kind of round, the least energy that keeps it.
4. Slack: cells that wait train more slowly.

No proof is sought. Limits on latency and energy are judged afterwards, not sought. Source: docs/methods.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hffm_opt.errors import LimitReachedError
from hffm_opt.plan.circulation import drift, uniform
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.heuristics.catalogue import composition_named
from hffm_opt.solvers.heuristics.compose import composed_circulation
from hffm_opt.solvers.heuristics.search.network import Network, best_network, plan_from, tightened
from hffm_opt.solvers.heuristics.search.ways import Ways
from hffm_opt.solvers.request import Request, drift_limit

LEVELS = 10
"""Limits on Phi that are tried where an accuracy is aimed at."""


def greedy(problem: Problem, request: Request) -> Plan:
    """Return the greedy plan.

    Raises:
        LimitReachedError: some cell has no listed way that keeps the limits on relaying.
    """
    ways = Ways(problem, request)
    return plan_from(ways, tightened(ways, first_network(ways, request)), "greedy")


def first_network(ways: Ways, request: Request) -> Network:
    """Return the relaxed circulation with the best listed ways, at the best of the limits on Phi that are tried.

    Raises:
        LimitReachedError: some cell has none that keeps the limits on relaying.
    """
    parts = composition_named("relaxed-circulation")
    assert parts is not None
    circulations = {
        composed_circulation(ways.problem, replace(request, max_drift=limit), parts): None
        for limit in drift_limits(ways.problem, request)
    }
    networks = [network for each in circulations if (network := best_network(ways, each)) is not None]
    found = min(networks, key=lambda network: network.value, default=None)
    if found is None:
        raise LimitReachedError.one(
            "planning", "no route of the heuristics keeps the limits on relaying", "use 'optimal', or loosen them"
        )
    return found


def drift_limits(problem: Problem, request: Request) -> tuple[float, ...]:
    """Return the limits on Phi to try: the one in force, or a few up to it where the rounds to a target price Phi."""
    limit = drift_limit(problem, request)
    if not request.aims_at_accuracy:
        return (limit,)
    most = min(limit, drift(problem, uniform(problem, None, None, None)))
    return (0.0, *(float(each) for each in np.geomspace(min(1.0, most), most, LEVELS))) if most > 0 else (0.0,)
