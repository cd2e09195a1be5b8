"""Costs as predicted beside those measured, as the rows of a section's table."""

from __future__ import annotations

from typing import Protocol

from hffm_opt.report import numbers

CostRow = tuple[str, str, str, str]
"""What it is; predicted, measured, and the difference, as finished texts."""


class Costs(Protocol):
    """What something took that was planned and carried out."""

    @property
    def latency_s(self) -> float:
        """Seconds from its begin to its end."""

    @property
    def energy_j(self) -> float:
        """Joules of all nodes."""

    @property
    def bits(self) -> float:
        """Bits that crossed links, counted at every hop."""


def cost_rows(
    predicted: Costs, measured: Costs, names: tuple[str, str, str] = ("Simulated time", "Energy", "Data moved")
) -> tuple[CostRow, ...]:
    """Return the rows of seconds, joules and bits under the names given.

    Example:
        >>> from hffm_opt.trace.costs import SpentCosts
        >>> told, found = (SpentCosts(latency_s=seconds, energy_j=0.5, bits=8e6) for seconds in (2.0, 3.0))
        >>> cost_rows(told, found)[0]
        ('Simulated time', '2\u202fs', '3\u202fs', '+50\u202f%')
    """
    shown = zip(
        names,
        (numbers.seconds, numbers.joules, numbers.megabytes),
        (predicted.latency_s, predicted.energy_j, predicted.bits),
        (measured.latency_s, measured.energy_j, measured.bits),
        strict=True,
    )
    return tuple((name, show(told), show(found), off(told, found)) for name, show, told, found in shown)


def off(predicted: float, measured: float) -> str:
    """Return by how much a figure differs from the one predicted.

    >>> off(4.0, 3.0)
    '\u221225\u202f%'
    """
    return numbers.difference((measured - predicted) / predicted if predicted else measured)
