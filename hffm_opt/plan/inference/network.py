"""The network as inference uses it: nodes that compute and hold weights, and the route between any two of them.

Links are those of training at full power. A shared band is split equally over the devices of the cell: each device has
its part of the uplink, of the downlink and of the band for direct links. Two devices of a cell talk directly where they
can; all else passes the edge server, but for the direct link to the cloud where ``cloud_route`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.costs import LinkCost, backhaul_cost, direct_cost, radio_cost
from hffm_opt.plan.inference.model import Exit, OpenAnswers, TaskExits
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.chains import Chain, shipped_chains
from hffm_opt.scenario.fingerprint import digest
from hffm_opt.scenario.inference import Inference, RequestClass
from hffm_opt.scenario.model import CLOUD

CHOICES = ("latency_weight", "energy_weight", "exits", "tolerance", "calibration_samples")
"""Fields of the section on which the cost of a plan does not depend: they say what is minimised and how exits arise."""


@dataclass(frozen=True)
class Node:
    """A node that can run segments: speed in FLOP/s, memory for weights in bit (may be infinite), J per FLOP."""

    name: str
    flop_per_s: float
    memory_bit: float
    j_per_flop: float


@dataclass(frozen=True)
class Hop:
    """One link of a route. ``radio`` names what is busy while it sends: messages over one radio wait for each other."""

    source: str
    target: str
    radio: str
    link: LinkCost


@dataclass(frozen=True, eq=False)
class Asked:
    """A request class with its chain, its exits (in the trunk's order) and the nodes that may serve it."""

    spec: RequestClass
    chain: Chain
    nodes: tuple[str, ...]
    exits: tuple[Exit, ...] = ()
    open_answers: OpenAnswers | None = None

    @cached_property
    def shares(self) -> Floats:
        """Share of all requests that end behind each segment of the trunk, [J]; the last one has what is left."""
        by_name = {place.after: place.share for place in self.exits}
        ends = np.array([by_name.get(part.name, 0.0) for part in self.chain.trunk])
        ends[-1] = max(0.0, 1.0 - ends[:-1].sum())
        return ends

    @cached_property
    def trunk_flop(self) -> Floats:
        """FLOPs of each segment of the trunk with the exit behind it, [J]."""
        heads = {place.after: place.flop for place in self.exits}
        flop = np.array([part.flop + heads.get(part.name, 0.0) for part in self.chain.trunk])
        flop[-1] += self.open_answers.flop if self.open_answers else 0.0
        return flop

    def blocks(self, segment: str) -> dict[str, int]:
        """Return the weights that a segment needs, in bit by name: its own, those of its exit, and of open answers."""
        found = dict(next(part.blocks for part in self.chain.segments if part.name == segment))
        task = self.chain.task
        found |= {f"exit {task} {e.after}": e.weight_bit for e in self.exits if e.after == segment}
        if self.open_answers and segment == self.chain.trunk[-1].name:
            found[f"answers {task}"] = self.open_answers.weight_bit
        return found


def reaching(shares: Floats) -> Floats:
    """Return the share of requests that reach each segment, [J], of the shares that end behind each, [J].

    Example:
        >>> reaching(np.array([0.5, 0.0, 0.5])).tolist()
        [1.0, 0.5, 0.5]
    """
    return np.asarray(np.append(1.0, np.maximum(0.0, 1.0 - np.cumsum(shares)[:-1])))


@dataclass(frozen=True, eq=False)
class InferenceProblem:
    """Everything that inference is planned from. Build it with :func:`build_inference`."""

    problem: Problem
    section: Inference
    classes: tuple[Asked, ...]
    nodes: Mapping[str, Node]
    _routes: dict[tuple[str, str], tuple[Hop, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def reference(self) -> ScenarioReference:
        """The scenario as plans of inference carry it: the fingerprint covers the section and the chains too."""
        section = self.section.model_dump(mode="json", exclude=set(CHOICES) | {"chains"})
        chains = {asked.chain.task: asked.chain.model_dump(mode="json") for asked in self.classes}
        whole: dict[str, object] = {"scenario": self.problem.fingerprint, "inference": section, "chains": chains}
        return ScenarioReference(name=self.problem.scenario.name, fingerprint=digest(whole))

    @cached_property
    def model_fingerprint(self) -> str:
        """SHA-256 of what a calibration depends on: learning, chains, and what the section says of answers."""
        scenario, section = self.problem.scenario, self.section
        whole: dict[str, object] = {
            "learning": scenario.learning.model_dump(mode="json"),
            "chains": {asked.chain.task: asked.chain.model_dump(mode="json") for asked in self.classes},
            "tasks": {task.name: task.answers for task in scenario.tasks},
            "said": section.model_dump(mode="json", include={"unseen", "uncertainty"}),
        }
        return digest(whole)

    @cached_property
    def _cell_of(self) -> dict[str, Cell]:
        return {name: cell for cell in self.problem.cells for name in (*cell.names, cell.edge.name)}

    def route(self, source: str, target: str) -> tuple[Hop, ...]:
        """Return the links from one node to another of the same cell or the cloud, none where they are one.

        Example:
            >>> from hffm_opt.scenario.read import load_scenario
            >>> from hffm_opt.problem.build import build_problem
            >>> scenario = load_scenario("tiny")
            >>> asked = RequestClass(name="a", task="digits", device="device-0-0", rate_per_s=1.0)
            >>> given = scenario.model_copy(update={"inference": Inference(classes=(asked,))})
            >>> [hop.target for hop in build_inference(build_problem(given)).route("device-0-0", "cloud")]
            ['edge-0', 'cloud']
        """
        ends = (source, target)
        if ends not in self._routes:
            self._routes[ends] = self._found_route(source, target)
        return self._routes[ends]

    def _found_route(self, source: str, target: str) -> tuple[Hop, ...]:
        if source == target:
            return ()
        cell = self._cell_of[target if source == CLOUD else source]
        device = source in cell.names or target in cell.names
        if CLOUD in (source, target):
            up = target == CLOUD
            if device and self.section.cloud_route == "direct":
                end, way = (source, "up") if up else (target, "down")
                return (Hop(source, target, f"direct {way} {end}", direct_cost(self.problem)),)
            way = "up" if up else "down"
            haul_ends = (cell.edge.name, CLOUD) if up else (CLOUD, cell.edge.name)
            haul = Hop(*haul_ends, f"backhaul {way} {cell.edge.name}", backhaul_cost(self.problem, cell))
            access = self.route(source, cell.edge.name) if up else self.route(cell.edge.name, target)
            return (*access, haul) if up else (haul, *access)
        if source in cell.names and target in cell.names:
            ends = cell.names.index(source), cell.names.index(target)
            if not cell.d2d_gain[ends]:
                return (*self.route(source, cell.edge.name), *self.route(cell.edge.name, target))
        return (self._radio(cell, source, target),)

    def _radio(self, cell: Cell, source: str, target: str) -> Hop:
        scenario, edge = self.problem.scenario, cell.edge
        i = cell.size if source == edge.name else cell.names.index(source)
        j = cell.size if target == edge.name else cell.names.index(target)
        if j == cell.size:
            band, power, user = "uplink", float(self.problem.uplink_power_w[cell.members[i]]), source
        elif i == cell.size:
            band, power, user = "downlink", edge.downlink_power_w, target
        else:
            band, power, user = "d2d", float(self.problem.d2d_power_w[cell.members[i]]), source
        shared = getattr(scenario.physics, f"{band}_sharing") == "shared"
        width = getattr(edge, f"{band}_bandwidth_hz") / (cell.size if shared else 1)
        return Hop(source, target, f"{band} {user}", radio_cost(self.problem, cell, i, j, width, power))


def _nodes(problem: Problem, section: Inference) -> dict[str, Node]:
    scenario, found = problem.scenario, dict[str, Node]()
    for device in scenario.devices:
        speed = device.cpu_max_hz * device.flop_per_cycle
        joules = device.capacitance_j_s2 * device.cpu_max_hz**2 / device.flop_per_cycle
        memory = np.inf if device.memory_bit is None else device.memory_bit
        limits = section.nodes.get(device.name)
        if limits is not None and limits.flop_per_s is not None:
            message = "a device's speed is its CPU's"
            raise InputError.one(f"inference.nodes.{device.name}.flop_per_s", message, "give devices cpu_max_hz")
        found[device.name] = Node(device.name, speed, memory, joules)
    for name, server in (*((edge.name, section.edge) for edge in scenario.edges), (CLOUD, section.cloud)):
        memory = np.inf if server.memory_bit is None else server.memory_bit
        found[name] = Node(name, server.flop_per_s, memory, server.j_per_flop)
    for name, limits in section.nodes.items():
        node = found[name]
        memory = node.memory_bit if limits.memory_bit is None else limits.memory_bit
        found[name] = Node(name, limits.flop_per_s or node.flop_per_s, memory, node.j_per_flop)
    return found


def build_inference(problem: Problem, calibrated: Mapping[str, TaskExits] | None = None) -> InferenceProblem:
    """Return the inference problem of a scenario with an ``inference`` section.

    Args:
        problem: the compiled scenario.
        calibrated: exits of each task as calibration chose them; none where not given.

    Raises:
        InputError: the scenario has no such section, no chain for a task, a class whose device has no downlink, or
            exits that name segments that are not there.
    """
    section = problem.scenario.inference
    if section is None:
        raise InputError.one(
            "inference", f"scenario '{problem.scenario.name}' has no requests", "add a section 'inference' with classes"
        )
    learning = problem.scenario.learning
    chains = section.chains or shipped_chains(learning.backbone, learning.adapter_width, learning.parts)
    by_task, cells = {chain.task: chain for chain in chains}, {n: c for c in problem.cells for n in c.names}
    classes = []
    for i, spec in enumerate(section.classes):
        if spec.task not in by_task:
            repair = f"there are chains for: {', '.join(by_task)}; or count them anew"
            raise InputError.one(f"inference.classes[{i}].task", f"no chain is known for '{spec.task}'", repair)
        chain, cell = by_task[spec.task], cells[spec.device]
        row = cell.names.index(spec.device)
        both = (cell.d2d_gain[row] > 0) & (cell.d2d_gain[:, row] > 0)
        heard = cell.downlink_gain > 0
        if not heard[row]:
            message = f"nothing reaches device '{spec.device}' from {cell.edge.name}, so that no answer could"
            raise InputError.one(f"inference.classes[{i}].device", message, "give that link a gain above 0")
        peers = [name for name, near in zip(cell.names, both & heard, strict=True) if near and section.peers]
        chosen = (calibrated or {}).get(spec.task)
        exits = sorted_exits(chain, chosen.exits if chosen else ())
        reachable = (spec.device, *peers, cell.edge.name, CLOUD)
        classes.append(Asked(spec, chain, reachable, exits, chosen.open_answers if chosen else None))
    return InferenceProblem(problem, section, tuple(classes), _nodes(problem, section))


def sorted_exits(chain: Chain, exits: tuple[Exit, ...]) -> tuple[Exit, ...]:
    """Return exits in the order of the trunk.

    Raises:
        InputError: an exit stands behind no layer of the chain, behind the last segment, or twice behind one.
    """
    places = {part.name: i for i, part in enumerate(chain.trunk[:-1]) if part.layer is not None}
    for place in exits:
        if place.after not in places:
            message = f"no exit can stand behind '{place.after}'"
            raise InputError.one("exits", message, f"use one of: {', '.join(places)}")
    if len({place.after for place in exits}) < len(exits):
        raise InputError.one("exits", "two exits stand behind one segment", "keep one")
    if sum(place.share for place in exits) > 1 + 1e-9:
        raise InputError.one("exits", "more requests end early than there are", "give shares of all requests")
    return tuple(sorted(exits, key=lambda place: places[place.after]))
