"""What a benchmark is given and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[str], None]
"""Told what runs; a :class:`~hffm_opt.steps.Step` also says how many of how many pieces are done."""
Row = dict[str, Any]
"""One line of a benchmark's table: names (with units as suffixes) to JSON values."""


@dataclass(frozen=True)
class Setting:
    """How a benchmark runs: one repetition a seed; ``quick`` shrinks instances to seconds, to show that it works.

    ``scenarios`` are files of further networks, for the benchmarks that go over networks.
    """

    seeds: tuple[int, ...]
    quick: bool = False
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A figure that was aimed at: what, the limit in words, the figure measured, and whether it was met."""

    what: str
    limit: str
    measured: float
    met: bool


@dataclass(frozen=True)
class Findings:
    """What a benchmark found: the rows, the targets aimed at, the rule by which each run stopped, and remarks.

    Times are wall-clock seconds; every ratio compares two runs of the same call on the same machine. ``table`` is what
    people read where the rows themselves are too many; empty, it is the rows.
    """

    rows: tuple[Row, ...]
    stopping_rule: str
    targets: tuple[Target, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    table: tuple[Row, ...] = ()
