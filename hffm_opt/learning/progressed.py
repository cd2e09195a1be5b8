"""A run between two rounds, consistent whenever it is interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass

from torch import Tensor

from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.problem.radio import Floats
from hffm_opt.trace.ledger import LedgerColumns, LedgerEntry
from hffm_opt.trace.model import AccuracyRecord, Broadcast, Look, Revision, RoundRecord


@dataclass(frozen=True)
class _Reached:
    """A round's end: the copies and clocks then, and how many records there were of each kind."""

    states: StackedStates
    clock_s: Floats
    anchors: StackedStates
    further: Mapping[str, Tensor]
    lengths: tuple[int, ...] = (0, 0, 0, 0, 0, 0)


class Progressed:
    """A run between two rounds: what complete rounds have left, the copies that devices hold, and the cells' clocks."""

    def __init__(self, states: StackedStates, clock_s: Floats) -> None:
        self.rounds: list[RoundRecord] = []
        self.accuracy: list[AccuracyRecord] = []
        self.ledger = LedgerColumns()
        self.revisions: list[Revision] = []
        self.broadcasts: list[Broadcast] = []
        self.looks: list[Look] = []
        self.start = states
        self._reached = _Reached(states, clock_s, states, {})

    @property
    def number(self) -> int:
        """The last complete round, 0 before the first."""
        return self._reached.lengths[0]

    @property
    def states(self) -> StackedStates:
        """The copies of all modules on all devices."""
        return self._reached.states

    @property
    def clock_s(self) -> Floats:
        """The clock of every cell, [cells]."""
        return self._reached.clock_s

    @property
    def anchors(self) -> StackedStates:
        """What every device held of each module after its last average, where that matters."""
        return self._reached.anchors

    @property
    def further(self) -> Mapping[str, Tensor]:
        """Whatever else the next round needs, by name."""
        return self._reached.further

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many records of each kind the complete rounds have left: rounds, accuracies, ledger entries and so on."""
        return self._reached.lengths

    def _counted(self) -> tuple[int, ...]:
        records = (self.rounds, self.accuracy, self.ledger, self.revisions, self.broadcasts, self.looks)
        kinds: tuple[Sized, ...] = records
        return tuple(len(kind) for kind in kinds)

    def add(
        self,
        record: RoundRecord,
        accuracy: Sequence[AccuracyRecord],
        entries: Sequence[LedgerEntry],
        states: StackedStates,
        clock_s: Floats,
        *,
        revisions: Sequence[Revision] = (),
        broadcasts: Sequence[Broadcast] = (),
        looks: Sequence[Look] = (),
        anchors: StackedStates | None = None,
        further: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Add a complete round; without ``anchors`` the states of the start stay."""
        self.ledger.extend(entries)
        self.accuracy += accuracy
        self.revisions += revisions
        self.broadcasts += broadcasts
        self.looks += looks
        self.rounds.append(record)
        # One assignment completes the round: an interrupt may arrive between any two lines.
        self._reached = _Reached(states, clock_s, anchors or self.anchors, further or {}, self._counted())

    def settle(self) -> None:
        """Drop what an interrupted round has left behind."""
        rounds, accuracy, ledger, revisions, broadcasts, looks = self._reached.lengths
        del self.rounds[rounds:], self.accuracy[accuracy:], self.revisions[revisions:], self.broadcasts[broadcasts:]
        del self.looks[looks:]
        self.ledger.truncate(ledger)
