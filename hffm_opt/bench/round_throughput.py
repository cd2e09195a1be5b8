"""One round of local training: all devices stacked, against a plain loop organised as published code.

Both start from the same weights, draw the same batches and have to find the same losses; the plain loop is
:mod:`hffm_opt.bench.plain_loop`. What the stacked path prepares once for all rounds (constants of the samples) is told
apart. The share of the peak is FLOPs counted by torch / seconds / the best rate of a product of two square matrices.
As nothing computes faster than at that rate, the ratio of the two paths is at most that of their FLOPs divided by the
plain loop's share of the peak.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.bench.plain_loop import questions_of, train_one_by_one
from hffm_opt.cores import usable_cores
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.execution import PRECISIONS, Execution, Precision
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.scenario.builtin.paper import paper
from hffm_opt.scenario.model import Scenario
from hffm_opt.steps import pieces

BATCH, AGREEMENT, SIDE, QUICK_SIDE = 8, 1e-4, 1536, 256
ACCELERATED = 10.0  # times faster on a CUDA device


@dataclass(frozen=True)
class Case:
    """A model: its name here and the backbone's, whether pictures stay as they are, and how many devices take part.

    ``target`` is how many times faster is aimed at on a CPU, ``repeats`` how often both paths are timed;
    ``side`` is that of the square matrices whose product tells the peak.
    """

    name: str
    backbone: str
    unscaled: bool
    devices: int
    target: float
    repeats: int
    side: int = SIDE


CASES = (
    Case("vilt-small", "vilt-small", True, 40, 5.0, 3),
    Case("ViLT-B/32, pictures of 32 x 48", "vilt-b32-random", True, 4, 2.0, 2),
    Case("ViLT-B/32, pictures of 384 x 576", "vilt-b32-random", False, 1, 2.0, 1),
)
QUICK = (Case("vilt-small", "vilt-small-random", True, 2, 5.0, 1, QUICK_SIDE),)


def run(setting: Setting, tell: Progress) -> Findings:
    """Time both paths in turn, for every model, device and precision."""
    rows: list[Row] = []
    devices = ("cpu", *(["cuda"] if torch.cuda.is_available() else []))
    cases = QUICK if setting.quick else CASES
    begin = pieces(tell, len(setting.seeds) * len(devices) * len(cases))
    for seed in setting.seeds:
        for device in devices:
            for case in cases:
                begin(f"{case.name} on {device}, seed {seed}")
                rows += compared(case, device, seed)
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"one round of one batch of {BATCH} per task and device; the least of 3 repetitions (ViLT-B/32: "
        "2 with small pictures, 1 with large ones), the two paths in turn",
        targets=tuple(_targets(rows)),
        remarks=tuple(_remarks(rows)),
        table=tuple(_table(rows)),
    )


def case_scenario(case: Case) -> Scenario:
    """Return the published network with one batch of each task on every device."""
    whole = paper()
    return whole.model_copy(
        update={
            "learning": whole.learning.model_copy(update={"backbone": case.backbone, "batch_size": BATCH}),
            "tasks": tuple(task.model_copy(update={"test_samples": 1}) for task in whole.tasks),
            "devices": tuple(
                device.model_copy(update={"samples": {task.name: BATCH for task in whole.tasks}})
                for device in whole.devices[: case.devices]
            ),
        }
    )


def case_backbone(case: Case) -> ViltBackbone:
    """Return a case's backbone, where asked for without the scaling of pictures."""
    from transformers import ViltImageProcessorPil

    loaded = load_backbone(case.backbone)
    assert isinstance(loaded, ViltBackbone)
    if case.unscaled:
        loaded.processor = ViltImageProcessorPil(do_resize=False, do_pad=False)
    return loaded


