"""Answers that a head does not have, given by the similarity of embeddings.

    e_a = the mean of x / |x| over examples of answer a, scaled to length 1      x: the pooled output of the backbone
    s_a(x) = e_a . x / |x|
    a* = argmax over the answers that the head lacks of s_a,   k* = argmax over those that it has
    answer a* if s_a* - s_k* > lead, else the head's

No weight is trained for a new answer: a few examples of it are enough. ``lead`` is the least one at which, on
calibration samples with answers that the head has, at most ``tolerance`` of accuracy is lost.

Source: classes by the mean embedding of examples, Snell et al., arXiv 1703.05175; an open answer space by embedding
similarity at inference, EdgeFM, arXiv 2311.10986.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hffm_opt.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_LEAD = 2.0


def unit(vectors: Floats) -> Floats:
    """Return vectors [..., d] scaled to length 1; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


def answer_embeddings(pooled: Floats, answers: Ints, count: int) -> Floats:
    """Return the embedding of each of ``count`` answers, [count, d]; zero where there is no example.

    ``pooled`` [N, d] are the outputs for examples whose answers are ``answers`` [N].

    Example:
        >>> answer_embeddings(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([0, 2]), 3).tolist()
        [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    found = np.zeros((count, pooled.shape[1]))
    np.add.at(found, answers, unit(pooled))
    return unit(found)


@dataclass(frozen=True, eq=False)
class OpenSet:
    """The embeddings [A, d] of all answers, which of them the head lacks (bool [A]), and the lead that decides."""

    embeddings: Floats
    unseen: NDArray[np.bool_]
    lead: float = 0.0

    def leads(self, pooled: Floats) -> tuple[Floats, Ints]:
        """Return by how much the nearest unseen answer is nearer than the nearest seen one, and which it is, [N]."""
        similar = unit(pooled) @ self.embeddings.T
        # An answer without an example is near to nothing.
        similar[:, ~self.embeddings.any(axis=1)] = -1.0
        new = np.where(self.unseen, similar, -np.inf)
        old = np.where(self.unseen, -np.inf, similar)
        return np.asarray(new.max(axis=1) - old.max(axis=1)), np.asarray(new.argmax(axis=1))

    def answer(self, pooled: Floats, heads: Ints) -> Ints:
        """Return the answers [N] to samples with outputs ``pooled`` [N, d], where the head says ``heads`` [N]."""
        lead, nearest = self.leads(pooled)
        return np.where(lead > self.lead, nearest, heads)


def choose_lead(open_set: OpenSet, pooled: Floats, worth: Floats, tolerance: float) -> float:
    """Return the least lead that costs at most ``tolerance`` of accuracy on samples whose answers the head has.

    Args:
        open_set: embeddings and unseen answers.
        pooled: [N, d] of such samples.
        worth: what the head's own answers are worth, [N]; an unseen answer is worth nothing to them.
        tolerance: how much of the mean worth may be lost.

    Raises:
        InputError: there is no such sample.
    """
    if not len(worth):
        repair = "take more calibration_samples, or fewer answers in inference.unseen"
        raise InputError.one("inference.unseen", "no calibration sample has an answer that the head has", repair)
    lead, _ = open_set.leads(pooled)
    order = np.argsort(-lead, kind="stable")
    lost = np.cumsum(worth[order]) / len(worth)
    within = np.flatnonzero(lost > tolerance + 1e-12)
    # Everything down to the first sample that would cost too much, that one not included.
    return float(np.clip(lead[order[within[0]]], 0.0, MOST_LEAD)) if len(within) else 0.0
