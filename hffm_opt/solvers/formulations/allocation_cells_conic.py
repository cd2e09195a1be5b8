r"""Whole networks of stars as one cone program with parameters (cvxpy): the reference for :mod:`.allocation_cells`.

The cone program of :mod:`.allocation_conic` with all devices of ``C`` cells of ``n`` devices in one vector. What varies
between instances may be parameters, so that a program of one shape is compiled once (DPP) and solved for any data;
that suits single cells, as cvxpy keeps a parametrised objective as a dense table of variables times parameters. Every
device sends and computes. Variables are scaled by a plan, ``t = t0 tau``, ``B = B0 beta``, ``f = f0 / phi``, and each
cell's objective by its value there, so that every cell is solved to the same relative accuracy:

    minimise    sum_c [w_E sum_u (E_u + kappa_u f_u^2 C_u) + w_T T_c] / value0_c
    subject to  t0 tau + (C / f0) phi <= T0 theta_c,    theta_c <= D_c / T0_c,    sum_u (B0 / B_cell) beta_u <= 1
                x >= load / s^2,  s <= sqrt(tau beta),  load = a / (t0 B0)
                E = sum_i (a / gn) w_i e^{u_i load} e^{u_i (x - load)},    load / tau <= beta log(1 + sigma / beta)

Source: docs/formulations.md; :mod:`.allocation_conic` for the quadrature of the energy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from hffm_opt.solvers.engines.conic import solve_conic
from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation import Decisions
from hffm_opt.solvers.formulations.allocation_batch import solve_batch
from hffm_opt.solvers.formulations.allocation_cells_data import Cells
from hffm_opt.solvers.formulations.allocation_link import Array
from hffm_opt.solvers.formulations.allocation_phase import Objective, PhaseBatch

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _NODE_WEIGHTS = (_NODES + 1.0) / 2.0, _NODE_WEIGHTS / 2.0
_NEVER = 1e3


def star_batch(cells: Cells) -> PhaseBatch:
    """Return the cells, all of one size and sorted, as phases ``[C]`` with an arc and a path per device."""
    shape = (len(cells.bandwidth_hz), cells.cell.size // len(cells.bandwidth_hz))
    return PhaseBatch(
        load_bit=cells.load_bit.reshape(shape),
        gain_to_noise_hz_per_w=cells.gain_to_noise_hz_per_w.reshape(shape),
        power_max_w=cells.power_max_w.reshape(shape),
        pool=np.zeros(shape, dtype=np.intp),
        pool_bandwidth_hz=cells.bandwidth_hz[:, None],
        path_arc=np.broadcast_to(np.eye(shape[1], dtype=bool), (*shape, shape[1])),
        cycles=cells.cycles.reshape(shape),
        cpu_min_hz=cells.cpu_min_hz.reshape(shape),
        cpu_max_hz=cells.cpu_max_hz.reshape(shape),
        capacitance=cells.capacitance.reshape(shape),
    )


@dataclass(frozen=True, eq=False)
class ConicCells:
    """What the program found, made to fit bands and caps exactly: decisions, time, energy and objective per cell."""

    decisions: Decisions
    time_s: Array
    energy_j: Array
    objective: Array


class StarProgram:
    """The program for ``cells`` cells of ``devices`` devices each, compiled once if ``parametrised``.

    Arguments:
        cells, devices: the shape.
        parametrised: compile at the first solution only; otherwise at each.
        energetic: whether energy has a weight; without one it is left out, as nothing would bound it.
    """

    def __init__(self, cells: int, devices: int, *, parametrised: bool = False, energetic: bool = True) -> None:
        self._shape, self._parametrised, self._energetic = (cells, devices), parametrised, energetic
        self._program: cp.Problem | None = None
        self._parameters: dict[str, cp.Parameter] = {}
        count = cells * devices
        self._duration = cp.Variable(count, pos=True, name="duration")
        self._bandwidth = cp.Variable(count, pos=True, name="bandwidth")
        self._pace, self._span = cp.Variable(count, pos=True, name="pace"), cp.Variable(cells, nonneg=True, name="time")
        self.named: dict[str, cp.Constraint] = {}

    def solve(self, batch: PhaseBatch, objective: Objective, start: Decisions | None = None) -> ConicCells:
        """Solve for one instance, scaled by a plan that keeps bands and caps: the fastest if none is given.

        Raises:
            ConicSolverError: when the engine fails, as it may where a deadline cannot be met.
        """
        weight, time_weight, deadline = (np.array(value) for value in objective.spread(self._shape[0]))
        start = solve_batch(batch, 0.0, 1.0).decisions if start is None else start
        unit = start.time_s(batch)
        value = weight * start.energy_j(batch) + time_weight * unit
        data = _scaled(batch, start, unit, weight / value)
        data["late"], data["due"] = time_weight * unit / value, np.minimum(deadline / unit, _NEVER)
        solve_conic(self._filled(data), keep_inaccurate=True)
        found = Decisions(
            self._duration.value.reshape(self._shape) * start.duration_s,
            self._bandwidth.value.reshape(self._shape) * start.bandwidth_hz,
            np.clip(start.cpu_hz / self._pace.value.reshape(self._shape), batch.cpu_min_hz, batch.cpu_max_hz),
        ).fitted(batch)
        time, energy = found.time_s(batch), found.energy_j(batch)
        return ConicCells(found, time, energy, weight * energy + time_weight * time)

    def _filled(self, data: dict[str, Array]) -> cp.Problem:
        """Return the program with this data."""
        if not self._parametrised:
            return self._compiled({name: cp.Constant(value) for name, value in data.items()})
        if self._program is None:
            self._parameters = {name: cp.Parameter(len(value), nonneg=True) for name, value in data.items()}
            self._program = self._compiled(self._parameters)
        for name, value in data.items():
            self._parameters[name].value = value
        return self._program

    def _compiled(self, data: Mapping[str, cp.Expression]) -> cp.Problem:
        cells, devices = self._shape
        count = cells * devices
        tau, beta, phi = self._duration, self._bandwidth, self._pace
        member = sp.csr_array((np.ones(count), (np.repeat(np.arange(cells), devices), np.arange(count))))
        flow = cp.multiply(data["size"], beta) - cp.rel_entr(beta, cp.multiply(data["lift"], beta) + data["sigma"])
        cost = data["late"] @ self._span
        self.named = rows = {
            "cap": cp.multiply(data["load"], cp.inv_pos(tau)) <= flow,
            "path": cp.multiply(data["air"], tau) + cp.multiply(data["ready"], phi) <= member.T @ self._span,
            "pool": member @ cp.multiply(data["share"], beta) <= 1.0,
            "due": self._span <= data["due"],
            "fastest": phi >= data["fast"],
            "slowest": phi <= data["slow"],
        }
        if self._energetic:
            root, rise = cp.Variable(count, pos=True, name="root"), cp.Variable(count, name="rise")
            cost = cost + data["cost"] @ cp.square(cp.inv_pos(phi))
            for number, node in enumerate(_NODES):
                cost = cost + data[f"sent{number}"] @ cp.exp(node * rise)
            rows["root"] = cp.SOC(tau + beta, cp.vstack([2.0 * root, tau - beta]), axis=0)
            spectral = cp.multiply(data["load"], cp.square(cp.inv_pos(root)))
            rows["spectral_load"] = rise + data["load"] >= spectral
        return cp.Problem(cp.Minimize(cost), list(rows.values()))


def _scaled(batch: PhaseBatch, start: Decisions, unit: Array, scale: Array) -> dict[str, Array]:
    """Return the program's data per device, scaled by a plan."""
    nats, gain = link.LN2 * batch.load_bit, batch.gain_to_noise_hz_per_w
    begun, band, cpu = start.duration_s, start.bandwidth_hz, start.cpu_hz
    sigma = batch.power_max_w * gain / band
    # beta log((beta + sigma) / beta) with the second argument brought near one.
    size = np.maximum(sigma, 1.0)
    load = nats / (begun * band)
    values = {
        "ready": batch.cycles / cpu / unit[:, None],
        "air": begun / unit[:, None],
        "cost": scale[:, None] * batch.capacitance * cpu**2 * batch.cycles,
        "load": load,
        "sigma": sigma / size,
        "lift": 1.0 / size,
        "size": np.log(size),
        "share": band / batch.pool_bandwidth_hz,
        "fast": cpu / batch.cpu_max_hz,
        "slow": cpu / np.maximum(batch.cpu_min_hz, cpu / _NEVER),
    }
    for number, (node, weight) in enumerate(zip(_NODES, _NODE_WEIGHTS, strict=True)):
        values[f"sent{number}"] = weight * scale[:, None] * nats / gain * np.exp(node * load)
    return {name: value.ravel() for name, value in values.items()}
