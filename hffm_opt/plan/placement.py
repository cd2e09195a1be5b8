"""Which node keeps which expert, from whom others fetch it, and the referee of it in plain numbers.

Per round, with D the devices that use expert m, h a device that trains it, e an edge server that keeps h's copy:

    training   kappa_h f_h^2 C_hm                    J, where h trains m at full speed, C_hm cycles
    caching    c(h, e) b_m / fetch_rounds            h's copy to e
    fetching   c(h, u) b_m / fetch_rounds            h's copy to u; c(e, u) where u fetches it from e
    misfit     w_F F_hu                              how badly h's data fit u's

c is the least of ``w_E J + w_T s`` a bit over all paths. Fixed delays are left out, as fetching is no event of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.problem.misfit import answer_mass, misfit
from hffm_opt.problem.model import Bools, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.problem.relay_network import relay_network
from hffm_opt.scenario.model import Frozen, Module, Name
from hffm_opt.scenario.specialise import Specialise


class Fetch(Frozen):
    """A device fetches an expert that ``host`` trains, from it or from the edge server that keeps its copy."""

    device: Name
    module: Name
    host: Name
    edge: Name | None = None


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
    hosts: dict[Name, tuple[Name, ...]]
    caches: tuple[Fetch, ...]
    fetches: tuple[Fetch, ...]


@dataclass(frozen=True, eq=False)
class PlacementProblem:
    """The arrays of a placement over U devices, K edge servers (with devices) and M experts.

    ``uses`` [U, M]: the device has samples that the expert serves. ``room`` [U] bits beside the other modules,
    ``time_s`` [U, M] of training beside ``base_s`` [U], ``train_j`` [U, M]; ``price`` [U + K, U + K] per bit from node
    to node, infinite without a path; ``misfit`` [U, U] of the host's copy (row) to a device (column).
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
    network = relay_network(problem)
    weights = scenario.planning
    weight = weights.energy_weight * network.j_per_bit + weights.latency_weight * network.s_per_bit
    graph = csr_array((np.maximum(weight, 1e-300), (network.source, network.target)), shape=(len(network.nodes),) * 2)
    edges = [cell.edge.name for cell in problem.cells]
    chosen = [*range(len(scenario.devices)), *(network.index[name] for name in edges)]
    price = shortest_path(graph, method="D")[np.ix_(chosen, chosen)]
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
        price=price,
        misfit=fits,
        nodes=(*(d.name for d in scenario.devices), *edges),
    )


def _serves(samples: dict[str, int], module: Module) -> bool:
    return any(samples.get(task, 0) > 0 for task in module.tasks)


def _cycles(problem: Problem, u: int, module: Module) -> float:
    device = problem.scenario.devices[u]
    count = sum(device.samples.get(task, 0) for task in module.tasks)
    flop = count * (module.forward_flop + module.backward_flop)
    return problem.scenario.learning.local_passes * flop / device.flop_per_cycle


@dataclass(frozen=True)
class PlacementCost:
    """A placement's training in J a round, transfers in the planner's unit, misfit, value, and broken limits."""

    train_j: float
    transfer: float
    misfit: float
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
    named = {*(n for nodes in plan.hosts.values() for n in nodes), *(f.host for f in (*plan.caches, *plan.fetches))}
    unknown = sorted((named - index.keys()) | (plan.hosts.keys() - experts.keys()))
    if unknown:
        raise InputError.one("hosts", f"'{unknown[0]}' is no node or expert of the scenario", "plan it anew")
    hosted = np.zeros(placing.uses.shape, dtype=bool)
    for module, nodes in plan.hosts.items():
        hosted[[index[n] for n in nodes if index[n] < users], experts[module]] = True
    violations = list(_broken(placing, plan, hosted, index, experts))
    rounds, weights = placing.settings.fetch_rounds, placing.problem.scenario.planning
    train_j = float(placing.train_j[hosted].sum())
    transfer = total = 0.0
    for cache in plan.caches:
        transfer += float(
            placing.price[index[cache.host], index[str(cache.edge)]] * placing.bits[experts[cache.module]]
        )
    for fetch in plan.fetches:
        start = index[fetch.host if fetch.edge is None else fetch.edge]
        transfer += float(placing.price[start, index[fetch.device]] * placing.bits[experts[fetch.module]])
        total += float(placing.misfit[index[fetch.host], index[fetch.device]])
    total += float(sum(placing.misfit[u, u] for u, _ in np.argwhere(hosted & placing.uses)))
    transfer /= rounds
    value = weights.energy_weight * train_j + transfer + placing.settings.misfit_weight * total
    return PlacementCost(train_j, transfer, total, value, tuple(violations))


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
