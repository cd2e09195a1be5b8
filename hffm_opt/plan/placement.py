"""Which node keeps which expert, from whom others fetch it, and what that is priced by.

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

from hffm_opt.errors import InputError
from hffm_opt.plan.fetching import Fetch, Fetching, cheapest_paths
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
