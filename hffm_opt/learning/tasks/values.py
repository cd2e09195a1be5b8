"""What a task is and the forms its data takes: one example, or a batch of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UInt8Array = NDArray[np.uint8]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """One visual question answering task: its name, the modalities it reads and its answer vocabulary.

    The class index of an answer is its position in ``answers``.
    """

    name: str
    modalities: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """One question about one picture.

    ``image`` is RGB of shape (height, width, 3); ``answer`` indexes ``Task.answers``; ``family`` names the
    kind of question (``which``, ``count``, ``exists``, ``extreme``, ``colour``, ``relation``); ``source``
    names what the picture was made from, scan indices or a layout code, and is what the splits are disjoint
    in.
    """

    image: UInt8Array
    question: str
    answer: int
    family: str
    source: tuple[int, ...] = ()


@dataclass(frozen=True)
class TaskData:
    """Examples of one task as arrays, the form that trainers take.

    ``images`` uint8 [N, H, W, 3]; ``input_ids`` and ``attention_mask`` int64 [N, L]; ``answers`` int64 [N];
    ``families`` a tuple of N names.
    """

    images: UInt8Array
    input_ids: Int64Array
    attention_mask: Int64Array
    answers: Int64Array
    families: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.input_ids), len(self.attention_mask), len(self.answers)}
        if lengths != {len(self.families)}:
            raise ValueError(f"arrays of one TaskData differ in length: {sorted(lengths | {len(self.families)})}")

    def __len__(self) -> int:
        return len(self.families)

    def select(self, indices: Sequence[int] | Int64Array) -> TaskData:
        """Return the examples at ``indices`` (int [M]), in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return TaskData(
            images=self.images[chosen],
            input_ids=self.input_ids[chosen],
            attention_mask=self.attention_mask[chosen],
            answers=self.answers[chosen],
            families=tuple(self.families[index] for index in chosen),
        )


def majority_baseline(data: TaskData) -> float:
    """Return the accuracy of always giving the most frequent answer of ``data``, in [0, 1]."""
    if not len(data):
        return 0.0
    return float(np.bincount(data.answers).max() / len(data))


def blind_baseline(data: TaskData) -> float:
    """Return the accuracy of giving each question family its own most frequent answer, in [0, 1].

    It is what can be known without looking at the picture, and so never below :func:`majority_baseline`.
    """
    if not len(data):
        return 0.0
    families = np.asarray(data.families)
    hits = sum(int(np.bincount(data.answers[families == family]).max()) for family in sorted(set(data.families)))
    return hits / len(data)