def compared(case: Case, device: str, seed: int) -> Iterator[Row]:
    """Yield a row for each precision of the stacked path; the plain loop is timed beside each."""
    scenario, backbone = case_scenario(case), case_backbone(case)
    learning, data = scenario.learning, federated_data(scenario, seed, backbone.form)
    backbone.to(device)
    modules = build_modules(backbone.width, backbone.depth, learning.adapter_width, data.answers)
    states = StackedStates.repeat(initial_model(modules, seed), data.devices)
    questions = {task: questions_of(backbone, found.train) for task, found in data.tasks.items()}

    def plain() -> dict[str, Any]:
        return train_one_by_one(backbone, data, questions, learning, states, seed, 1)

    group = min(data.devices, 8 if device == "cpu" else 64)
    # In this thread, where torch counts; this also warms both paths up.
    counting = LocalTrainer(backbone, modules, data, learning, seed, group_size=group, execution=Execution(device))
    flop, plain_flop = _count(lambda: counting.train(states, range(data.devices), 1)), _count(plain)
    for precision in PRECISIONS:
        execution = Execution(device, precision)
        threads = usable_cores() if device == "cpu" else None
        began = time.perf_counter()
        trainer = LocalTrainer(
            backbone, modules, data, learning, seed, group_size=group, threads=threads, execution=execution
        )
        prepared = time.perf_counter() - began

        def stacked(trainer: LocalTrainer = trainer) -> dict[str, Any]:
            return dict(trainer.train(states, range(data.devices), 1).loss)

        times = [(*_timed(stacked, device, 1), *_timed(plain, device, usable_cores())) for _ in range(case.repeats)]
        ours, ours_cpu, found, theirs, theirs_cpu, expected = (list(column) for column in zip(*times, strict=True))
        peak, plain_peak = _peak(device, precision, case.side), _peak(device, "fp32", case.side)
        yield {
            "model": case.name,
            "device": device,
            "precision": precision,
            "seed": seed,
            "devices": data.devices,
            "cores": usable_cores(),
            "stacked_s": min(ours),
            "plain_s": min(theirs),
            "ratio": min(theirs) / min(ours),
            "stacked_processor_s": min(ours_cpu),
            "plain_processor_s": min(theirs_cpu),
            "processor_ratio": min(theirs_cpu) / min(ours_cpu),
            "loss_difference": _difference(found[0], expected[0]),
            "stacked_flop": flop,
            "plain_flop": plain_flop,
            "peak_flop_per_s": peak,
            "share_of_peak": flop / min(ours) / peak,
            "plain_share_of_peak": plain_flop / min(theirs) / plain_peak,
            "prepared_s": prepared,
            "target": case.target if device == "cpu" else ACCELERATED,
        }


def _count(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def _timed(work: Callable[[], Any], device: str, threads: int) -> tuple[float, float, Any]:
    """Return wall-clock and processor seconds of some work, and what it found."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        began, spent = time.perf_counter(), time.process_time()
        found = work()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began, time.process_time() - spent, found
    finally:
        torch.set_num_threads(before)


def _peak(device: str, precision: Precision, side: int) -> float:
    """Return the best rate, in FLOP/s, of a product of two square matrices."""
    matrix = torch.randn(side, side, device=device, dtype=torch.float32 if precision == "fp32" else torch.bfloat16)
    seconds = [_timed(lambda: matrix @ matrix, device, usable_cores())[0] for _ in range(8)]
    return float(2 * side**3 / min(seconds))


def _difference(found: dict[str, Any], expected: dict[str, Any]) -> float:
    return float(max(np.abs(found[task] / expected[task] - 1.0).max() for task in expected))


def _of(rows: Sequence[Row], model: str, device: str, precision: str) -> list[Row]:
    return [row for row in rows if (row["model"], row["device"], row["precision"]) == (model, device, precision)]


def _kinds(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["model"], row["device"]) for row in rows))


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    far = max(row["loss_difference"] for row in rows if row["precision"] == "fp32")
    yield Target(
        "fp32: largest relative difference of losses to the plain loop", f"{AGREEMENT:g}", far, far < AGREEMENT
    )
    for model, device in _kinds(rows):
        for precision in PRECISIONS:
            found = _of(rows, model, device, precision)
            ratio, limit = statistics.median(row["ratio"] for row in found), found[0]["target"]
            what = f"{model} on {device}, {precision} against fp32: times faster than the plain loop, median"
            yield Target(what, f"at least {limit:g}", ratio, ratio >= limit)


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    for model, device in _kinds(rows):
        full, low = (_of(rows, model, device, precision)[0] for precision in PRECISIONS)
        yield (
            f"{model} on {device}: the plain loop computes {full['plain_flop'] / full['stacked_flop']:.3g} times the "
            f"FLOPs (padding, whole last layer, constants anew); bf16 changes losses by {low['loss_difference']:.1g}"
        )
        yield (
            f"{model} on {device}, fp32: the plain loop reaches {full['plain_share_of_peak']:.0%} of the measured "
            f"peak; beside it, products at the whole peak and nothing else would give a ratio of {_most(full):.3g}, "
            f"so {full['target']:g} would take {full['target'] / _most(full):.0%} of the peak"
        )


def _most(row: Row) -> float:
    """Return the ratio to the plain loop as it was timed that nothing but matrix products at their peak would reach."""
    return float(row["plain_flop"] / row["stacked_flop"] / row["plain_share_of_peak"])


def _table(rows: Sequence[Row]) -> Iterator[Row]:
    for model, device in _kinds(rows):
        for precision in PRECISIONS:
            found = _of(rows, model, device, precision)

            def median(name: str, found: list[Row] = found) -> float:
                return float(statistics.median(row[name] for row in found))

            yield {
                "model": model,
                "on": device,
                "precision": precision,
                "devices": found[0]["devices"],
                "stacked s": median("stacked_s"),
                "plain s": median("plain_s"),
                "ratio": median("ratio"),
                "processor ratio": median("processor_ratio"),
                "share of peak": median("share_of_peak"),
                "plain share": median("plain_share_of_peak"),
                "difference": max(row["loss_difference"] for row in found),
                "prepared s": median("prepared_s"),
            }
