"""Allocation of whole networks: one price per cell against cvxpy with Clarabel, and a million devices.

Cells are stars of 20 devices. Loads, gains, power caps, CPU cycles and ranges are random; every cell has to end by 1.1
to 3 times its least time, or weighs energy against time. The reference is the cone program of
:mod:`hffm_opt.solvers.formulations.allocation_cells_conic`, once for the network as one program and once cell by cell
with a program that is compiled a single time; the faster counts, and building counts with solving. It is scaled by the
plan of least time, found before the clock starts, and by that of :mod:`hffm_opt.solvers.formulations.allocation_batch`
where Clarabel fails with that; the one program is tried on the first seed only, being the slower. Cells in which the
reference is then more than a tenth of the tolerance away are given to it once more with the other scaling, untimed.
Memory is what Python and numpy allocate during a further, untimed solution, the plan it returns included.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.errors import HffmError
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.allocation import Decisions
from hffm_opt.solvers.formulations.allocation_batch import solve_batch
from hffm_opt.solvers.formulations.allocation_cells import CellPlan, Cells, solve_cells
from hffm_opt.solvers.formulations.allocation_cells_conic import StarProgram, star_batch
from hffm_opt.solvers.formulations.allocation_link import Array
from hffm_opt.solvers.formulations.allocation_phase import Objective, PhaseBatch
from hffm_opt.steps import pieces
from hffm_opt.units import BITS_PER_BYTE

CELLS, DEVICES, QUICK_CELLS, QUICK_DEVICES = 200, 20, 3, 4
MILLION, QUICK_MILLION = 50_000, 100
FORMS = ("deadline", "weighted", "latency")
AGREEMENT, FASTER, SECONDS, BYTES = 1e-7, 50.0, 2.0, 1e9
CLOSE, REPEATS, WHOLE = 1e-6, 3, 1


def network(cells: int, devices: int, seed: int) -> Cells:
    """Return the random network of a size: payloads of about 1 Mbit, bands of 5 to 20 MHz, gains over three decades."""
    rng, count = derive(seed, "allocation benchmark", cells, devices), cells * devices
    cpu_max = rng.uniform(1e9, 2e9, count)
    return Cells(
        load_bit=rng.uniform(0.5e6, 2e6, count),
        gain_to_noise_hz_per_w=10 ** rng.uniform(7, 10, count),
        power_max_w=rng.uniform(0.1, 0.2, count),
        cycles=rng.uniform(1e8, 1e9, count),
        cpu_min_hz=0.1 * cpu_max,
        cpu_max_hz=cpu_max,
        capacitance=np.full(count, 1e-28),
        cell=np.repeat(np.arange(cells), devices),
        bandwidth_hz=rng.uniform(5e6, 20e6, cells),
    )


def demand(cells: Cells, form: str, seed: int) -> tuple[float, Array | float, Array | float]:
    """Return weight on energy, weight on time and deadlines of a form."""
    rng, count = derive(seed, "demand", form), len(cells.bandwidth_hz)
    if form == "latency":
        return 0.0, 1.0, np.inf
    if form == "weighted":
        return 1.0, 10 ** rng.uniform(-2, 0, count), np.inf
    return 1.0, 0.0, solve_cells(cells, 0.0, 1.0).time_s * rng.uniform(1.1, 3.0, count)


def run(setting: Setting, tell: Progress) -> Findings:
    """Compare every form on every seed, then solve a million devices in every form."""
    cells, devices = (QUICK_CELLS, QUICK_DEVICES) if setting.quick else (CELLS, DEVICES)
    many = QUICK_MILLION if setting.quick else MILLION
    rows: list[Row] = []
    compared = FORMS[: 1 if setting.quick else None]
    begin = pieces(tell, len(setting.seeds) * (len(compared) + len(FORMS)))
    for place, seed in enumerate(setting.seeds):
        for form in compared:
            begin(f"{cells * devices} devices, {form}, seed {seed}")
            rows.append(_compared(cells, devices, form, seed, whole=place < WHOLE))
        for form in FORMS:
            begin(f"{many * DEVICES} devices, {form}, seed {seed}")
            rows.append(_alone(many, DEVICES, form, seed))
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"a duality gap of at most {CLOSE:g} counts as solved; Clarabel: the first it reaches of the "
        "tolerances 1e-11, 1e-9 and 1e-8",
        targets=tuple(_targets(rows)),
        remarks=tuple(_remarks(rows)),
        table=tuple(_table(rows)),
    )


def _least_seconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    best, made = np.inf, None
    for _ in range(repeats):
        began = time.perf_counter()
        made = work()
        best = min(best, time.perf_counter() - began)
    return best, made


def _proof(plan: CellPlan) -> Row:
    return {
        "solved": int(plan.converged.sum()),
        "median_gap": float(np.median(plan.gap)),
        "largest_gap": float(plan.gap.max()),
        "largest_residual": float(plan.kkt_residual.max()),
        "broken_bounds": int((plan.lower_bound > plan.objective).sum()),
    }


def _referred(program: StarProgram, batch: PhaseBatch, objective: Objective, starts: Sequence[Decisions]) -> Array:
    """Return the reference's objective, scaled by the first of some plans with which the engine succeeds."""
    for start in starts[:-1]:
        try:
            return program.solve(batch, objective, start).objective
        except HffmError:
            continue
    return program.solve(batch, objective, starts[-1]).objective


