"""Compositions by name: ``CIRCULATION[+d2d | +HEAD[+ROUTE]][+BAND][+POWER]``, for instance ``h-fedfm-4+best-head+mst``.

``+d2d`` is the published relaying as a whole; with a head and no route, shortest paths; without a head, direct links.
"""

from __future__ import annotations

import re
from collections.abc import Container

from hffm_opt.errors import InputError
from hffm_opt.solvers.heuristics.allocation.equal import equal
from hffm_opt.solvers.heuristics.allocation.full_power import full_power
from hffm_opt.solvers.heuristics.allocation.inversion import inversion
from hffm_opt.solvers.heuristics.allocation.proportional import proportional
from hffm_opt.solvers.heuristics.circulations.adaptive_tau import adaptive_tau
from hffm_opt.solvers.heuristics.circulations.fedlama import fedlama
from hffm_opt.solvers.heuristics.circulations.periods import fixed_periods, longest_period
from hffm_opt.solvers.heuristics.circulations.relaxed import relaxed
from hffm_opt.solvers.heuristics.heads.best_uplink import best_uplink_head
from hffm_opt.solvers.heuristics.heads.centroid import centroid_head
from hffm_opt.solvers.heuristics.heads.random import random_head
from hffm_opt.solvers.heuristics.mh_fl import MH_FL
from hffm_opt.solvers.heuristics.optimised_walk import X_LEARNING_OPTIMISED, X_LEARNING_SHARES
from hffm_opt.solvers.heuristics.random_walk import X_LEARNING
from hffm_opt.solvers.heuristics.routes.direct import own_uplinks, to_the_cloud
from hffm_opt.solvers.heuristics.routes.published import published_paths
from hffm_opt.solvers.heuristics.routes.shortest import shortest_paths
from hffm_opt.solvers.heuristics.routes.spanning import spanning_tree
from hffm_opt.solvers.heuristics.routes.star import head_star
from hffm_opt.solvers.heuristics.rules import BandRule, CirculationRule, Composition, HeadRule, PowerRule, RouteRule

WHOLE = {
    "mh-fl": MH_FL,
    "x-learning": X_LEARNING,
    "x-learning+shares": X_LEARNING_SHARES,
    "x-learning+optimised": X_LEARNING_OPTIMISED,
    "relaxed-circulation": Composition(relaxed, shortest_paths, equal, full_power, best_uplink_head),
}
ADAPTED: dict[str, CirculationRule] = {"fedlama": fedlama, "adaptive-tau": adaptive_tau, "relaxed": relaxed}
HEADS: dict[str, HeadRule] = {
    "random-head": random_head,
    "best-head": best_uplink_head,
    "centroid-head": centroid_head,
}
ROUTES: dict[str, RouteRule] = {"spt": shortest_paths, "mst": spanning_tree, "star": head_star}
BANDS: dict[str, BandRule] = {"equal": equal, "proportional": proportional}
POWERS: dict[str, PowerRule] = {"full-power": full_power, "inversion": inversion}
PUBLISHED_D2D = "d2d"
GRAMMAR = (
    "CIRCULATION[+d2d | +HEAD[+ROUTE]][+BAND][+POWER], CIRCULATION one of local, star, edge-only, h-fedfm-E, "
    f"h-fedfm-max, {', '.join(ADAPTED)}; HEAD one of {', '.join(HEADS)}; ROUTE one of {', '.join(ROUTES)}; "
    f"BAND one of {', '.join(BANDS)}; POWER one of {', '.join(POWERS)}; or x-learning+shares, x-learning+optimised"
)


def composition_named(name: str) -> Composition | None:
    """Return the composition of a name; ``None`` where it is none.

    Raises:
        InputError: the period in the name is not a power of two.

    Example:
        >>> composition_named("h-fedfm-4+best-head+mst").routes.__name__
        'spanning_tree'
    """
    if name in WHOLE:
        return WHOLE[name]
    base, *rest = name.split("+")
    head, route = _taken(rest, [*HEADS, PUBLISHED_D2D]), _taken(rest, ROUTES)
    band, power = _taken(rest, BANDS), _taken(rest, POWERS)
    circulation = _circulation(base, head)
    if rest or circulation is None or (route and (head is None or head == PUBLISHED_D2D)):
        return None
    if base in ("local", "star") and head is not None:
        return None
    allocation = BANDS[band or "equal"], POWERS[power or "full-power"]
    if head is None:
        return Composition(circulation, to_the_cloud if base == "star" else own_uplinks, *allocation)
    if head == PUBLISHED_D2D:
        return Composition(circulation, published_paths, *allocation, random_head, drawn=True)
    return Composition(circulation, ROUTES[route or "spt"], *allocation, HEADS[head], drawn=head == "random-head")


def _taken(rest: list[str], known: Container[str]) -> str | None:
    """Take the next part of a name if it is known."""
    return rest.pop(0) if rest and rest[0] in known else None


def _circulation(base: str, head: str | None) -> CirculationRule | None:
    if base == "local":
        return fixed_periods(None, None, None)
    if base == "star":
        return fixed_periods(None, None, 1)
    if base == "edge-only":
        return fixed_periods(None, 1, None) if head is None else fixed_periods(1, None, None)
    if base == "h-fedfm-max":
        return longest_period(clustered=head is not None)
    found = re.fullmatch(r"h-fedfm-([1-9][0-9]{0,5})", base)
    if found is None:
        return ADAPTED.get(base)
    period = int(found[1])
    if period & (period - 1):
        raise InputError.one("--method", f"'{base}': {period} is not a power of two", "use h-fedfm-2, h-fedfm-4, ...")
    if head is None:
        return fixed_periods(None, 1, period)
    return fixed_periods(1, period if head == PUBLISHED_D2D else None, period)
