"""From a scenario to its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.problem.radio import Floats, noise_w_per_hz, path_gain
from hffm_opt.scenario.association import nearest_edges
from hffm_opt.scenario.model import Device, Module, Scenario
from hffm_opt.scenario.ownership import keeps, owns
from hffm_opt.seeds import derive

DEVICES_AT_A_TIME = 1024


class _Fading:
    """Fading power per directed link: as listed, else that of the reverse direction, else by the fading law."""

    def __init__(self, scenario: Scenario) -> None:
        self._given = {(link.source, link.target): link.fading for link in scenario.links}
        self._rayleigh = scenario.physics.fading == "rayleigh"
        self._seed = scenario.seed
        radio = scenario.radio
        self._factors = {} if radio is None else {(g.source, g.target): g.factor for g in radio.gains}
        self._draw = None if radio is None else radio.draw

    def both_ways(self, one: str, other: str) -> tuple[float, float]:
        """Return the fading from one node to another, and back."""
        there, back = self._stated(one, other)
        if self._draw is not None:
            drawn = float(derive(self._draw, *sorted((one, other))).exponential())
            there, back = there * drawn, back * drawn
        if not self._factors:
            return there, back
        return there * self._factors.get((one, other), 1.0), back * self._factors.get((other, one), 1.0)

    def _stated(self, one: str, other: str) -> tuple[float, float]:
        there, back = self._given.get((one, other)), self._given.get((other, one))
        either = there if there is not None else back if back is not None else self._drawn(one, other)
        return either if there is None else there, either if back is None else back

    def _drawn(self, one: str, other: str) -> float:
        if not self._rayleigh:
            return 1.0
        # Seeding by the unordered pair makes the channel reciprocal.
        return float(derive(self._seed, "fading", *sorted((one, other))).exponential())


def associate(scenario: Scenario) -> dict[str, str]:
    """Return the serving edge of every device: the one it names, else the nearest."""
    edges = np.array([(edge.x_m, edge.y_m) for edge in scenario.edges])
    free = [device for device in scenario.devices if device.edge is None]
    nearest: dict[str, str] = {}
    # Some at a time: the distances of all devices to all edges would take memory in the square of the network's size.
    for start in range(0, len(free), DEVICES_AT_A_TIME):
        some = free[start : start + DEVICES_AT_A_TIME]
        places = np.array([(device.x_m, device.y_m) for device in some])
        chosen = nearest_edges(np.hypot(*(places[:, None, :] - edges[None, :, :]).transpose(2, 0, 1)))
        nearest |= {device.name: scenario.edges[k].name for device, k in zip(some, chosen, strict=True)}
    return {device.name: device.edge or nearest[device.name] for device in scenario.devices}


def flop_per_sample(modules: Iterable[Module], task: str) -> float:
    """Return the FLOPs of one training sample of a task: forward and backward through every module it needs."""
    return sum(m.forward_flop + m.backward_flop for m in modules if task in m.tasks)


def _cycles(scenario: Scenario, device: Device) -> float:
    kept = [module for module in scenario.modules if keeps(device, module)]
    flop = sum(count * flop_per_sample(kept, task) for task, count in device.samples.items() if count)
    return scenario.learning.local_passes * flop / device.flop_per_cycle


def _cell(scenario: Scenario, index: int, rows: list[int], fading: _Fading) -> Cell:
    physics, edge = scenario.physics, scenario.edges[index]
    devices = [scenario.devices[i] for i in rows]
    places = np.array([(d.x_m, d.y_m) for d in devices]).reshape(-1, 2)
    between = np.hypot(*(places[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    able = np.array([device.d2d for device in devices])
    linked = able[:, None] & able[None, :] & ~np.eye(len(devices), dtype=bool)
    if physics.d2d_range_m is not None:
        linked &= between <= physics.d2d_range_m
    d2d = np.where(linked, path_gain(physics.d2d_path_loss, between), 0.0)
    for i, j in zip(*np.nonzero(np.triu(linked)), strict=True):
        there, back = fading.both_ways(devices[i].name, devices[j].name)
        d2d[i, j] *= there
        d2d[j, i] *= back
    gain = path_gain(physics.path_loss, np.hypot(*(places - (edge.x_m, edge.y_m)).T))
    cellular = np.array([fading.both_ways(device.name, edge.name) for device in devices])
    return Cell(
        index=index,
        edge=edge,
        names=tuple(d.name for d in devices),
        members=np.array(rows, dtype=np.int64),
        uplink_gain=gain * cellular[:, 0],
        downlink_gain=gain * cellular[:, 1],
        d2d_gain=d2d,
    )


def edge_gains(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the channel gains of every device to every edge and back, [devices, edges], whomever it serves.

    Linear power gains with fading, as :class:`~hffm_opt.problem.model.Cell` has them for the serving edge.
    """
    fading = _Fading(scenario)
    edges = np.array([(edge.x_m, edge.y_m) for edge in scenario.edges])
    up, down = np.empty((len(scenario.devices), len(edges))), np.empty((len(scenario.devices), len(edges)))
    for row, device in enumerate(scenario.devices):
        gain = path_gain(scenario.physics.path_loss, np.hypot(*(edges - (device.x_m, device.y_m)).T))
        both = np.array([fading.both_ways(device.name, edge.name) for edge in scenario.edges])
        up[row], down[row] = (gain[:, None] * both).T
    return up, down