def _compared(cells: int, devices: int, form: str, seed: int, whole: bool) -> Row:
    data = network(cells, devices, seed)
    weight, time_weight, deadline = demand(data, form, seed)
    seconds, plan = _least_seconds(lambda: solve_cells(data, weight, time_weight, deadline), REPEATS)
    batch = star_batch(data)
    starts = [solve_batch(batch, 0.0, 1.0).decisions, solve_batch(batch, weight, time_weight, deadline).decisions]
    spread = Objective(weight, time_weight, deadline).spread(cells)

    energetic = weight > 0

    def one_program() -> Array:
        program = StarProgram(cells, devices, energetic=energetic)
        return _referred(program, batch, Objective(*spread), starts)

    compiled: list[StarProgram] = []

    def alone(number: int, scalings: Sequence[Decisions]) -> float:
        i = np.array([number])
        begun = [Decisions(start.duration_s[i], start.bandwidth_hz[i], start.cpu_hz[i]) for start in scalings]
        return float(_referred(compiled[0], batch.take(i), Objective(*(each[i] for each in spread)), begun)[0])

    def cell_by_cell() -> Array:
        compiled[:] = [StarProgram(1, devices, parametrised=True, energetic=energetic)]
        return np.array([alone(number, starts) for number in range(cells)])

    row: Row = {"kind": "compared", "cells": cells, "devices": cells * devices, "form": form, "seed": seed}
    row |= {"seconds": seconds, **_proof(plan)}
    best, times = np.full(cells, np.inf), []
    tried = {"cell_by_cell": cell_by_cell} | ({"one_program": one_program} if whole else {})
    for name, work in tried.items():
        try:
            taken, objective = _least_seconds(work, 1)
        except HffmError as error:
            row |= {f"{name}_s": None, f"{name}_why": error.findings[0].message}
            continue
        row[f"{name}_s"] = taken
        times.append(taken)
        # Each is the value of a feasible plan.
        best = np.minimum(best, objective)
    row["ratio"] = min(times) / seconds if times else None
    far = np.flatnonzero(np.isfinite(best) & (np.abs(best / plan.objective - 1.0) > AGREEMENT / 10))
    row["rescaled"] = int(far.size)
    for number in far:
        best[number] = min(best[number], alone(int(number), starts[::-1]))
    row["difference"] = float(np.abs(best / plan.objective - 1.0).max()) if times else None
    return row


