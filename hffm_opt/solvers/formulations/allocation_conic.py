r"""The allocation as a cone program (cvxpy): the reference for the fast method, and a part for larger programs.

:func:`build` turns a phase into variables, constraints and two expressions, its energy and its time, which a caller may
join over phases and cells, with several times and linear rows between them. Everything is scaled by a plan near which
the solution is expected: ``t = t0 tau``, ``B = B0 beta``, ``f = f0 / phi``.

    spectral load   x >= (a / (t0 B0)) / s^2,   s <= sqrt(tau beta)                         second-order cones
    energy          E  = (a / gn) int_0^1 e^{u x} du = (a / gn) sum_i w_i e^{u_i x}          exponential cones
    power cap       1 / tau <= (t0 B0 / a) beta log(1 + sigma / beta)                        exponential cones
                    with sigma = p_max gn / B0

:func:`solve_reference` starts from equal bands, full power and highest frequencies, and scales again by what it finds:
with durations that span three orders of magnitude the first pass ends at a gap near 1e-5, the second near 1e-9.

The integral is ``(e^x - 1) / x``. Gauss-Legendre quadrature with 16 nodes is exact to 6e-14 up to ``x = 25``
(36 bit/s/Hz) and to 3e-12 at 30; the result is evaluated again with the exact formula.

Sources: docs/formulations.md;
Boyd and Vandenberghe, Convex Optimization, 3.2.6 (perspective); Dahl and Andersen (2022),
doi:10.1007/s10107-021-01631-4, for interior points on exponential cones.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from hffm_opt.solvers.engines.conic import ConicSolverError, solve_conic
from hffm_opt.solvers.formulations import allocation_link as link
from hffm_opt.solvers.formulations.allocation import Allocation, Decisions, describe
from hffm_opt.solvers.formulations.allocation_deadline import fastest_plan, require_deadline
from hffm_opt.solvers.formulations.allocation_phase import Multipliers, Objective, PhaseProblem

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _NODE_WEIGHTS = (_NODES + 1.0) / 2.0, _NODE_WEIGHTS / 2.0
_ACCEPTED_GAP, _AIMED_GAP = 1e-5, 1e-8
_PASSES = 4


@dataclass(frozen=True, eq=False)
class PhaseProgram:
    """A phase as a part of a cvxpy program.

    ``energy_j`` and ``time_s`` are expressions in J and s, convex and affine; ``constraints`` bind them to the
    decisions, each under its name. ``start`` is the plan by which the variables are scaled.
    """

    phase: PhaseProblem
    start: Decisions
    duration: cp.Variable
    bandwidth: cp.Variable
    pace: cp.Variable
    energy_j: cp.Expression
    time_s: cp.Expression
    named: dict[str, cp.Constraint]

    @property
    def constraints(self) -> list[cp.Constraint]:
        """All constraints."""
        return list(self.named.values())

    def read(self) -> Decisions:
        """Return the solved decisions in SI units, made to fit the pools and the power caps exactly."""
        phase, on, cpu = self.phase, self.phase.loaded, self.phase.computes
        duration, bandwidth = np.zeros(on.size), np.zeros(on.size)
        frequency = np.zeros(cpu.size)
        if on.any():
            duration[on] = np.maximum(self.duration.value, 1e-12) * self.start.duration_s[on]
            bandwidth[on] = np.maximum(self.bandwidth.value, 1e-12) * self.start.bandwidth_hz[on]
        if cpu.any():
            free = self.start.cpu_hz[cpu] / np.maximum(self.pace.value, 1e-12)
            frequency[cpu] = np.clip(free, phase.cpu_min_hz[cpu], phase.cpu_max_hz[cpu])
        return Decisions(duration, bandwidth, frequency).fitted(phase)

    def prices(self, scale: float) -> Multipliers:
        """Return the multipliers in SI units, where the program's objective was divided by ``scale``."""
        unit = float(self.start.time_s(self.phase))
        path = np.maximum(self.named["path"].dual_value, 0.0) * scale / unit
        band = np.maximum(self.named["pool"].dual_value, 0.0) * scale / self.phase.pool_bandwidth_hz
        return Multipliers(path, np.where(self.phase.pool_arc.any(axis=1), band, 0.0))


