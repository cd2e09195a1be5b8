"""The ledger: every training and every transfer of a run, as columns."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hffm_opt.scenario.model import Frozen

Event = Literal["train", "gather", "scatter", "uplink", "backhaul-up", "backhaul-down", "downlink", "relay"]
EVENTS: tuple[Event, ...] = get_args(Event)

Counts = tuple[Annotated[int, Field(ge=0)], ...]
Amounts = tuple[Annotated[float, Field(ge=0)], ...]
Words = tuple[str, ...]


class LedgerEntry(NamedTuple):
    """One training (no target, no bits) or one transfer.

    ``modules`` are the modules trained or moved, parted by spaces. ``charged_bits`` are what the plan's cost model
    counts, ``serialised_bits`` what the messages really weighed; ``start_s`` is the simulated clock.
    """

    round: int
    event: Event
    cell: str
    source: str
    target: str
    modules: str
    charged_bits: int
    serialised_bits: int
    start_s: float
    seconds: float
    joules: float


_CODES = dict.fromkeys(("round", "charged_bits", "serialised_bits"), "q") | dict.fromkeys(
    ("start_s", "seconds", "joules"), "d"
)


class LedgerColumns:
    """A ledger that grows: numbers by column, each word kept once, so that long runs stay small.

    Example:
        >>> columns = LedgerColumns()
        >>> columns.extend([LedgerEntry(1, "uplink", "edge-0", "device-0", "edge-0", "adapters", 8, 8, 0.0, 0.5, 0.1)])
        >>> columns.ledger().total("joules")
        0.1
    """

    def __init__(self) -> None:
        self._columns: dict[str, array[int] | array[float] | list[str]] = {
            name: array(_CODES[name]) if name in _CODES else [] for name in LedgerEntry._fields
        }

    def __len__(self) -> int:
        return len(self._columns["round"])

    def extend(self, entries: Iterable[LedgerEntry]) -> None:
        """Add entries at the end."""
        for column, values in zip(self._columns.values(), zip(*entries, strict=True), strict=False):
            if isinstance(column, list):
                column.extend(sys.intern(value) for value in values)
            else:
                column.extend(values)

    def truncate(self, length: int) -> None:
        """Drop the entries from ``length`` on, half-added ones included."""
        for column in self._columns.values():
            del column[length:]

    def entries(self, start: int = 0) -> Iterator[LedgerEntry]:
        """Yield the rows from ``start`` on."""
        return (LedgerEntry(*row) for row in zip(*(c[start:] for c in self._columns.values()), strict=True))

    def ledger(self) -> Ledger:
        """Return the ledger so far."""
        return Ledger.model_validate({name: tuple(column) for name, column in self._columns.items()})


class Ledger(Frozen):
    """Ledger entries stored by column, in the order in which they were recorded.

    Example:
        >>> entry = LedgerEntry(1, "uplink", "edge-0", "device-0", "edge-0", "adapters", 8, 8, 0.0, 0.5, 0.1)
        >>> Ledger.of([entry]).total("joules")
        0.1
    """

    round: Counts = ()
    event: tuple[Event, ...] = ()
    cell: Words = ()
    source: Words = ()
    target: Words = ()
    modules: Words = ()
    charged_bits: Counts = ()
    serialised_bits: Counts = ()
    start_s: Amounts = ()
    seconds: Amounts = ()
    joules: Amounts = ()

    @model_validator(mode="after")
    def _rectangular(self) -> Ledger:
        lengths = {name: len(getattr(self, name)) for name in LedgerEntry._fields}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the ledger's columns differ in length: {lengths}")
        return self

    @classmethod
    def of(cls, entries: list[LedgerEntry]) -> Ledger:
        """Return the ledger of some entries."""
        columns = zip(*entries, strict=True) if entries else ((),) * len(LedgerEntry._fields)
        return cls(**dict(zip(LedgerEntry._fields, columns, strict=True)))

    def __len__(self) -> int:
        return len(self.round)

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield the rows."""
        columns = (getattr(self, name) for name in LedgerEntry._fields)
        return (LedgerEntry(*row) for row in zip(*columns, strict=True))

    def array(self, column: str) -> NDArray[np.float64]:
        """Return a numeric column as an array."""
        return np.array(getattr(self, column), dtype=float)

    def total(self, column: str, *events: Event) -> float:
        """Return the sum of a numeric column over some events (none named: over all)."""
        values = self.array(column)
        if events:
            values = values[[event in events for event in self.event]]
        return float(values.sum())
