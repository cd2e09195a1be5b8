"""How the runs of a report are told apart: ink and dash, so that colour is never alone."""

from __future__ import annotations

from dataclasses import dataclass

_INKS = ("uplink", "cloud", "d2d", "downlink", "compute")
_DASHES = ("solid", "dashed", "dotted")


@dataclass(frozen=True)
class Series:
    """The look of one run's curve; ``dash`` is a line style of both matplotlib and CSS borders."""

    ink: str
    dash: str


def series(index: int) -> Series:
    """Return the look of the run at a place in the report (from 0); fifteen looks, then they repeat."""
    return Series(_INKS[index % len(_INKS)], _DASHES[index // len(_INKS) % len(_DASHES)])
