"""Latency, energy and accuracy of collaborative inference over bandwidths, against one place for all and fixed splits.

The network of ``tiny`` with devices of three kinds (0.8, 8 and 4.8 GFLOP/s) and two request classes a cell, one of them
of the slowest; its modules are trained first. In the case ``roomy`` every node has memory for the whole model, in
``tight`` devices and edge servers for half of it. The program minimises the mean latency of a request;
``optimal-energy`` minimises joules instead. Methods with ``+exits`` let samples end early at thresholds chosen
on calibration samples.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.plan.inference import InferenceProblem, build_inference, evaluate_inference
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.inference import Inference, NodeLimits, RequestClass, Server
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.inference import GREEDY, OPTIMAL, method_names, place_inference
from hffm_opt.steps import Step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hffm_opt.learning.inference.exits import Exits
    from hffm_opt.learning.inference.model import AnsweringModel
    from hffm_opt.trace.inference import InferenceTrace

ONE_PLACE = ("device-only", "edge-only", "cloud-only")
ENERGY = "optimal-energy"
TOLERANCE = 0.01
HALF_MODEL_BIT = 16e6
RATE_PER_S = 5.0
TRAINING = "h-fedfm-2"
_KINDS = ((0.4e9, 2.0), (2e9, 4.0), (1.2e9, 4.0))  # CPU speed in Hz and FLOP per cycle: wearable, phone, tablet
_ASKED = (("digits", "device-0-0"), ("shapes", "device-0-2"), ("shapes", "device-1-1"), ("digits", "device-1-0"))


@dataclass(frozen=True)
class Size:
    """How much is done: rounds of training, bandwidths, samples to calibrate, test and execute with, exits, classes."""

    rounds: int
    bandwidths_hz: tuple[float, ...]
    calibration: int
    test: int
    executed: int
    exits: tuple[int, ...]
    classes: int = len(_ASKED)


FULL = Size(40, (2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 5e6), 300, 200, 5, (0, 1, 2))
QUICK = Size(0, (2e5,), 20, 6, 1, (1,), classes=2)


def network(bandwidth_hz: float, tight: bool, size: Size) -> Scenario:
    """Return the network with an uplink of ``bandwidth_hz``, the other bands in proportion."""
    base = load_scenario("tiny")
    devices = tuple(
        device.model_copy(update={"cpu_min_hz": speed, "cpu_max_hz": speed, "flop_per_cycle": per_cycle})
        for i, device in enumerate(base.devices)
        for speed, per_cycle in (_KINDS[i % len(_KINDS)],)
    )
    scale = bandwidth_hz / base.edges[0].uplink_bandwidth_hz
    bands = ("uplink_bandwidth_hz", "downlink_bandwidth_hz", "d2d_bandwidth_hz")
    edges = tuple(e.model_copy(update={band: getattr(e, band) * scale for band in bands}) for e in base.edges)
    names = [*(device.name for device in base.devices), *(edge.name for edge in base.edges)]
    halves = {name: NodeLimits(memory_bit=HALF_MODEL_BIT) for name in names}
    section = Inference(
        classes=tuple(
            RequestClass(name=f"{task}-{device}", task=task, device=device, rate_per_s=RATE_PER_S)
            for task, device in _ASKED[: size.classes]
        ),
        edge=Server(flop_per_s=2e10),
        cloud=Server(flop_per_s=5e12),
        nodes=halves if tight else {},
        latency_weight=1.0,
        energy_weight=0.0,
        exits=size.exits,
        tolerance=TOLERANCE,
        calibration_samples=size.calibration,
    )
    tasks = tuple(task.model_copy(update={"test_samples": size.test}) for task in base.tasks)
    return base.model_copy(update={"edges": edges, "devices": devices, "tasks": tasks, "inference": section})


def run(setting: Setting, tell: Progress) -> Findings:
    """Run the benchmark."""
    from hffm_opt.learning.inference.exits import calibrate
    from hffm_opt.learning.inference.model import answering_model

    size, rows = QUICK if setting.quick else FULL, list[Row]()
    checks: list[InferenceTrace] = []
    pieces = len(setting.seeds) * (3 + 2 * len(size.bandwidths_hz))
    done = count()

    def say(words: str, seed: int) -> None:
        tell(Step(f"{words}, seed {seed}", done=next(done), total=pieces))

    with tempfile.TemporaryDirectory() as folder:
        for seed in setting.seeds:
            say("training", seed)
            first = network(size.bandwidths_hz[-1], False, size)
            where = Path(folder) / f"run-{seed}" if size.rounds else None
            if where is not None:
                api.train(first, method=TRAINING, rounds=size.rounds, seed=seed, out=where)
            say("calibrating", seed)
            model = answering_model(first, seed, where)
            exits = calibrate(_problem(first, None), model)
            say("answering all test samples", seed)
            whole = _answered(first, exits, model, None)
            checks.append(whole)
            for tight in (False, True):
                for bandwidth_hz in size.bandwidths_hz:
                    say(f"{'tight' if tight else 'roomy'} at {bandwidth_hz:g} Hz", seed)
                    given = network(bandwidth_hz, tight, size)
                    rows += _rows(given, exits, whole, {"seed": seed, "case": "tight" if tight else "roomy"})
                    checks += [_answered(given, chosen, model, size.executed) for chosen in (None, exits)]
    return Findings(
        rows=tuple(rows),
        stopping_rule="the program at a relative gap of 1e-4",
        targets=tuple(_targets(rows, checks)),
        remarks=_remarks(size, checks),
        table=tuple(_table(rows)),
    )


def _problem(given: Scenario, exits: Exits | None) -> InferenceProblem:
    return build_inference(build_problem(given), None if exits is None else exits.calibration.tasks)


def _rows(given: Scenario, exits: Exits, whole: InferenceTrace, head: dict[str, Any]) -> Iterator[Row]:
    """Yield a row per method: the referee's figures, with the shares of samples that really ended at each exit."""
    plain, early = _problem(given, None), _problem(given, exits)
    jobs = [(name, plain, (1.0, 0.0)) for name in method_names(plain)]
    jobs += [(ENERGY, plain, (0.0, 1.0))]
    jobs += [(name, early, (1.0, 0.0)) for name in (*ONE_PLACE, GREEDY, OPTIMAL)]
    rates = np.array([asked.spec.rate_per_s for asked in plain.classes])
    for name, problem, weights in jobs:
        outcome = place_inference(problem, OPTIMAL if name == ENERGY else name, weights=weights)
        ends = problem is early
        shares = {c.name: shares_of(problem, c.name, c.ended) for c in whole.classes} if ends else None
        verdict = evaluate_inference(problem, outcome.plan, shares)
        accuracies = [c.accuracy if ends else c.accuracy_full for c in whole.classes]
        yield {
            **head,
            "uplink_hz": given.edges[0].uplink_bandwidth_hz,
            "method": f"{name}+exits" if ends else name,
            "feasible": verdict.feasible,
            "latency_s": verdict.latency_s if verdict.feasible else None,
            "energy_j": verdict.energy_j if verdict.feasible else None,
            "accuracy": float(rates @ accuracies / rates.sum()),
            "gap": outcome.gap,
            "seconds": outcome.seconds,
        }


