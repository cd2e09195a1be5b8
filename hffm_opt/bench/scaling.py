"""Time and peak memory against the size of the network: building the problem, a heuristic plan, the referee, the proof.

Networks are random, of 20 devices a cell with Rayleigh fading. Every size runs in a process of its own, whose peak of
resident memory is read after each stage (above what the interpreter with libraries and scenario holds). The optimal
planner runs twice in processes of its own, ended when their patience is over: ``held``, the circulation of a baseline
given, until its certificate stands, whatever gap that leaves; and ``optimal``, everything free, until the gap asked
for. The exponent p of ``seconds = c cells^p`` is fitted by least squares in logarithms.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.errors import HffmError
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.scenario.model import Scenario
from hffm_opt.steps import Step
from hffm_opt.units import BITS_PER_BYTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELLS, DEVICES = (10, 30, 100, 300, 1000), 20
QUICK_CELLS, QUICK_DEVICES = (2, 4), 2
HEURISTIC, CIRCULATION = "h-fedfm-8", "h-fedfm-8+d2d"
GAP, TIME_LIMIT_S, PATIENCE_S = 1e-2, 120.0, 300.0
FAST, EXACT = ("build", "heuristic", "referee"), ("held", "optimal")
STAGES = FAST + EXACT
LEAST_DRAWN = {"seconds": 1e-4, "peak_bit": 0.1}
"""What a logarithmic axis shows for nothing: 0.1 ms, 0.1 MB."""
NEAR_LINEAR = 1.2
"""The largest exponent that passes for near linear."""


def network(cells: int, devices: int, seed: int) -> Scenario:
    """Return the random network of a size, with free allocation and every link fading."""
    drawn = random_scenario(seed, cells=cells, devices=devices, modules=2, periods=(1, 2, 4, 8), allocation="optimised")
    physics = drawn.physics.model_copy(update={"fading": "rayleigh", "d2d_range_m": None})
    planning = drawn.planning.model_copy(update={"drift_max": 126.0, "drift_weight": 0.0, "energy_weight": 0.1})
    return drawn.model_copy(update={"physics": physics, "planning": planning})


def run(setting: Setting, tell: Progress) -> Findings:
    """Measure every size once per seed; where the planner does not reach its gap, larger networks are not tried."""
    sizes, devices = (QUICK_CELLS, QUICK_DEVICES) if setting.quick else (CELLS, DEVICES)
    rows: list[Row] = []
    each = ("the fast stages", *sorted(EXACT))
    total = len(setting.seeds) * len(sizes) * len(each)
    for number, seed in enumerate(setting.seeds):
        tried = set(EXACT)
        for size, cells in enumerate(sizes):

            def begin(
                stage: str, seed: int = seed, cells: int = cells, place: int = number * len(sizes) + size
            ) -> None:
                done = place * len(each) + each.index(stage)
                tell(Step(f"{cells} cells, seed {seed}: {stage}", done=done, total=total))

            begin(each[0])
            rows += _apart(_fast, "build", cells, devices, seed)
            for stage in sorted(tried):
                begin(stage)
                found = _apart(_exact, stage, cells, devices, seed)
                rows += found
                if not found[0]["done"]:
                    tried.discard(stage)
    return Findings(
        rows=tuple(rows),
        stopping_rule=(
            f"planning stops at a gap of {GAP:g}, is asked to stop after {TIME_LIMIT_S:g} s and ended after "
            f"{PATIENCE_S:g} s; what did not finish is not tried on larger networks"
        ),
        targets=tuple(_targets(rows)),
        remarks=tuple(dict.fromkeys(f"{r['cells']} cells, {r['stage']}: {r['why']}" for r in rows if r.get("why"))),
        table=tuple(_by_size(rows)),
    )


Work = Callable[[Connection, str, int, int, int], None]


def _apart(work: Work, stage: str, cells: int, devices: int, seed: int) -> list[Row]:
    """Run work in a fresh process and return its rows; one row without seconds where its patience is over."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(theirs, stage, cells, devices, seed), daemon=True)
    process.start()
    theirs.close()
    base: Row = {"cells": cells, "devices": cells * devices, "seed": seed}
    try:
        found = ours.recv() if ours.poll(PATIENCE_S) else [_undone(stage, f"ended after {PATIENCE_S:g} s")]
    except EOFError:
        found = [_undone(stage, "the process died, most likely for want of memory")]
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
    return [base | row for row in found]


def _peak_bit() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit * BITS_PER_BYTE)


def _undone(stage: str, why: str) -> Row:
    return {"stage": stage, "done": False, "seconds": None, "why": why}


