"""What a round costs beyond the arithmetic of training, and whether memory stays flat over many rounds.

Arithmetic is every step of training: forward pass, backward pass, optimiser. Beyond it are the order of samples, copies
and their stacking, averages with their messages (serialised, summed, decoded), the clock, the ledger, and on
disk after every round a checkpoint and the figures to follow.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.checkpoint import Checkpoints
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.memory import resident_bytes
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.progressed import Progressed
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.problem import build_problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request
from hffm_opt.steps import pieces
from hffm_opt.trace import RunHeader, provenance
from hffm_opt.trace.metrics import LiveMetrics
from hffm_opt.units import BITS_PER_BYTE

ROUNDS, QUICK_ROUNDS = 12, 3
MANY, QUICK_MANY, LOOKS = 1000, 40, 20
WARM = 0.1  # of the rounds, before memory is first looked at
MILLISECONDS, FLAT = 2.0, 0.05
METHOD = "h-fedfm-2"


class TimedTrainer(LocalTrainer):
    """A trainer that adds up the wall-clock and processor seconds of its steps."""

    wall_s = processor_s = 0.0

    def _step(self, *arguments: Any) -> Any:
        began, spent = time.perf_counter(), time.process_time()
        found = super()._step(*arguments)
        self.wall_s += time.perf_counter() - began
        self.processor_s += time.process_time() - spent
        return found


class Rounds:
    """The rounds of a scenario as a run with a directory goes through them, without evaluations."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        problem = build_problem(scenario)
        backbone, learning = load_backbone(scenario.learning.backbone), scenario.learning
        data = federated_data(scenario, seed, backbone.form)
        modules = build_modules(backbone.width, backbone.depth, learning.adapter_width, data.answers)
        self.trainer = TimedTrainer(backbone, modules, data, learning, seed)
        self.engine = RoundEngine(problem, solve(problem, METHOD, Request(seed=seed)).plan, modules)
        start = StackedStates.repeat(initial_model(modules, seed), data.devices)
        self.now, self.kept = Progressed(start, self.engine.start_s), Checkpoints(directory, {})
        self.live = LiveMetrics(directory)
        header = RunHeader(
            scenario=scenario.name,
            fingerprint=problem.fingerprint,
            method=METHOD,
            backbone=scenario.learning.backbone,
            seed=seed,
            rounds=MANY,
            baseline=data.majority,
            provenance=provenance(),
        )
        self.live.begin(header, (), ())
        self.devices = np.flatnonzero(problem.owners.any(axis=1)).tolist()

    def run(self) -> None:
        """Run one round."""
        number = self.now.number + 1
        update = self.trainer.train(self.now.states, self.devices, number)
        result = self.engine.average(number, update.states, self.now.clock_s)
        self.now.add(result.record, (), result.entries, result.states, result.clock_s)
        self.kept.write(self.now)
        self.live.add(result.record, ())


def with_samples(scenario: Scenario, count: int, tested: int = 1) -> Scenario:
    """Return a scenario whose devices hold at most ``count`` samples of each task, tested on ``tested`` samples."""
    devices = tuple(
        device.model_copy(update={"samples": {task: min(count, held) for task, held in device.samples.items()}})
        for device in scenario.devices
    )
    tasks = tuple(task.model_copy(update={"test_samples": tested}) for task in scenario.tasks)
    return scenario.model_copy(update={"devices": devices, "tasks": tasks})


def run(setting: Setting, tell: Progress) -> Findings:
    """Time rounds of 40 devices, and follow the memory of many rounds of a few."""
    rows: list[Row] = []
    begin = pieces(tell, 2 * len(setting.seeds))
    for seed in setting.seeds:
        rounds, many = (QUICK_ROUNDS, QUICK_MANY) if setting.quick else (ROUNDS, MANY)
        begin(f"{rounds} rounds of paper-si, seed {seed}")
        rows.append(_overhead("tiny" if setting.quick else "paper-si", rounds, seed))
        begin(f"{many} rounds of tiny, seed {seed}")
        rows.append(_memory(many, seed))
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"{ROUNDS} rounds of 40 devices after one to warm up; {MANY} rounds of 6 devices",
        targets=tuple(_targets(rows)),
        remarks=("one torch thread per process, a checkpoint and the metrics after every round",),
        table=tuple(_table(rows)),
    )


def _overhead(name: str, rounds: int, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        kept = Rounds(with_samples(load_scenario(name), 8), seed, Path(folder))
        kept.run()
        walls, spents, steps, step_spents = [], [], [], []
        for _ in range(rounds):
            kept.trainer.wall_s = kept.trainer.processor_s = 0.0
            began, spent = time.perf_counter(), time.process_time()
            kept.run()
            walls.append(time.perf_counter() - began)
            spents.append(time.process_time() - spent)
            steps.append(kept.trainer.wall_s)
            step_spents.append(kept.trainer.processor_s)
    count = len(kept.devices)
    beyond = [(wall - step) / count for wall, step in zip(walls, steps, strict=True)]
    spent_beyond = [(spent - step) / count for spent, step in zip(spents, step_spents, strict=True)]
    return {
        "kind": "overhead",
        "scenario": name,
        "seed": seed,
        "devices": count,
        "rounds": rounds,
        "round_s": statistics.median(walls),
        "steps_s": statistics.median(steps),
        "beyond_s": statistics.median(beyond),
        "beyond_processor_s": statistics.median(spent_beyond),
    }


def _memory(rounds: int, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        kept = Rounds(with_samples(load_scenario("tiny"), 1), seed, Path(folder))
        first, every, seen = max(1, round(WARM * rounds)), max(1, rounds // LOOKS), []
        for number in range(1, rounds + 1):
            kept.run()
            if number >= first and (number - first) % every == 0:
                seen.append(resident_bytes())
    return {
        "kind": "memory",
        "scenario": "tiny",
        "seed": seed,
        "devices": len(kept.devices),
        "rounds": rounds,
        "resident_bit": [held * BITS_PER_BYTE for held in seen],
        "change": max((held / seen[0] - 1.0 for held in seen), key=abs),
    }


def _of(rows: Sequence[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    for key, clock in (("beyond_s", "wall-clock"), ("beyond_processor_s", "processor")):
        found = 1e3 * statistics.median(row[key] for row in _of(rows, "overhead"))
        what = f"milliseconds ({clock}) per device and round beyond its arithmetic, median"
        yield Target(what, f"{MILLISECONDS:g}", found, found <= MILLISECONDS)
    change = max((row["change"] for row in _of(rows, "memory")), key=abs)
    yield Target(
        "memory, largest relative change after a tenth of the rounds", f"{FLAT:g}", change, abs(change) <= FLAT
    )


def _table(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        line = {name: row[name] for name in ("kind", "scenario", "devices", "rounds", "seed")}
        if row["kind"] == "overhead":
            line |= {
                "round ms": 1e3 * row["round_s"],
                "steps ms": 1e3 * row["steps_s"],
                "beyond, ms per device": 1e3 * row["beyond_s"],
                "processor ms": 1e3 * row["beyond_processor_s"],
            }
        else:
            held = [bits / BITS_PER_BYTE / 1e6 for bits in row["resident_bit"]]
            line |= {"first MB": held[0], "last MB": held[-1], "change": row["change"]}
        yield line