def start_plan(phase: PhaseProblem) -> Decisions:
    """Return the plan with equal bands, full power and highest frequencies."""
    sharing = np.maximum(phase.pool_arc.sum(axis=1), 1)
    bandwidth = np.where(phase.loaded, phase.of_pool(phase.pool_bandwidth_hz / sharing), 0.0)
    cpu = np.where(phase.computes, phase.cpu_max_hz, 0.0)
    return Decisions(np.zeros_like(bandwidth), bandwidth, cpu).fitted(phase)


def build(phase: PhaseProblem, start: Decisions | None = None, name: str = "phase") -> PhaseProgram:
    """Build a phase with work to do as variables, constraints and expressions for its energy and time.

    Arguments:
        phase: its data.
        start: a plan that fits the phase, by which the program is scaled; :func:`start_plan` if not given.
        name: prefix of the variables' names.

    Returns:
        The part; minimise any increasing convex function of the parts' ``energy_j`` and ``time_s`` over their
        ``constraints``.

    Source: the head of this file.
    """
    start = start_plan(phase) if start is None else start
    unit_s = float(start.time_s(phase))
    on, cpu = np.flatnonzero(phase.loaded), np.flatnonzero(phase.computes)
    duration = cp.Variable(max(on.size, 1), name=f"{name}.duration", pos=True)
    bandwidth = cp.Variable(max(on.size, 1), name=f"{name}.bandwidth", pos=True)
    pace = cp.Variable(max(cpu.size, 1), name=f"{name}.pace", pos=True)
    span = cp.Variable(name=f"{name}.time", nonneg=True)
    named: dict[str, cp.Constraint] = {}
    path_s: cp.Expression = cp.Constant(np.zeros(phase.cycles.size))
    used: cp.Expression = cp.Constant(np.zeros(phase.pool_bandwidth_hz.size))
    energy: cp.Expression = cp.Constant(0.0)
    if on.size:
        terms, rows = _links(phase, start, on, duration, bandwidth, name)
        energy, named = energy + terms, rows
        path_s = path_s + (phase.path_arc[:, on] * (start.duration_s[on] / unit_s)) @ duration
        share = start.bandwidth_hz[on] / phase.of_pool(phase.pool_bandwidth_hz)[on]
        used = used + (phase.pool_arc[:, on] * share) @ bandwidth
    else:
        named |= {"idle_duration": duration == 1.0, "idle_bandwidth": bandwidth == 1.0}
    if cpu.size:
        begun = start.cpu_hz[cpu]
        ready = phase.cycles[cpu] / begun
        begun_j = phase.capacitance[cpu] * begun**2 * phase.cycles[cpu]
        energy = energy + begun_j @ cp.square(cp.inv_pos(pace))
        path_s = path_s + (np.eye(phase.cycles.size)[:, cpu] * (ready / unit_s)) @ pace
        named["fastest"] = pace >= begun / phase.cpu_max_hz[cpu]
        bounded = np.flatnonzero(phase.cpu_min_hz[cpu] > 0)
        if bounded.size:
            named["slowest"] = pace[bounded] <= begun[bounded] / phase.cpu_min_hz[cpu][bounded]
    else:
        named["idle_pace"] = pace == 1.0
    named |= {"path": path_s <= span, "pool": used <= 1.0}
    return PhaseProgram(phase, start, duration, bandwidth, pace, energy, span * unit_s, named)