def _alone(cells: int, devices: int, form: str, seed: int) -> Row:
    data = network(cells, devices, seed)
    wanted = demand(data, form, seed)
    began = time.process_time()
    seconds, plan = _least_seconds(lambda: solve_cells(data, *wanted), REPEATS)
    spent = (time.process_time() - began) / REPEATS
    tracemalloc.start()
    try:
        solve_cells(data, *wanted)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    row: Row = {"kind": "alone", "cells": cells, "devices": cells * devices, "form": form, "seed": seed}
    return row | {"seconds": seconds, "processor_s": spent, "peak_bit": peak * BITS_PER_BYTE, **_proof(plan)}


def _of(rows: Sequence[Row], kind: str, form: str | None = None) -> list[Row]:
    return [row for row in rows if row["kind"] == kind and form in (None, row["form"])]


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    compared = _of(rows, "compared")
    far = max((row["difference"] for row in compared if row["difference"] is not None), default=np.inf)
    yield Target("largest relative difference to Clarabel", f"{AGREEMENT:g}", far, far <= AGREEMENT)
    broken = sum(row["broken_bounds"] for row in rows)
    yield Target("cells whose bound exceeds the objective", "0", broken, broken == 0)
    unsolved = sum(row["cells"] - row["solved"] for row in rows)
    yield Target(f"cells with a gap above {CLOSE:g}", "0", unsolved, unsolved == 0)
    for form in FORMS:
        ratios = [row["ratio"] for row in _of(rows, "compared", form) if row["ratio"] is not None]
        if ratios:
            ratio = statistics.median(ratios)
            what = f"{form}, {compared[0]['devices']} devices: times faster than Clarabel, median"
            yield Target(what, f"{FASTER:g}", ratio, ratio >= FASTER)
    for form in FORMS:
        alone = _of(rows, "alone", form)
        size = alone[0]["devices"]
        seconds = statistics.median(row["seconds"] for row in alone)
        yield Target(f"{form}, {size} devices: seconds, median", f"{SECONDS:g}", seconds, seconds <= SECONDS)
        peak = max(row["peak_bit"] for row in alone) / BITS_PER_BYTE
        yield Target(f"{form}, {size} devices: bytes at the peak", f"{BYTES:g}", peak, peak <= BYTES)


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    for name in ("one_program", "cell_by_cell"):
        failed = sum(f"{name}_why" in row for row in rows)
        if failed:
            tried = sum(f"{name}_s" in row for row in rows)
            yield f"Clarabel failed on {failed} of {tried} instances, {name.replace('_', ' ')}"
    rescaled = sum(row.get("rescaled", 0) for row in rows)
    if rescaled:
        yield f"Clarabel was first more than {AGREEMENT / 10:g} away in {rescaled} cells, and rescaled there"


def _table(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield a line per form and size: medians over the seeds, the largest difference and gap."""
    for kind in ("compared", "alone"):
        for form in FORMS:
            found = _of(rows, kind, form)
            if not found:
                continue
            line: Row = {"form": form, "devices": found[0]["devices"]}
            for key, name in (
                ("seconds", "s"),
                ("processor_s", "processor s"),
                ("one_program_s", "one program s"),
                ("cell_by_cell_s", "by cell s"),
            ):
                values = [row[key] for row in found if row.get(key) is not None]
                line[name] = statistics.median(values) if values else None
            ratios = [row["ratio"] for row in found if row.get("ratio") is not None]
            line["ratio"] = statistics.median(ratios) if ratios else None
            line["difference"] = max((r["difference"] for r in found if r.get("difference") is not None), default=None)
            line["largest gap"] = max(row["largest_gap"] for row in found)
            peaks = [row["peak_bit"] for row in found if "peak_bit" in row]
            line["peak MB"] = round(max(peaks) / BITS_PER_BYTE / 1e6, 1) if peaks else None
            yield line
