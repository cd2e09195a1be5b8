"""Answers that a head does not have: how often similarity of embeddings gives them, and what that costs the others.

The modules of ``tiny`` are trained first. Then one answer at a time, of the most frequent ones of each task, is taken
from the head, and the samples that have it are told by embeddings. The test samples are parted in those with the
answer and those with others: without embeddings the former are always wrong.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.plan.inference import build_inference
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.inference import Inference, RequestClass
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.steps import pieces

if TYPE_CHECKING:
    from hffm_opt.learning.inference.model import AnsweringModel

TRAINING = "h-fedfm-2"
TOLERANCE = 0.02
_ASKED = (("digits", "device-0-0"), ("shapes", "device-0-2"))


@dataclass(frozen=True)
class Size:
    """How much is done.

    Rounds of training, samples to calibrate and test with, how many answers of a task are left out in turn, and the
    share of the devices' samples that there are, as one in so many.
    """

    rounds: int
    calibration: int
    test: int
    answers: int
    one_in: int


FULL = Size(40, 300, 400, 6, 1)
QUICK = Size(0, 30, 30, 1, 8)


def network(size: Size) -> Scenario:
    """Return ``tiny`` with a class of requests for each task, and no early exits."""
    base = load_scenario("tiny")
    section = Inference(
        classes=tuple(RequestClass(name=task, task=task, device=device, rate_per_s=1.0) for task, device in _ASKED),
        tolerance=TOLERANCE,
        calibration_samples=size.calibration,
    )
    tasks = tuple(task.model_copy(update={"test_samples": size.test}) for task in base.tasks)
    devices = tuple(
        device.model_copy(update={"samples": {task: count // size.one_in for task, count in device.samples.items()}})
        for device in base.devices
    )
    return base.model_copy(update={"inference": section, "tasks": tasks, "devices": devices})


def run(setting: Setting, tell: Progress) -> Findings:
    """Train once per seed, and leave out one answer after another."""
    from hffm_opt.learning.inference.model import answering_model

    size, rows = QUICK if setting.quick else FULL, list[Row]()
    given = network(size)
    begin = pieces(tell, len(setting.seeds) * (1 + len(_ASKED)))
    with tempfile.TemporaryDirectory() as folder:
        for seed in setting.seeds:
            begin(f"training, seed {seed}")
            where = Path(folder) / f"run-{seed}" if size.rounds else None
            if where is not None:
                api.train(given, method=TRAINING, rounds=size.rounds, seed=seed, out=where)
            model = answering_model(given, seed, where)
            for task, _ in _ASKED:
                begin(f"{task}, seed {seed}")
                rows += _left_out(given, model, task, size.answers)
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"the {size.answers} most frequent answers of each task are left out, one at a time",
        targets=tuple(_targets(rows)),
        remarks=(
            f"Modules were trained for {size.rounds} rounds ({TRAINING}) with all answers: it is the head that does "
            "without one, not the representation.",
            f"The lead is chosen on {size.calibration} calibration samples, where it may cost {TOLERANCE:g} of the "
            f"accuracy on answers that the head has; figures are of {size.test} test samples.",
            "with it: with embeddings; without it: by the head alone; others: samples whose answer the head has.",
        ),
        table=tuple(_means(rows)),
    )


def _left_out(given: Scenario, model: AnsweringModel, task: str, count: int) -> Iterator[Row]:
    """Yield a row for each of the most frequent answers of a task, taken from its head."""
    from hffm_opt.learning.inference.exits import calibrate, masked

    test = model.test(task)
    features, names = model.features(task, test), model.data.tasks[task].task.answers
    assert given.inference is not None
    for answer in np.argsort(-np.bincount(test.answers, minlength=len(names)), kind="stable")[:count].tolist():
        (asked,) = (each for each in given.inference.classes if each.task == task)
        section = given.inference.model_copy(update={"classes": (asked,), "unseen": {task: (names[answer],)}})
        problem = build_problem(given.model_copy(update={"inference": section}))
        found = calibrate(build_inference(problem), model).tasks[task].open_set
        assert found is not None
        alone = masked(features.logits, found.unseen).argmax(axis=1)
        worth = {
            name: test.worth(np.arange(len(test)), answers)
            for name, answers in (("head", alone), ("open", found.answer(features.pooled, alone)))
        }
        new = test.answers == answer
        yield {
            "seed": model.seed,
            "task": task,
            "answer": names[answer],
            "samples": int(new.sum()),
            "lead": found.lead,
            "unseen answer": float(worth["open"][new].mean()),
            "unseen answer, head alone": float(worth["head"][new].mean()),
            "others with it": float(worth["open"][~new].mean()),
            "others without it": float(worth["head"][~new].mean()),
            "all with it": float(worth["open"].mean()),
            "all without it": float(worth["head"].mean()),
        }


def _means(rows: list[Row]) -> Iterator[Row]:
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        yield {"task": task, "answers left out": len(mine)} | {
            name: fmean(row[name] for row in mine) for name in rows[0] if name not in ("seed", "task", "answer")
        }


def _targets(rows: list[Row]) -> Iterator[Target]:
    gained = fmean(row["unseen answer"] for row in rows)
    yield Target("accuracy on answers that the head does not have, mean", "above 0", gained, gained > 0)
    lost = fmean(row["others without it"] - row["others with it"] for row in rows)
    limit = 2 * TOLERANCE
    yield Target("accuracy lost on the others, mean", f"{limit:g} (tolerance {TOLERANCE:g})", lost, lost <= limit)
    more = fmean(row["all with it"] - row["all without it"] for row in rows)
    yield Target("accuracy gained on all samples, mean", "above 0", more, more > 0)
