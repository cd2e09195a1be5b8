"""Seconds until the best relay tree of a cell is proven, against the size of the cell and against the plain form.

Cells: n devices uniform in a disc of 400 m diameter around their edge server, so that all links are within 400 m;
log-distance path loss (30 dB at 1 m, exponent 3), reciprocal Rayleigh fading, Shannon rates (2 MHz and 0.2 W between
devices, 1 MHz and 1 W to the server), ready times up to 0.5 s. ``equal``: every device owns all modules. ``mixed``: a
module of all, and one for each of two tasks, of which a device has one or both. Trees gather at the server, any number
of devices may upload. Both weights are one over a simple lower bound, so that latency and energy count alike.

The plain form knows trees by potentials alone. With u_ig whether i's arc carries group g, y_ag whether arc a does, and
U the latency from which on sending straight is better,

    out(x, i) = 1,  u_ig >= [i owns g],  u_jg >= u_ig - (1 - x_ij),  y_ag >= u_ig - (1 - x_a),  y_ag >= 0
    R_j >= R_i + seconds_per_bit_a sum_g b_g y_ag - 2 U (1 - x_a),  R_i >= ready_i,  T >= R_server,  R <= U
    E = sum_a joules_per_bit_a sum_g b_g y_ag

and is given to the same engine with presolve. It runs until the gap that the other reached, or a multiple of its time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator

import numpy as np

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.problem.radio import path_gain, rate_bit_per_s
from hffm_opt.scenario.model import LogDistance
from hffm_opt.seeds import derive
from hffm_opt.solvers.engines.highs import HighsModel, HighsOptions
from hffm_opt.solvers.engines.highs_builder import ModelBuilder
from hffm_opt.solvers.formulations.relay_bound import simple_bounds
from hffm_opt.solvers.formulations.relay_index import group_modules
from hffm_opt.solvers.formulations.relay_quick import quick_tree
from hffm_opt.solvers.formulations.relay_tree import solve_tree
from hffm_opt.solvers.formulations.tree_cost import tree_cost
from hffm_opt.solvers.formulations.tree_problem import TreeProblem
from hffm_opt.steps import pieces

KINDS = ("equal", "mixed")
TASKS = ((16, 1e-3), (20, 1e-3), (40, 1e-2))
"""Devices, and the gap asked for."""
QUICK_TASKS = ((6, 1e-3), (8, 1e-3), (10, 1e-2))
LIMITS_S = {20: 2.0, 40: 10.0}
TIME_LIMIT_S = 60.0
FASTER = 100.0
"""How many times faster than the plain form the smallest cells should be; it is given 1.2 times as long."""
RADIUS_M, NOISE_W_PER_HZ = 200.0, 4e-21


def cell(seed: int, devices: int, kind: str) -> TreeProblem:
    """Return a random cell as described above."""
    rng = derive(seed, "relay cell", devices)
    radius, angle = RADIUS_M * np.sqrt(rng.random(devices)), rng.uniform(0.0, 2 * np.pi, devices)
    place = np.vstack([np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), np.zeros(2)])
    fading = np.triu(rng.exponential(1.0, (devices + 1, devices + 1)), 1)
    law = LogDistance(exponent=3.0, loss_at_1m_db=30.0)
    gain = path_gain(law, np.linalg.norm(place[:, None] - place, axis=2)) * (fading + fading.T)
    server = np.arange(devices + 1) == devices
    cellular = server[:, None] | server
    power_w = np.where(cellular, 1.0, 0.2)
    rate = rate_bit_per_s(np.where(cellular, 1e6, 2e6), power_w, gain, NOISE_W_PER_HZ)
    there = rate > 0
    rate = np.where(there, rate, 1.0)
    payload, ready = rng.uniform(4e6, 4e7, 3), rng.uniform(0.0, 0.5, devices)
    tasks = rng.integers(0, 3, devices)
    owners = np.stack([tasks < 3, tasks != 1, tasks != 0], axis=1)
    return TreeProblem(
        seconds_per_bit=np.where(there, 1.0 / rate, np.inf),
        joules_per_bit=np.where(there, power_w / rate, 0.0),
        payload_bit=payload,
        owners=owners if kind == "mixed" else np.ones_like(owners),
        roots=(devices,),
        ready_s=ready,
    )


def run(setting: Setting, tell: Progress) -> Findings:
    """Solve every cell once per seed; the smallest ones by the plain form, too."""
    tasks = QUICK_TASKS if setting.quick else TASKS
    rows: list[Row] = []
    begin = pieces(tell, len(setting.seeds) * len(KINDS) * len(tasks))
    for seed in setting.seeds:
        for kind in KINDS:
            for devices, gap in tasks:
                patience = 0.0 if devices > tasks[0][0] else 10.0 if setting.quick else 1.2 * FASTER
                begin(f"{devices} devices, {kind}, seed {seed}")
                rows += _solved(seed, devices, kind, gap, patience)
    return Findings(
        rows=tuple(rows),
        stopping_rule=(
            f"relay: a relative gap of 0.1 % (1 % for the largest cells) or {TIME_LIMIT_S:g} s; plain: the gap that "
            f"relay reached, or {1.2 * FASTER:g} times the seconds that relay took; quick: none"
        ),
        targets=tuple(_targets(rows, tasks)),
        remarks=(
            "seconds are wall-clock, cpu_s the processor's; all methods run on one thread, so that cpu_s is what the "
            "wall clock shows where nothing else runs",
            "where the plain form did not finish, its ratio is a lower bound",
        ),
        table=tuple(_by_size(rows)),
    )


def _solved(seed: int, devices: int, kind: str, gap: float, patience: float) -> Iterator[Row]:
    problem = cell(seed, devices, kind)
    weights = [1.0 / float(bound) for bound in simple_bounds(problem)[0]]
    base: Row = {"devices": devices, "kind": kind, "seed": seed}
    began = time.perf_counter(), time.process_time()
    quick = quick_tree(problem, *weights)
    yield base | _row("quick", began, quick.objective, quick.bound, quick.gap, quick.stop_reason)
    began = time.perf_counter(), time.process_time()
    exact = solve_tree(problem, *weights, gap=gap, time_limit_s=TIME_LIMIT_S)
    mine = base | _row("relay", began, exact.objective, exact.bound, exact.gap, exact.stop_reason)
    mine["reached"] = bool(exact.gap <= gap * (1 + 1e-9))
    yield mine
    if patience:
        model = plain_form(problem, *weights)
        began = time.perf_counter(), time.process_time()
        limits = HighsOptions(
            time_limit_s=patience * mine["seconds"],
            relative_gap=max(exact.gap, 1e-6),
            tolerance=1e-7,
            presolve=True,
        )
        outcome = model.solve(limits)
        theirs = base | _row("plain", began, outcome.objective, outcome.bound, outcome.gap, outcome.stop_reason)
        theirs["reached"] = bool(outcome.gap <= limits.relative_gap * (1 + 1e-9))
        theirs["ratio"] = theirs["cpu_s"] / mine["cpu_s"]
        yield theirs


def _row(method: str, began: tuple[float, float], objective: float, bound: float, gap: float, reason: str) -> Row:
    return {
        "method": method,
        "seconds": time.perf_counter() - began[0],
        "cpu_s": time.process_time() - began[1],
        "objective": objective,
        "bound": bound,
        "gap": gap,
        "reason": str(reason),
    }


def plain_form(problem: TreeProblem, weight_time: float, weight_energy: float) -> HighsModel:
    """Return the plain potential form of gathering at the edge server, every device being in the tree."""
    n, groups = problem.n, group_modules(problem)
    links = np.isfinite(problem.seconds_per_bit[:n]) & ~np.eye(n, n + 1, dtype=bool)
    child, parent = np.nonzero(links)
    arcs, count = np.arange(child.size), groups.payload_bit.size
    star = tree_cost(problem, None, (n,) * n, ())
    latest = star.time_s + weight_energy * star.energy_j / weight_time
    seconds, joules = (rate[child, parent] for rate in (problem.seconds_per_bit, problem.joules_per_bit))
    builder = ModelBuilder()
    x = builder.add_columns(arcs.size, upper=1.0, integer=True)
    carried = builder.add_columns(n * count, lower=groups.owners.ravel().astype(float), upper=1.0).reshape(n, count)
    load = builder.add_columns(
        arcs.size * count,
        upper=1.0,
        cost=(weight_energy * joules[:, None] * groups.payload_bit).ravel(),
    ).reshape(arcs.size, count)
    # In shares of the latest that is of interest.
    at = builder.add_columns(n + 1, lower=np.append(problem.ready_s, 0.0) / latest, upper=1.0)
    builder.add_rows(child, x, 1.0, lower=1.0, upper=1.0, count=n)
    inner = np.flatnonzero(parent < n)
    for g in range(count):
        rows = np.tile(np.arange(inner.size), 3)
        columns = np.concatenate([carried[parent[inner], g], carried[child[inner], g], x[inner]])
        builder.add_rows(rows, columns, np.repeat([1.0, -1.0, -1.0], inner.size), lower=-1.0)
        columns = np.concatenate([load[:, g], carried[child, g], x])
        builder.add_rows(np.tile(arcs, 3), columns, np.repeat([1.0, -1.0, -1.0], arcs.size), lower=-1.0)
    columns = np.concatenate([at[parent], at[child], x, load.ravel()])
    took = -seconds[:, None] / latest * groups.payload_bit
    values = np.concatenate([np.repeat([1.0, -1.0, -2.0], arcs.size), took.ravel()])
    builder.add_rows(np.concatenate([np.tile(arcs, 3), np.repeat(arcs, count)]), columns, values, lower=-2.0)
    model = builder.build()
    model.set_cost(at[n:], weight_time * latest)
    return model


def _median(rows: list[Row], name: str) -> float:
    return statistics.median(float(row[name]) for row in rows) if rows else math.nan


def _targets(rows: list[Row], tasks: tuple[tuple[int, float], ...]) -> Iterator[Target]:
    def of(method: str, devices: int, kind: str) -> list[Row]:
        return [r for r in rows if (r["method"], r["devices"], r["kind"]) == (method, devices, kind)]

    smallest = tasks[0][0]
    for kind in KINDS:
        for devices, gap in tasks[1:]:
            found = of("relay", devices, kind)
            limit = LIMITS_S.get(devices, LIMITS_S[20])
            seconds, reached = _median(found, "cpu_s"), sum(r["reached"] for r in found)
            yield Target(
                f"{devices} devices, {kind} owners: median CPU seconds to a gap of {100 * gap:g} % "
                f"({reached} of {len(found)} reached it)",
                f"at most {limit:g} s",
                seconds,
                bool(seconds <= limit and 2 * reached > len(found)),
            )
        ratio = _median(of("plain", smallest, kind), "ratio")
        yield Target(
            f"{smallest} devices, {kind} owners: median CPU time of the plain form over that of relay, at least",
            f"at least {FASTER:g}",
            ratio,
            ratio >= FASTER,
        )
    broken = sum(_disagree(rows, row) for row in rows)
    yield Target("bounds above a tree that another method found", "none", float(broken), not broken)


def _disagree(rows: list[Row], row: Row) -> bool:
    same = [r for r in rows if all(r[key] == row[key] for key in ("devices", "kind", "seed"))]
    return any(row["bound"] > other["objective"] * (1 + 1e-6) for other in same)


def _by_size(rows: list[Row]) -> Iterator[Row]:
    for method, devices, kind in dict.fromkeys((r["method"], r["devices"], r["kind"]) for r in rows):
        found = [r for r in rows if (r["method"], r["devices"], r["kind"]) == (method, devices, kind)]
        yield {
            "method": method,
            "devices": devices,
            "owners": kind,
            "cells": len(found),
            "median s": round(_median(found, "seconds"), 3),
            "median CPU s": round(_median(found, "cpu_s"), 3),
            "most CPU s": round(max(r["cpu_s"] for r in found), 3),
            "median gap %": round(100 * min(_median(found, "gap"), 1e6), 3),
            "reached": sum(r.get("reached", False) for r in found),
            "median ratio": round(_median([r for r in found if "ratio" in r], "ratio"), 1)
            if "ratio" in found[0]
            else None,
        }