def _links(
    phase: PhaseProblem,
    start: Decisions,
    on: NDArray[np.intp],
    duration: cp.Variable,
    bandwidth: cp.Variable,
    name: str,
) -> tuple[cp.Expression, dict[str, cp.Constraint]]:
    """Return the transmissions' energy in J and the constraints behind it."""
    nats, gain = link.LN2 * phase.load_bit[on], phase.gain_to_noise_hz_per_w[on]
    begun, band = start.duration_s[on], start.bandwidth_hz[on]
    load = nats / (begun * band)
    root = cp.Variable(on.size, name=f"{name}.root", pos=True)
    x = cp.Variable(on.size, name=f"{name}.spectral_load", nonneg=True)
    cone = cp.SOC(duration + bandwidth, cp.vstack([2.0 * root, duration - bandwidth]), axis=0)
    spectral = x >= cp.multiply(load, cp.square(cp.inv_pos(root)))
    sigma = phase.power_max_w[on] * gain / band
    # beta log((beta + sigma) / beta) with the second argument brought near one.
    size = np.maximum(sigma, 1.0)
    flow = cp.multiply(np.log(size), bandwidth) - cp.rel_entr(bandwidth, cp.multiply(1.0 / size, bandwidth + sigma))
    cap = cp.inv_pos(duration) <= cp.multiply(1.0 / load, flow)
    begun_j = link.energy_j(phase.load_bit[on], begun, band, gain)
    base = np.log(nats / gain / begun_j)
    energy: cp.Expression = cp.Constant(0.0)
    for node, node_weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        energy = energy + (begun_j * node_weight) @ cp.exp(node * x + base)
    return energy, {"root": cone, "spectral_load": spectral, "cap": cap}


def solve_reference(phase: PhaseProblem, objective: Objective) -> Allocation:
    """Solve one phase by cvxpy and Clarabel, evaluate the result in physical units and prove its gap.

    Arguments:
        phase: its data.
        objective: weights and deadline, numbers.

    Raises:
        InfeasibleError: when the deadline cannot be met; names the arc or computation and a deadline that can.
        ConicSolverError: when the engine fails, or its result does not stand the check (gap above 1e-5).
    """
    began = time.perf_counter()
    weight, time_weight, deadline = (float(value) for value in objective.spread())
    if not (phase.loaded.any() or phase.computes.any()):
        idle, silent = np.zeros(phase.cycles.size), np.zeros(phase.load_bit.size)
        free = Multipliers(idle, np.zeros(phase.pool_bandwidth_hz.size))
        nothing = Decisions(silent, silent, idle)
        return describe(phase, objective, nothing, free, status="optimal", engine="none", seconds=0.0)
    quick: Decisions | None = None
    if np.isfinite(deadline):
        require_deadline(phase, deadline)
        fastest = fastest_plan(phase).decisions
        quick = Decisions(fastest.duration_s[0], fastest.bandwidth_hz[0], fastest.cpu_hz[0])
    start, best = start_plan(phase), None
    for _ in range(_PASSES):
        part = build(phase, start)
        scale = weight * float(start.energy_j(phase)) + time_weight * float(start.time_s(phase)) or 1.0
        goal: cp.Expression = (time_weight / scale) * part.time_s
        if weight > 0:
            goal = goal + (weight / scale) * part.energy_j
        constraints = list(part.constraints)
        if np.isfinite(deadline):
            constraints.append(part.time_s / deadline <= 1.0)
        run = solve_conic(cp.Problem(cp.Minimize(goal), constraints), keep_inaccurate=True)
        start = part.read()
        if quick is not None:
            start = start.mended(phase, quick, np.asarray(deadline))
        if run.status == cp.OPTIMAL_INACCURATE:
            continue
        seconds = time.perf_counter() - began
        prices = part.prices(scale)
        found = describe(phase, objective, start, prices, status=run.status, engine=run.engine, seconds=seconds)
        if found.time_s <= deadline * (1.0 + 1e-9) and (best is None or found.gap < best.gap):
            best = found
        if best is not None and best.gap <= _AIMED_GAP:
            break
    if best is None or best.gap > _ACCEPTED_GAP:
        reached = "no accurate solution" if best is None else f"a gap of {best.gap:.2g}"
        raise ConicSolverError.one("allocation", f"{reached} after {_PASSES} passes", "use solve_batch")
    return best
