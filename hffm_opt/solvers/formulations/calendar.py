"""How kinds of round make up a cycle: counts, segments between cloud events, and the published collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.circulation import kind_of_round
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats


@dataclass(frozen=True, eq=False)
class Calendar:
    """How kinds of round make up a cycle when the first cloud event is of kind ``first`` (``None``: there is none).

    ``counts[j]`` rounds of kind j in ``length`` rounds; ``interior[j]`` of them inside one segment. ``collects``: the
    published arithmetic's last round hands in the result.
    """

    top: int
    first: int | None
    length: int
    counts: Floats
    interior: Floats
    collects: bool

    @classmethod
    def of(cls, problem: Problem, top: int, first: int | None) -> Calendar:
        """Return the calendar of a problem."""
        collects = problem.published and first is None
        if collects:
            assert problem.scenario.physics.reference is not None
            length = problem.scenario.physics.reference.collection_rounds
            numbers = range(1, length)
        else:
            length = 1 << top
            numbers = range(1, length + 1)
        counts = np.bincount([kind_of_round(k, top) for k in numbers], minlength=top + 1).astype(float)
        if first is None:
            interior = counts
        else:
            interior = np.array([2.0 ** (first - 1 - j) if j < first else 0.0 for j in range(top + 1)])
        return cls(top, first, length, counts, interior, collects)

    @property
    def endings(self) -> tuple[int, ...]:
        """Kinds of round that end a segment."""
        return () if self.first is None else tuple(range(self.first, self.top + 1))