def _timed(stage: str, work: Callable[[], object], floor_bit: float) -> tuple[Row, object]:
    began = time.perf_counter()
    try:
        made = work()
    except HffmError as error:
        return _undone(stage, str(error.findings[0])), None
    seconds = time.perf_counter() - began
    return {"stage": stage, "done": True, "seconds": seconds, "peak_bit": _peak_bit() - floor_bit}, made


def _fast(out: Connection, stage: str, cells: int, devices: int, seed: int) -> None:
    del stage
    from hffm_opt.solvers.heuristics.catalogue import composition_named
    from hffm_opt.solvers.heuristics.compose import compose
    from hffm_opt.solvers.request import default_request

    parts = composition_named(HEURISTIC)
    assert parts is not None
    scenario, floor = network(cells, devices, seed), _peak_bit()
    built, problem = _timed("build", lambda: build_problem(scenario), floor)
    assert isinstance(problem, Problem)
    planned, plan = _timed("heuristic", lambda: compose(problem, default_request(scenario), parts, HEURISTIC), floor)
    assert isinstance(plan, Plan)
    judged, _ = _timed("referee", lambda: evaluate_plan(problem, plan), floor)
    out.send([built, planned, judged])


def _exact(out: Connection, stage: str, cells: int, devices: int, seed: int) -> None:
    from hffm_opt import api

    scenario, floor = network(cells, devices, seed), _peak_bit()
    held = CIRCULATION if stage == "held" else None
    row, outcome = _timed(stage, lambda: api.plan(scenario, gap=GAP, time_limit=TIME_LIMIT_S, circulation=held), floor)
    if isinstance(outcome, Outcome):
        row["gap"] = outcome.gap
        if outcome.status == "limit" or (held is None and (outcome.gap is None or outcome.gap > GAP)):
            row |= {"done": False, "why": f"gap {outcome.gap or math.inf:.2%} at the end: {outcome.stop_reason}"}
    out.send([row])


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return p of the fit ``seconds = c size^p``; not a number with fewer than two sizes.

    >>> round(exponent([1, 2, 4], [3, 6, 12]), 6)
    1.0
    """
    if len(set(sizes)) < 2:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _measured(rows: Sequence[Row], stage: str) -> list[Row]:
    return [row for row in rows if row["stage"] == stage and row["done"]]


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    for stage in STAGES:
        found = _measured(rows, stage)
        largest = max((row["cells"] for row in found), default=0)
        wanted = max(row["cells"] for row in rows)
        power = exponent([row["cells"] for row in found], [row["seconds"] for row in found])
        what = f"{stage}: exponent of seconds against cells, up to {largest} cells"
        yield Target(what, f"{NEAR_LINEAR:g}, up to {wanted} cells", power, power <= NEAR_LINEAR and largest == wanted)


def _by_size(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield a line per size: least seconds over the seeds, and the largest peak of memory."""
    for cells in dict.fromkeys(row["cells"] for row in rows):
        line: Row = {"cells": cells, "devices": next(row["devices"] for row in rows if row["cells"] == cells)}
        for stage in STAGES:
            found = [row for row in _measured(rows, stage) if row["cells"] == cells]
            line[f"{stage} s"] = min((row["seconds"] for row in found), default=None)
            peak = max((row["peak_bit"] for row in found), default=None)
            if stage == FAST[-1] or stage in EXACT:
                name = "all three MB" if stage in FAST else f"{stage} MB"
                line[name] = None if peak is None else round(peak / BITS_PER_BYTE / 1e6, 1)
            if stage in EXACT:
                line[f"{stage} gap"] = max((row["gap"] for row in found), default=None)
        yield line


def figure(rows: Sequence[Row]) -> Figure:
    """Draw seconds and peak memory against cells, on logarithmic axes, beside a linear law."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for stage, colour in zip(STAGES, ("#5b8fc9", "#d9822b", "#2f9e6e", "#a05ac8", "#d1495b"), strict=True):
        found = _measured(rows, stage)
        sizes = sorted({row["cells"] for row in found})
        for axes, key, unit, best in ((left, "seconds", 1.0, min), (right, "peak_bit", BITS_PER_BYTE * 1e6, max)):
            values = [best(row[key] for row in found if row["cells"] == size) / unit for size in sizes]
            values = [max(value, LEAST_DRAWN[key]) for value in values]
            axes.loglog(sizes, values, marker="o", color=colour, label=stage)
    left.set_ylabel("seconds")
    right.set_ylabel("peak memory added, MB")
    for axes in (left, right):
        axes.set_xlabel("cells")
        axes.grid(which="major")
    left.legend()
    return figure