def best_d2d_gains(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the best D2D channel gain out of and into every device, [U] each, whichever edges serve the two ends.

    Linear power gains with fading; 0 where no device is in reach.
    """
    fading, devices = _Fading(scenario), scenario.devices
    places = np.array([(d.x_m, d.y_m) for d in devices])
    able = np.array([d.d2d for d in devices])
    out, into = np.zeros(len(devices)), np.zeros(len(devices))
    for i in np.flatnonzero(able):
        distance = np.hypot(*(places[i + 1 :] - places[i]).T)
        near = able[i + 1 :]
        if scenario.physics.d2d_range_m is not None:
            near = near & (distance <= scenario.physics.d2d_range_m)
        rows = np.flatnonzero(near)
        both = [fading.both_ways(devices[i].name, devices[i + 1 + j].name) for j in rows]
        gain = path_gain(scenario.physics.d2d_path_loss, distance[rows])
        there, back = (gain * np.array([pair[k] for pair in both]) for k in (0, 1))
        others = i + 1 + rows
        out[i], into[i] = max(out[i], there.max(initial=0.0)), max(into[i], back.max(initial=0.0))
        out[others], into[others] = np.maximum(out[others], back), np.maximum(into[others], there)
    return out, into


def build_problem(scenario: Scenario, serving: Mapping[str, str] | None = None) -> Problem:
    """Compile a checked scenario to arrays.

    Args:
        scenario: as :func:`hffm_opt.load_scenario` returns it.
        serving: the edge of every device by name, in place of what the scenario says.

    Returns:
        The problem. Edges without devices have no cell.

    Raises:
        InputError: a device's channel gain is zero or not finite (it is out of reach of its edge).

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> build_problem(load_scenario("tiny")).owners.shape
        (6, 3)
    """
    served, fading = serving or associate(scenario), _Fading(scenario)
    rows: dict[str, list[int]] = {edge.name: [] for edge in scenario.edges}
    for row, device in enumerate(scenario.devices):
        rows[served[device.name]].append(row)
    cells = [_cell(scenario, i, rows[e.name], fading) for i, e in enumerate(scenario.edges) if rows[e.name]]
    trainable = [m for m in scenario.modules if m.trainable]
    charged = scenario.physics.profile == "si"

    def per_device(values: list[float]) -> Floats:
        return np.array(values, dtype=float)

    importance = {task.name: task.importance for task in scenario.tasks}
    # Phi weighs squared divergences by the mean importance of the tasks that a module serves.
    weight = np.sqrt([np.mean([importance[task] for task in m.tasks] or [1.0]) for m in trainable])
    problem = Problem(
        scenario=scenario,
        modules=tuple(m.name for m in trainable),
        payload_bit=np.array([m.payload_bit for m in trainable], dtype=float),
        presum_depth=np.array([np.inf if m.presum_depth is None else m.presum_depth for m in trainable], dtype=float),
        divergence_within=np.array([m.divergence_within for m in trainable]) * weight,
        divergence_between=np.array([m.divergence_between for m in trainable]) * weight,
        owners=np.array([[owns(device, m) for m in trainable] for device in scenario.devices]),
        cycles=per_device([_cycles(scenario, d) if charged else 0.0 for d in scenario.devices]),
        cpu_min_hz=per_device([d.cpu_min_hz for d in scenario.devices]),
        cpu_max_hz=per_device([d.cpu_max_hz for d in scenario.devices]),
        capacitance_j_s2=per_device([d.capacitance_j_s2 for d in scenario.devices]),
        uplink_power_w=per_device([d.uplink_power_w for d in scenario.devices]),
        d2d_power_w=per_device([d.d2d_power_w for d in scenario.devices]),
        noise_w_per_hz=noise_w_per_hz(scenario.physics),
        cells=tuple(cells),
    )
    for cell in cells:
        for name, gain in zip(cell.names, cell.uplink_gain, strict=True):
            if not (np.isfinite(gain) and gain > 0):
                raise InputError.one(
                    f"devices.{name}",
                    f"its channel gain to {cell.edge.name} is {gain}",
                    "move it or change its edge",
                )
    return problem
