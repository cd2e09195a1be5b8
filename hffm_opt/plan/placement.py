"""Which node keeps which expert, from whom others fetch it, and the referee of it in plain numbers.

Per round, with D the devices that use expert m, h a device that trains it, e an edge server that keeps h's copy:

    training   kappa_h f_h^2 C_hm                    J, where h trains m at full speed, C_hm cycles
    caching    c_m(h, e) / fetch_rounds              h's copy to e
    fetching   c_m(h, u) / fetch_rounds              h's copy to u; c_m(e, u) where u fetches it from e
    misfit     w_F F_hu                              how badly h's data fit u's
    mixing     w_V V_hg                              how far apart the data are of h and g, which both train m

c_m is the least of ``w_E J + w_T s`` of one copy of m over all paths, fixed delays included (:mod:`.fetching`); V is
the total variation between the devices' laws of (task, answer), which an average of their copies mixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.fetching import Fetch, Fetching, cheapest_paths
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.problem.misfit import answer_mass, misfit, total_variation
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.model import Frozen, Module, Name
from hffm_opt.scenario.specialise import Specialise


class PlacementPlan(Frozen):
    """Which devices train each expert, which edge servers keep whose copy, and who fetches from whom.

    ``caches`` and ``fetches`` name host and edge server; a device that trains an expert fetches none. ``objective`` and
    ``bound`` are per round, in the planner's unit.
    """

    format: Literal["hffm-placement-plan/1"] = "hffm-placement-plan/1"
    scenario: ScenarioReference
    method: str
    status: Literal["optimal", "feasible", "limit", "infeasible"]
    stop_reason: str
    objective: float | None
    bound: float | None
    gap: float | None
    seconds: float
    train_j: Annotated[float, Field(ge=0)]
    transfer: Annotated[float, Field(ge=0)]
    misfit: Annotated[float, Field(ge=0)]
    mixing: Annotated[float, Field(ge=0)] = 0.0
    hosts: dict[Name, tuple[Name, ...]]
    caches: tuple[Fetch, ...]
    fetches: tuple[Fetch, ...]

    def fetching(self, every: int) -> Fetching | None:
        """Return what is fetched every so many rounds; None if everybody has all that it uses."""
        return Fetching(every=every, caches=self.caches, fetches=self.fetches) if self.fetches else None


@dataclass(frozen=True, eq=False)
class PlacementProblem:
    """The arrays of a placement over U devices, K edge servers (with devices) and M experts.

    ``uses`` [U, M]: the device has samples that the expert serves. ``room`` [U] bits beside the other modules,
    ``time_s`` [U, M] of training beside ``base_s`` [U], ``train_j`` [U, M]; ``price`` [M, U + K, U + K] of one copy
    from node to node, infinite without a path; ``misfit`` [U, U] of the host's copy (row) to a device (column);
    ``apart`` [U, U] the total variation between two devices' data, 0 where one has none.
    """

    problem: Problem
    settings: Specialise
    experts: tuple[str, ...]
    bits: Floats
    uses: Bools
    room: Floats
    base_s: Floats
    time_s: Floats
    train_j: Floats
    price: Floats
    misfit: Floats
    apart: Floats
    nodes: tuple[str, ...]

    @property
    def devices(self) -> int:
        """The number U of devices."""
        return len(self.uses)


def placement_problem(problem: Problem, seed: int) -> PlacementProblem:
    """Compile what the section ``specialise`` asks for.

    Args:
        problem: the scenario with its section.
        seed: that of the training, for the devices' laws of answers.

    Raises:
        InputError: there is no such section.
    """
    scenario = problem.scenario
    settings = scenario.specialise
    if settings is None:
        raise InputError.one("specialise", "the scenario has no such section", "add the section 'specialise'")
    experts = [m for m in scenario.modules if m.kind == "expert" and m.trainable]
    others = [m for m in scenario.modules if m.kind != "expert"]
    rest = np.array(
        [sum(m.payload_bit for m in others if _serves(d.samples, m)) for d in scenario.devices], dtype=float
    )
    memory = np.array([np.inf if d.memory_bit is None else d.memory_bit for d in scenario.devices])
    cycles = np.array([[_cycles(problem, u, m) for m in experts] for u in range(len(scenario.devices))])
    base = np.array([sum(_cycles(problem, u, m) for m in others) for u in range(len(scenario.devices))])
    speed = problem.cpu_max_hz
    nodes = (*(d.name for d in scenario.devices), *(cell.edge.name for cell in problem.cells))
    prices = {bits: _prices(problem, bits, nodes) for bits in {float(m.payload_bit) for m in experts}}
    held = [d.samples for d in scenario.devices]
    mass = answer_mass(scenario, held, [task.name for task in scenario.tasks], seed)
    idle = mass.sum(axis=1) == 0
    fits = np.array(
        [
            [np.inf if idle[h] else 0.0 if idle[u] else misfit(mass[h], mass[u]) for u in range(len(held))]
            for h in range(len(held))
        ]
    )
    return PlacementProblem(
        problem=problem,
        settings=settings,
        experts=tuple(m.name for m in experts),
        bits=np.array([m.payload_bit for m in experts], dtype=float),
        uses=np.array([[_serves(d.samples, m) for m in experts] for d in scenario.devices]),
        room=memory - rest,
        base_s=base / speed,
        time_s=cycles / speed[:, None],
        train_j=problem.capacitance_j_s2[:, None] * speed[:, None] ** 2 * cycles,
        price=np.array([prices[float(m.payload_bit)] for m in experts]),
        misfit=fits,
        apart=_apart(mass),
        nodes=nodes,
    )


def _apart(mass: Floats) -> Floats:
    """Return the total variation [U, U] between devices' laws, given their samples per (task, answer), [U, A]."""
    total = mass.sum(axis=1, keepdims=True)
    law = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    apart = np.array([[total_variation(one, other) for other in law] for one in law])
    return np.where((total > 0) & (total.T > 0), apart, 0.0)


