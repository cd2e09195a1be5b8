"""What the report needs to know of a comparison of methods; :class:`hffm_opt.comparison.Comparison` has this shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class DrawnFigure(Protocol):
    """Median and range of a figure over draws."""

    @property
    def median(self) -> float:
        """Median."""

    @property
    def low(self) -> float:
        """Least."""

    @property
    def high(self) -> float:
        """Largest."""


class DrawnFigures(Protocol):
    """Figures per round of a method that draws at random, over several seeds."""

    @property
    def count(self) -> int:
        """Number of draws."""

    @property
    def latency_s(self) -> DrawnFigure:
        """Latency per round."""

    @property
    def energy_j(self) -> DrawnFigure:
        """Energy per round."""


class ComparedMethod(Protocol):
    """One method: its figures per round, or the reason why it has none."""

    @property
    def method(self) -> str:
        """Name."""

    @property
    def feasible(self) -> bool:
        """Whether its plan keeps every limit."""

    @property
    def latency_s(self) -> float | None:
        """Latency per round."""

    @property
    def energy_j(self) -> float | None:
        """Energy per round."""

    @property
    def objective(self) -> float | None:
        """Objective, null where the plan is not feasible."""

    @property
    def gap_to_bound(self) -> float | None:
        """Relative distance to the best proven bound."""

    @property
    def seconds(self) -> float:
        """Wall-clock time of planning."""

    @property
    def reason(self) -> str | None:
        """Why the method has no feasible plan."""

    @property
    def draws(self) -> DrawnFigures | None:
        """Spread over seeds, for methods that draw; the row itself is one seed's."""


class ComparedMethods(Protocol):
    """A comparison of methods on one scenario under one objective."""

    @property
    def scenario(self) -> str:
        """Name of the scenario."""

    @property
    def objective_name(self) -> str:
        """What was minimised."""

    @property
    def bound(self) -> float | None:
        """Best proven lower bound on the objective."""

    @property
    def rows(self) -> Sequence[ComparedMethod]:
        """One per method."""


def strongest_other(comparison: ComparedMethods, method: str) -> ComparedMethod | None:
    """Return the feasible method with the least objective, besides ``method``; None where there is none."""
    others = [row for row in comparison.rows if row.feasible and row.objective is not None and row.method != method]
    return min(others, key=lambda row: (row.objective, row.method), default=None)
