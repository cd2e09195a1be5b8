"""Early exits: small heads behind layers, fitted on training data, with thresholds chosen on calibration data.

A head is multinomial logistic regression (scikit-learn) on the first token and the mean token behind a layer. Three
sets of samples that share none: the devices' training samples fit heads and embeddings, calibration samples choose
thresholds, test samples measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.inference.model import AnsweringModel, Features, exit_features
from hffm_opt.learning.inference.open_set import OpenSet, answer_embeddings, choose_lead
from hffm_opt.learning.inference.thresholds import NEVER, Tier, choose_thresholds, uncertainty
from hffm_opt.learning.tasks import TaskData
from hffm_opt.learning.tensors import digest, pack, unpack
from hffm_opt.plan.inference import Calibration, Exit, InferenceProblem, OpenAnswers, TaskExits
from hffm_opt.plan.inference.files import EXITS
from hffm_opt.scenario.chains import Chain
from hffm_opt.serial import dump_json, read_model, write_bytes, write_text

HEADS = "exits.safetensors"
FIT_STRENGTH = 0.02
"""Inverse of the ridge penalty per sample (scikit-learn's C): few samples, many features."""
WEIGHT_BIT = 32
NO_ANSWER = -1e9
"""The logit of an answer that a head does not have: its share is 0 in floating point."""

_REPAIR = "calibrate anew: hffm infer SCENARIO --calibrate DIR"


@dataclass(frozen=True, eq=False)
class TaskHeads:
    """The heads of one task by segment, each ``weight`` [2 d, A] and ``bias`` [A], and its open answers if any."""

    heads: Mapping[str, Mapping[str, Tensor]]
    open_set: OpenSet | None = None


@dataclass(frozen=True, eq=False)
class Exits:
    """A calibration with the tensors that it is about, by task."""

    calibration: Calibration
    tasks: Mapping[str, TaskHeads]


def exit_logits(head: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> np.ndarray:
    """Return an exit's logits [N, A] of the values behind its segment."""
    return (exit_features(values["hidden"], values["mask"]) @ head["weight"] + head["bias"]).double().numpy()


def masked(logits: np.ndarray, unseen: np.ndarray | None) -> np.ndarray:
    """Return logits [N, A] without the answers that the head does not have (bool [A])."""
    return logits if unseen is None else np.where(unseen, NO_ANSWER, logits)


def fit_head(features: np.ndarray, answers: np.ndarray, count: int) -> dict[str, Tensor]:
    """Return ``weight`` [F, A] and ``bias`` [A] of logistic regression on ``features`` [N, F]; deterministic.

    Answers without a sample are never given.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    there = np.unique(answers)
    weight, bias = np.zeros((features.shape[1], count)), np.full(count, NO_ANSWER)
    if len(there) == 1:
        bias[there] = 0.0
    else:
        fitted = LogisticRegression(C=FIT_STRENGTH, max_iter=1000).fit((features - mean) / scale, answers)
        slope, base = fitted.coef_, fitted.intercept_
        if len(there) == 2:
            slope, base = np.stack([-slope[0], slope[0]]) / 2, np.array([-base[0], base[0]]) / 2
        weight[:, there] = slope.T / scale[:, None]
        bias[there] = base - mean @ weight[:, there]
    return {"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()}


def calibrate(
    inference: InferenceProblem, model: AnsweringModel, tell: Callable[[str], None] = lambda _: None
) -> Exits:
    """Fit exits of every task that is asked for, and choose their thresholds.

    Args:
        inference: the problem, whose section says where exits stand and what they may cost.
        model: the model that answers.
        tell: told what is done.

    Raises:
        InputError: no exit can stand behind a layer that the scenario names; an unseen answer is not one of the task's.
    """
    section, tasks, heads = inference.section, dict[str, TaskExits](), dict[str, TaskHeads]()
    for asked in inference.classes:
        task = asked.spec.task
        if task in tasks:
            continue
        tell(f"calibrating {task}")
        tasks[task], heads[task] = _calibrate_task(inference, model, asked.chain)
    tensors = _tensors(heads)
    calibration = Calibration(
        scenario=inference.reference.name,
        model=inference.model_fingerprint,
        seed=model.seed,
        uncertainty=section.uncertainty,
        tolerance=section.tolerance,
        weights=model.fingerprint,
        heads=digest(tensors),
        tasks=tasks,
    )
    return Exits(calibration, heads)


def _calibrate_task(inference: InferenceProblem, model: AnsweringModel, chain: Chain) -> tuple[TaskExits, TaskHeads]:
    section, task = inference.section, chain.task
    places = _places(chain, section.exits)
    count, train = len(model.data.tasks[task].task.answers), model.data.tasks[task].train
    unseen = _unseen(model, task, section.unseen.get(task, ()))
    held = model.calibration(task, section.calibration_samples)
    fitted, found = model.features(task, train, places), model.features(task, held, places)
    seen = np.arange(len(train)) if unseen is None else np.flatnonzero(~unseen[train.answers])
    heads = {name: fit_head(fitted.exits[name][seen], train.answers[seen], count) for name in places}
    open_set = None if unseen is None else _open_set(unseen, fitted, train, found, held, count, section.tolerance)
    full = _worth(held, _full_answers(found, unseen, open_set))
    flop = _flop_behind(chain)
    tiers = []
    for name in places:
        weight, bias = heads[name]["weight"].double().numpy(), heads[name]["bias"].double().numpy()
        logits = found.exits[name] @ weight + bias
        worth, unsure = _worth(held, logits.argmax(axis=1)), uncertainty(logits, section.uncertainty)
        tiers.append(Tier(unsure, worth, 2.0 * weight.size, flop[name]))
    chosen = choose_thresholds(tiers, full, section.tolerance) if tiers else None
    exits = (
        tuple(
            Exit(after=name, threshold=limit, share=share, flop=tier.flop, weight_bit=WEIGHT_BIT * _size(heads[name]))
            for name, tier, limit, share in zip(places, tiers, chosen.thresholds, chosen.shares, strict=True)
            if limit > NEVER
        )
        if chosen
        else ()
    )
    kept = {place.after: heads[place.after] for place in exits}
    answers = None if open_set is None else _open_answers(model, task, open_set)
    result = TaskExits(
        exits=exits,
        open_answers=answers,
        samples=len(held),
        accuracy_full=float(full.mean()),
        accuracy=chosen.accuracy if chosen else float(full.mean()),
    )
    return result, TaskHeads(kept, open_set)


def _places(chain: Chain, layers: tuple[int, ...]) -> tuple[str, ...]:
    """Return the segments behind which exits stand: the last of each layer named."""
    able = {part.layer: part.name for part in chain.trunk[:-1] if part.layer is not None}
    for layer in layers:
        if layer not in able:
            message = f"no exit of '{chain.task}' can stand behind layer {layer}"
            raise InputError.one("inference.exits", message, f"use some of: {', '.join(map(str, able))}")
    return tuple(able[layer] for layer in sorted(layers))


def _flop_behind(chain: Chain) -> dict[str, float]:
    """Return what a sample that ends behind a segment does not compute any more."""
    flop = np.array([part.flop for part in chain.trunk])
    return {part.name: float(flop[i + 1 :].sum()) for i, part in enumerate(chain.trunk)}


def _unseen(model: AnsweringModel, task: str, names: tuple[str, ...]) -> np.ndarray | None:
    if not names:
        return None
    answers = model.data.tasks[task].task.answers
    unknown = sorted(set(names) - set(answers))
    if unknown or set(names) >= set(answers):
        message = f"'{unknown[0]}' is no answer of the task" if unknown else "the head would have no answer left"
        raise InputError.one(f"inference.unseen.{task}", message, f"name some of: {', '.join(answers)}")
    return np.array([answer in names for answer in answers])


def _open_set(
    unseen: np.ndarray,
    fitted: Features,
    train: TaskData,
    found: Features,
    held: TaskData,
    count: int,
    tolerance: float,
) -> OpenSet:
    bare = OpenSet(answer_embeddings(fitted.pooled, train.answers, count), unseen)
    known = np.flatnonzero(~unseen[held.answers])
    own = held.worth(np.arange(len(held)), masked(found.logits, unseen).argmax(axis=1))
    lead = choose_lead(bare, found.pooled[known], own[known], tolerance)
    return OpenSet(bare.embeddings, unseen, lead)


def _open_answers(model: AnsweringModel, task: str, open_set: OpenSet) -> OpenAnswers:
    answers = np.array(model.data.tasks[task].task.answers)[open_set.unseen]
    size = open_set.embeddings.size
    return OpenAnswers(
        answers=tuple(answers.tolist()), lead=open_set.lead, flop=2.0 * size, weight_bit=WEIGHT_BIT * size
    )


def _full_answers(found: Features, unseen: np.ndarray | None, open_set: OpenSet | None) -> np.ndarray:
    own = masked(found.logits, unseen).argmax(axis=1)
    return own if open_set is None else open_set.answer(found.pooled, own)


def _worth(data: TaskData, given: np.ndarray) -> np.ndarray:
    return data.worth(np.arange(len(data)), given)


def _size(head: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in head.values())


def _tensors(tasks: Mapping[str, TaskHeads]) -> dict[str, Tensor]:
    found = {
        f"{task}/{name}/{key}": tensor
        for task, own in tasks.items()
        for name, head in own.heads.items()
        for key, tensor in head.items()
    }
    for task, own in tasks.items():
        if own.open_set is not None:
            found[f"{task}/answers/embeddings"] = torch.from_numpy(own.open_set.embeddings)
            found[f"{task}/answers/unseen"] = torch.from_numpy(own.open_set.unseen)
    return found


def write_exits(exits: Exits, directory: Path) -> Path:
    """Write ``exits.json`` and ``exits.safetensors`` to a directory; return the former's path."""
    write_bytes(directory / HEADS, pack(_tensors(exits.tasks), {}))
    write_text(directory / EXITS, dump_json(exits.calibration))
    return directory / EXITS


def read_exits(directory: Path) -> Exits:
    """Read what :func:`write_exits` wrote.

    Raises:
        InputError: a file is missing or damaged, or they do not belong together.
    """
    path = directory / EXITS
    calibration = read_model(path, Calibration, "calibration")
    try:
        data = (directory / HEADS).read_bytes()
    except OSError as error:
        raise InputError.one(str(directory / HEADS), f"cannot be read: {error.strerror}", _REPAIR) from None
    tensors, _ = unpack(directory / HEADS, data, _REPAIR)
    if digest(tensors) != calibration.heads:
        raise InputError.one(str(directory / HEADS), f"it is not the file that {EXITS} belongs to", _REPAIR)
    tasks = {}
    for task, chosen in calibration.tasks.items():
        heads = {e.after: {key: tensors[f"{task}/{e.after}/{key}"] for key in ("weight", "bias")} for e in chosen.exits}
        open_set = None
        if chosen.open_answers is not None:
            embeddings, unseen = (tensors[f"{task}/answers/{key}"].numpy() for key in ("embeddings", "unseen"))
            open_set = OpenSet(embeddings, unseen, chosen.open_answers.lead)
        tasks[task] = TaskHeads(heads, open_set)
    return Exits(calibration, tasks)