def _prices(problem: Problem, bits: float, nodes: tuple[str, ...]) -> Floats:
    paths = cheapest_paths(problem, bits)
    chosen = [paths.network.index[name] for name in nodes]
    return paths.price[np.ix_(chosen, chosen)]


def _serves(samples: dict[str, int], module: Module) -> bool:
    return any(samples.get(task, 0) > 0 for task in module.tasks)


def _cycles(problem: Problem, u: int, module: Module) -> float:
    device = problem.scenario.devices[u]
    count = sum(device.samples.get(task, 0) for task in module.tasks)
    flop = count * (module.forward_flop + module.backward_flop)
    return problem.scenario.learning.local_passes * flop / device.flop_per_cycle


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
) -> list[Finding]:
    settings, found = placing.settings, []
    for u, name in enumerate(placing.nodes[: placing.devices]):
        bits, seconds = float(placing.bits @ hosted[u]), float(placing.base_s[u] + placing.time_s[u] @ hosted[u])
        if bits > placing.room[u] * (1 + TOLERANCE):
            found.append(Finding(name, f"{bits:g} bit of experts exceed its room", "let it keep fewer"))
        if settings.max_train_s is not None and seconds > settings.max_train_s * (1 + TOLERANCE):
            found.append(Finding(name, f"it trains for {seconds:.6g} s", f"at most {settings.max_train_s:g} s"))
        if settings.experts_per_device is not None and hosted[u].sum() > settings.experts_per_device:
            found.append(Finding(name, f"it keeps {hosted[u].sum()} experts", f"at most {settings.experts_per_device}"))
        if (hosted[u] & ~placing.uses[u]).any():
            found.append(Finding(name, "it has no data for an expert that it is to train", "let another device"))
        if placing.uses[u].any() and not (hosted[u] & placing.uses[u]).any():
            found.append(Finding(name, "it trains no expert", "let it keep one"))
    kept: dict[str, float] = {}
    for cache in plan.caches:
        kept[str(cache.edge)] = kept.get(str(cache.edge), 0.0) + float(placing.bits[experts[cache.module]])
        if not hosted[index[cache.host], experts[cache.module]]:
            found.append(Finding("caches", f"{cache.host} does not train '{cache.module}'", "name a host"))
    for edge, bits in kept.items():
        if bits > settings.edge_memory_bit * (1 + TOLERANCE):
            found.append(Finding(edge, f"{bits:g} bit of copies", f"at most {settings.edge_memory_bit:g} bit"))
    for copy, source, target in (
        *((cache, cache.host, str(cache.edge)) for cache in plan.caches),
        *((fetch, fetch.edge or fetch.host, fetch.device) for fetch in plan.fetches),
    ):
        if not np.isfinite(placing.price[experts[copy.module], index[source], index[target]]):
            found.append(Finding("fetches", f"no links lead from {source} to {target}", "fetch from another node"))
    cached = {(cache.module, cache.host, cache.edge) for cache in plan.caches}
    served = np.zeros(placing.uses.shape, dtype=int)
    for fetch in plan.fetches:
        u, m = index[fetch.device], experts[fetch.module]
        served[u, m] += 1
        held = hosted[index[fetch.host], m] and (fetch.edge is None or (fetch.module, fetch.host, fetch.edge) in cached)
        if not held:
            found.append(
                Finding("fetches", f"{fetch.device}: no such copy of '{fetch.module}'", "fetch one that there is")
            )
    for u, m in np.argwhere(served + (hosted & placing.uses) != placing.uses):
        message = f"'{placing.experts[m]}' is there {served[u, m] + hosted[u, m]} times"
        found.append(Finding(placing.nodes[u], message, "keep or fetch it once"))
    return found
