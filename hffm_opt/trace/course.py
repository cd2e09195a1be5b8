"""What happens to a run from outside: the network it meets in each round, and plans that take over during it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.trace.ledger import LedgerColumns, LedgerEntry
from hffm_opt.trace.model import AccuracyRecord, Goal, Look, Revision, RoundRecord


@dataclass(frozen=True, eq=False)
class SoFar:
    """A run after a complete round: its records, and the plan in force. Nobody may change them.

    ``ledger`` holds the entries of the rounds before, ``latest`` those of the last.
    """

    plan: Plan
    rounds: Sequence[RoundRecord]
    accuracy: Sequence[AccuracyRecord]
    ledger: LedgerColumns
    latest: Sequence[LedgerEntry]
    revisions: Sequence[Revision]
    looks: Sequence[Look]

    @property
    def number(self) -> int:
        """The last complete round."""
        return len(self.rounds)


class Course(Protocol):
    """The course of a run. It keeps nothing of the run, so that one that is resumed goes on as it would have."""

    goal: Goal | None

    def network(self, number: int) -> Problem:
        """Return the network as it is in a round (from 1); the same object as long as nothing changes."""
        ...

    def looks(self, number: int, plan: Plan) -> bool:
        """Whether a look at the plan follows a round, for which accuracy and divergence are measured in it."""
        ...

    def revise(self, so_far: SoFar) -> tuple[Look, Revision | None]:
        """Return what a look found, and the plan that takes over in the next round if one does."""
        ...