def shares_of(problem: InferenceProblem, name: str, ended: dict[str, float]) -> np.ndarray:
    """Return the share of requests of a class that ended behind each segment of its trunk, [J]."""
    asked = next(asked for asked in problem.classes if asked.spec.name == name)
    return np.array([ended.get(segment.name, 0.0) for segment in asked.chain.trunk])


def _answered(given: Scenario, exits: Exits | None, model: AnsweringModel, samples: int | None) -> InferenceTrace:
    """Return what the optimal plan of a network does with some requests of each class (all test samples: None).

    One model answers in all networks: what is asked and answered does not depend on bandwidths.
    """
    from hffm_opt.learning.inference.run import run_inference

    problem = _problem(given, exits)
    return run_inference(problem, place_inference(problem).plan, model, exits, samples)[0]


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Return the rows of each network together."""
    keys = dict.fromkeys((row["seed"], row["case"], row["uplink_hz"]) for row in rows)
    return [[row for row in rows if (row["seed"], row["case"], row["uplink_hz"]) == key] for key in keys]


def _latency(group: list[Row], *methods: str) -> float:
    """Return the least latency of some methods, infinite where none keeps the limits."""
    found: list[float] = [row["latency_s"] for row in group if row["method"] in methods and row["feasible"]]
    return min(found, default=math.inf)


def fixed_methods(group: list[Row]) -> list[str]:
    """Return the methods of a network that place by one rule: one place for all, or a split."""
    names = [row["method"] for row in group]
    return [name for name in names if name in ONE_PLACE or name.startswith("split-")]


def reduction(group: list[Row], method: str, *others: str) -> float:
    """Return by which share a method's latency is below the least of others'."""
    return 1.0 - _latency(group, method) / _latency(group, *others)


def _targets(rows: list[Row], checks: list[InferenceTrace]) -> Iterator[Target]:
    groups = _groups(rows)
    results = [result for trace in checks for result in trace.classes]
    wrong = sum(result.unsplit - result.identical for result in results)
    yield Target("answers that differ from the unsplit model's in a bit", "0", wrong, wrong == 0)
    off = max(
        abs(found / told - 1)
        for r in results
        for found, told in (
            (r.measured.latency_s, r.predicted.latency_s),
            (r.measured.energy_j, r.predicted.energy_j),
        )
        if told
    )
    yield Target("largest relative difference of ledger and referee", "1e-9", off, off <= 1e-9)
    worst = max(_latency(g, OPTIMAL) / _latency(g, GREEDY, *fixed_methods(g)) for g in groups)
    yield Target("optimal latency over the best heuristic's, worst network", "1.0001", worst, worst <= 1.0001)
    for case in ("roomy", "tight"):
        own = [g for g in groups if g[0]["case"] == case]
        for name, others in (("one place for all", ONE_PLACE), ("any fixed placement", None)):
            saved = mean(reduction(g, OPTIMAL, *(others or fixed_methods(g))) for g in own)
            what = f"{case}: latency saved at equal accuracy (same answers) against the best of {name}, mean"
            yield Target(what, "above 0", saved, saved > 0)
    lost = max(
        row["accuracy"] - next(r["accuracy"] for r in g if r["method"] == f"{OPTIMAL}+exits")
        for g in groups
        for row in g
        if row["method"] == OPTIMAL
    )
    limit = 3 * TOLERANCE
    yield Target("test accuracy lost to early exits", f"{limit:g} (tolerance {TOLERANCE:g})", lost, lost <= limit)
    saved = mean(reduction(g, f"{OPTIMAL}+exits", OPTIMAL) for g in groups)
    yield Target("latency saved by early exits beside the optimal placement without, mean", "above 0", saved, saved > 0)


def _table(rows: list[Row]) -> Iterator[Row]:
    """Yield one line per network: the best of each kind of placement, and what the optimum saves."""
    for group in _groups(rows):
        splits = [name for name in fixed_methods(group) if name.startswith("split-")]
        head = {name: group[0][name] for name in ("seed", "case", "uplink_hz")}
        ms = {name: 1e3 * _latency(group, name) for name in ONE_PLACE}
        ms["best split"] = 1e3 * _latency(group, *splits)
        by_name = {row["method"]: row for row in group}
        yield {
            **head,
            **{f"{name} ms": value if np.isfinite(value) else None for name, value in ms.items()},
            "greedy ms": 1e3 * _latency(group, GREEDY),
            "optimal ms": 1e3 * _latency(group, OPTIMAL),
            "saved % (one place)": 100 * reduction(group, OPTIMAL, *ONE_PLACE),
            "saved % (any fixed)": 100 * reduction(group, OPTIMAL, *fixed_methods(group)),
            "optimal+exits ms": 1e3 * _latency(group, f"{OPTIMAL}+exits"),
            "optimal mJ": 1e3 * by_name[OPTIMAL]["energy_j"],
            "optimal-energy mJ": 1e3 * by_name[ENERGY]["energy_j"],
            "accuracy": by_name[OPTIMAL]["accuracy"],
            "accuracy+exits": by_name[f"{OPTIMAL}+exits"]["accuracy"],
        }


def _remarks(size: Size, checks: list[InferenceTrace]) -> tuple[str, ...]:
    requests = sum(result.requests for trace in checks for result in trace.classes)
    return (
        f"Modules were trained for {size.rounds} rounds ({TRAINING}); {size.test} test samples a task.",
        f"{requests} requests were really answered by the split model in {len(checks)} executions; what a placement "
        "costs follows from the referee with the shares of samples that ended at each exit in the first of them, since "
        "no placement changes an answer.",
        "In 'tight' devices and edge servers hold half of the model: neither device-only nor edge-only is possible.",
        "Latencies are simulated: counted FLOPs, Shannon rates, given delays; waiting in queues is not counted.",
    )


def figure(rows: Sequence[Row]) -> Figure:
    """Draw latency over bandwidth, one panel a case."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 3.6), layout="constrained")
    axes = drawn.subplots(1, 2, sharey=True, squeeze=False)[0]
    for ax, case in zip(axes, ("roomy", "tight"), strict=True):
        for name in (*ONE_PLACE, OPTIMAL, f"{OPTIMAL}+exits"):
            own = [r for r in rows if (r["case"], r["method"]) == (case, name) and r["feasible"]]
            widths = sorted({row["uplink_hz"] for row in own})
            values = [1e3 * mean(r["latency_s"] for r in own if r["uplink_hz"] == width) for width in widths]
            ax.plot(widths, values, marker="o", markersize=3, linestyle="-" if OPTIMAL in name else "--", label=name)
        ax.set(xscale="log", yscale="log", xlabel="uplink bandwidth, Hz", title=case)
        ax.grid(visible=True, which="both")
    axes[0].set_ylabel("mean latency of a request, ms")
    axes[0].legend(fontsize="small")
    return drawn
