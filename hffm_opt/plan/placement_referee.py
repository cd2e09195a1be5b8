"""The referee of placements: what one costs a round, and every limit that it breaks, in plain numbers.

It knows nothing of the program that found the placement, and takes over its prices alone, which are the least of all
paths (:mod:`hffm_opt.plan.fetching`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.plan.placement import PlacementPlan, PlacementProblem
from hffm_opt.problem.model import Bools


@dataclass(frozen=True)
class PlacementCost:
    """A placement's training in J a round, transfers in the planner's unit, misfit, mixing, value, broken limits."""

    train_j: float
    transfer: float
    misfit: float
    mixing: float
    value: float
    violations: tuple[Finding, ...]


def evaluate_placement(placing: PlacementProblem, plan: PlacementPlan) -> PlacementCost:
    """Let the referee judge a placement.

    Raises:
        InputError: it is for another scenario, or names what there is not.
    """
    if plan.scenario.fingerprint != placing.problem.fingerprint:
        raise InputError.one("scenario", f"the placement is for '{plan.scenario.name}'", "plan it anew")
    index, users = {name: i for i, name in enumerate(placing.nodes)}, placing.devices
    experts = {name: m for m, name in enumerate(placing.experts)}
    _refuse_unknown(placing, plan)
    hosted = np.zeros(placing.uses.shape, dtype=bool)
    for module, nodes in plan.hosts.items():
        hosted[[index[n] for n in nodes if index[n] < users], experts[module]] = True
    violations = list(_broken(placing, plan, hosted, index, experts))
    rounds, weights = placing.settings.fetch_rounds, placing.problem.scenario.planning
    train_j = float(placing.train_j[hosted].sum())
    transfer = total = 0.0
    for cache in plan.caches:
        transfer += float(placing.price[experts[cache.module], index[cache.host], index[str(cache.edge)]])
    for fetch in plan.fetches:
        start = index[fetch.host if fetch.edge is None else fetch.edge]
        transfer += float(placing.price[experts[fetch.module], start, index[fetch.device]])
        total += float(placing.misfit[index[fetch.host], index[fetch.device]])
    total += float(sum(placing.misfit[u, u] for u, _ in np.argwhere(hosted & placing.uses)))
    transfer /= rounds
    together = hosted.astype(float)
    mixing = float(np.sum(np.triu(placing.apart, 1) * (together @ together.T)))
    settings = placing.settings
    value = weights.energy_weight * train_j + transfer + settings.misfit_weight * total
    value += settings.mixing_weight * mixing
    return PlacementCost(train_j, transfer, total, mixing, value, tuple(violations))


def _refuse_unknown(placing: PlacementProblem, plan: PlacementPlan) -> None:
    """Raise :class:`InputError` where a placement names what there is not, or what cannot do its part."""
    devices, edges = set(placing.nodes[: placing.devices]), set(placing.nodes[placing.devices :])
    copies = (*plan.caches, *plan.fetches)
    unknown = {
        "hosts": {name for nodes in plan.hosts.values() for name in nodes} - devices - edges,
        "caches": {str(cache.edge) for cache in plan.caches} - edges,
        "fetches": ({f.host for f in copies} | {f.device for f in plan.fetches}) - devices,
    }
    unknown["fetches"] |= {f.edge for f in plan.fetches if f.edge is not None} - edges
    findings = [
        Finding(place, f"'{name}' is no node of the scenario that could do this", "plan it anew")
        for place, names in unknown.items()
        for name in sorted(names)
    ]
    strange = sorted((plan.hosts.keys() | {f.module for f in copies}) - set(placing.experts))
    findings += [Finding("hosts", f"'{name}' is no expert of the scenario", "plan it anew") for name in strange]
    if findings:
        raise InputError(findings)


def _broken(
    placing: PlacementProblem, plan: PlacementPlan, hosted: Bools, index: dict[str, int], experts: dict[str, int]
) -> Iterator[Finding]:
    """Yield every limit that a placement breaks, given who trains what, [U, M]."""
    yield from _over_limits(placing, hosted)
    yield from _bad_caches(placing, plan, hosted, index, experts)
    yield from _bad_fetches(placing, plan, hosted, index, experts)


def _over_limits(placing: PlacementProblem, hosted: Bools) -> Iterator[Finding]:
    """Devices have room, time and data for what they train, and train something where they use experts."""
    settings = placing.settings
    for u, name in enumerate(placing.nodes[: placing.devices]):
        bits, seconds = float(placing.bits @ hosted[u]), float(placing.base_s[u] + placing.time_s[u] @ hosted[u])
        if bits > placing.room[u] * (1 + TOLERANCE):
            yield Finding(name, f"{bits:g} bit of experts exceed its room", "let it keep fewer")
        if settings.max_train_s is not None and seconds > settings.max_train_s * (1 + TOLERANCE):
            yield Finding(name, f"it trains for {seconds:.6g} s", f"at most {settings.max_train_s:g} s")
        if settings.experts_per_device is not None and hosted[u].sum() > settings.experts_per_device:
            yield Finding(name, f"it keeps {hosted[u].sum()} experts", f"at most {settings.experts_per_device}")
        if (hosted[u] & ~placing.uses[u]).any():
            yield Finding(name, "it has no data for an expert that it is to train", "let another device")
        if placing.uses[u].any() and not (hosted[u] & placing.uses[u]).any():
            yield Finding(name, "it trains no expert", "let it keep one")


def _bad_caches(
    placing: PlacementProblem, plan: PlacementPlan, hosted: Bools, index: dict[str, int], experts: dict[str, int]
) -> Iterator[Finding]:
    """Edge servers keep copies of what hosts train, as many as they have memory for."""
    most, kept = placing.settings.edge_memory_bit, dict[str, float]()
    for cache in plan.caches:
        kept[str(cache.edge)] = kept.get(str(cache.edge), 0.0) + float(placing.bits[experts[cache.module]])
        if not hosted[index[cache.host], experts[cache.module]]:
            yield Finding("caches", f"{cache.host} does not train '{cache.module}'", "name a host")
    for edge, bits in kept.items():
        if bits > most * (1 + TOLERANCE):
            yield Finding(edge, f"{bits:g} bit of copies", f"at most {most:g} bit")


def _bad_fetches(
    placing: PlacementProblem, plan: PlacementPlan, hosted: Bools, index: dict[str, int], experts: dict[str, int]
) -> Iterator[Finding]:
    """Links lead along every copy's way, copies are there, and every device has what it uses once."""
    for copy, source, target in (
        *((cache, cache.host, str(cache.edge)) for cache in plan.caches),
        *((fetch, fetch.edge or fetch.host, fetch.device) for fetch in plan.fetches),
    ):
        if not np.isfinite(placing.price[experts[copy.module], index[source], index[target]]):
            yield Finding("fetches", f"no links lead from {source} to {target}", "fetch from another node")
    cached = {(cache.module, cache.host, cache.edge) for cache in plan.caches}
    served = np.zeros(placing.uses.shape, dtype=int)
    for fetch in plan.fetches:
        u, m = index[fetch.device], experts[fetch.module]
        served[u, m] += 1
        held = hosted[index[fetch.host], m] and (fetch.edge is None or (fetch.module, fetch.host, fetch.edge) in cached)
        if not held:
            yield Finding("fetches", f"{fetch.device}: no such copy of '{fetch.module}'", "fetch one that there is")
    for u, m in np.argwhere(served + (hosted & placing.uses) != placing.uses):
        message = f"'{placing.experts[m]}' is there {served[u, m] + hosted[u, m]} times"
        yield Finding(placing.nodes[u], message, "keep or fetch it once")
