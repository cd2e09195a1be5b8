"""The headline of a page that is not, or not first of all, about a single run of training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """A figure that stands out; ``meter`` is a share of one, ``tick`` a mark on it."""

    name: str
    value: str
    notes: tuple[str, ...] = ()
    meter: float | None = None
    tick: float | None = None
    words: bool = False


@dataclass(frozen=True)
class Lead:
    """What stands at the top: the scenario, a claim, figures, and notes; ``warnings`` are notes that must be seen."""

    scenario: str
    description: str
    claim: str
    tiles: tuple[Tile, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
