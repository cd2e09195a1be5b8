"""What a relayed start is worth to a device that joins, and what relaying costs as the network gets worse.

Learning: a network trains; then a newcomer starts a task. It begins with modules that each method copies (or from
scratch), and trains alone on its own data, so that nothing but the start differs. Its accuracy is that on test
questions weighted to its own law of answers. Seconds and joules are those of the copying and of its own training.

Network: four newcomers ask at once in drawn networks whose devices average among themselves every round and at the
cloud every eighth; the cloud's average, which the edge servers passed on, is seven rounds old. D2D range, share of the
bands that is taken, and share of the links that have failed vary one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from statistics import fmean, median

import numpy as np

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.bench.relaying_start import start_rows
from hffm_opt.errors import HffmError
from hffm_opt.plan.holders import relaying_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.relay_network import relay_network
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.scenario.model import CLOUD, Scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.seeds import derive
from hffm_opt.solvers.module_relaying import plan_relaying
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request
from hffm_opt.steps import pieces

METHODS = ("optimal", "best-fit", "nearest-holder", "cloud-global", "random-neighbour")
CONDITIONS = (
    ("as drawn", 500.0, 0.0, 0.0),
    ("range 200 m", 200.0, 0.0, 0.0),
    ("range 50 m", 50.0, 0.0, 0.0),
    ("load 90 %", 500.0, 0.9, 0.0),
    ("load 99 %", 500.0, 0.99, 0.0),
    ("failures 30 %", 500.0, 0.0, 0.3),
    ("failures 70 %", 500.0, 0.0, 0.7),
)
DEADLINE_S, ROUND = 2.0, 15
TOLERANCE = 1e-6


def run(setting: Setting, tell: Progress) -> Findings:
    """Measure both, once per seed."""
    rows: list[Row] = []
    conditions = CONDITIONS[::3] if setting.quick else CONDITIONS
    begin = pieces(tell, len(setting.seeds) * (1 + len(conditions)))
    for seed in setting.seeds:
        begin(f"start of a newcomer, seed {seed}")
        rows += start_rows(seed, setting.quick)
    for seed, condition in product(setting.seeds, conditions):
        begin(f"network {condition[0]}, seed {seed}")
        rows += _network_rows(seed, condition, setting.quick)
    planned = [row for row in rows if row["part"] == "network"]
    bounds = {(row["seed"], row["condition"]): row["bound"] for row in planned if row["bound"] is not None}
    broken = [
        row
        for row in planned
        if row["objective"] is not None
        and row["objective"] < bounds.get((row["seed"], row["condition"]), -np.inf) * (1 - TOLERANCE) - 1e-12
    ]
    unproven = [row for row in planned if row["method"] == "optimal" and row["status"] not in ("optimal", "no plan")]
    wrong = [row for row in rows if row["part"] == "start" and row["ledger_off"] > 1e-9]
    return Findings(
        rows=tuple(rows),
        stopping_rule="a newcomer trains a fixed number of rounds; 'optimal' stops at a gap of 1e-06 or after 60 s",
        targets=(
            Target("rules below a proven bound", "none", float(len(broken)), not broken),
            Target("plans of 'optimal' that were not proven", "none", float(len(unproven)), not unproven),
            Target("copies whose ledger is not the prediction to 1e-9", "none", float(len(wrong)), not wrong),
        ),
        remarks=(
            "start: rounds, seconds and joules until the newcomer's accuracy reaches 90 % of the best of all starts "
            "of that seed; a start that never does is not counted in their medians.",
            "network: means are over the cases that a method answers in time; cases that others cannot answer differ.",
        ),
        table=(*_start_table(rows), *_network_table(planned)),
    )


def _start_table(rows: Sequence[Row]) -> Iterator[Row]:
    found = [row for row in rows if row["part"] == "start"]
    for method in dict.fromkeys(row["method"] for row in found):
        mine = [row for row in found if row["method"] == method]
        reached = [row for row in mine if row["rounds"] is not None]
        middle = {name: median(row[name] for row in reached) if reached else None for name in ("rounds", "s", "J")}
        yield {
            "part": "start",
            "method": method,
            "reached or kept": f"{len(reached)}/{len(mine)}",
            "accuracy at once": fmean(row["at_once"] for row in mine),
            "accuracy at the end": fmean(row["at_end"] for row in mine),
            **middle,
        }


def _network_table(rows: Sequence[Row]) -> Iterator[Row]:
    keys = dict.fromkeys((row["condition"], row["method"]) for row in rows)
    for condition, method in keys:
        mine = [row for row in rows if (row["condition"], row["method"]) == (condition, method)]
        kept = [row for row in mine if row["objective"] is not None]
        yield {
            "part": condition,
            "method": method,
            "reached or kept": f"{len(kept)}/{len(mine)}",
            "s": fmean(row["latency_s"] for row in kept) if kept else None,
            "J": fmean(row["energy_j"] for row in kept) if kept else None,
            "misfit": fmean(row["misfit"] for row in kept) if kept else None,
            "objective": fmean(row["objective"] for row in kept) if kept else None,
        }


def crowd(seed: int, range_m: float, load: float, quick: bool) -> Scenario:
    """Return a drawn network of two cells with newcomers who ask at once; of its shared bands a share is taken."""
    size = 4 if quick else 8
    drawn = random_scenario(seed, cells=2, devices=size, modules=1, allocation="optimised", sharing="shared")
    task = drawn.tasks[0].name
    rng = derive(seed, "crowd")
    newcomers = rng.choice(2 * size, 2 if quick else 4, replace=False).tolist()
    devices = [
        device.model_copy(update={"d2d": True, "samples": {task: 0 if u in newcomers else int(rng.integers(16, 200))}})
        for u, device in enumerate(drawn.devices)
    ]
    bands = ("uplink_bandwidth_hz", "downlink_bandwidth_hz", "d2d_bandwidth_hz")
    edges = [e.model_copy(update={band: getattr(e, band) * (1 - load) for band in bands}) for e in drawn.edges]
    asked = tuple(
        ModuleRequest(device=devices[u].name, task=task, samples=16, round=ROUND, deadline_s=DEADLINE_S)
        for u in sorted(newcomers)
    )
    changes = {
        "devices": tuple(devices),
        "edges": tuple(edges),
        "physics": drawn.physics.model_copy(update={"d2d_range_m": range_m}),
        "modules": (drawn.modules[0].model_copy(update={"tasks": (task,), "payload_bit": 1_000_000}),),
        "tasks": (drawn.tasks[0].model_copy(update={"answers": 10}),),
        "planning": drawn.planning.model_copy(update={"drift_max": None, "latency_weight": 1.0, "energy_weight": 1.0}),
        "requests": Requests(asked=asked, misfit_weight=1.0, stale_weight=0.02),
    }
    return drawn.model_copy(update=changes)


def _network_rows(seed: int, condition: tuple[str, float, float, float], quick: bool) -> Iterator[Row]:
    name, range_m, load, failed = condition
    scenario = crowd(seed, range_m, load, quick)
    problem = build_problem(scenario)
    training = solve(problem, "h-fedfm-8+best-head", default_request(scenario)).plan
    whole = relay_network(problem)
    rng = derive(seed, "failures")
    lost = {
        (whole.nodes[source], whole.nodes[target])
        for source, target in whole.arc
        if rng.random() < failed and CLOUD not in (whole.nodes[source], whole.nodes[target])
    }
    wanted = relaying_problem(problem, training, ROUND, seed, without=lost)
    for method in METHODS:
        row: Row = {"part": "network", "condition": name, "seed": seed, "method": method}
        try:
            plan = plan_relaying(wanted, training, method, seed=seed, time_limit_s=60.0)
        except HffmError as error:
            none = dict.fromkeys(("objective", "bound", "latency_s", "energy_j", "misfit", "seconds"))
            yield row | {"status": "no plan", "why": error.findings[0].message, **none}
            continue
        figures = ("status", "objective", "bound", "latency_s", "energy_j", "misfit", "seconds")
        yield row | {figure: getattr(plan, figure) for figure in figures}
