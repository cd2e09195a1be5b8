"""How well the surrogate foretells a run it has not seen: each run left out in turn, and predicted from the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hffm_opt.errors import InputError
from hffm_opt.measurement.run_points import RunPoints
from hffm_opt.measurement.surrogate import Interval, fit_curves, rounds_left, rounds_left_interval
from hffm_opt.scenario.learning_curve import PUBLISHED_UNIT


class LeftOut(NamedTuple):
    """A run's rounds to a target, predicted from the other runs.

    ``observed`` is the first evaluated round that reached the target, None where none did in the run's ``rounds``.
    ``interval`` is that of such a reading (90 %). ``outside`` says that the run's learning penalty lies outside those
    of the others: the fit extrapolates.
    """

    run: str
    drift: float
    target: float
    rounds: int
    observed: int | None
    predicted: float
    interval: Interval
    outside: bool

    @property
    def error(self) -> float:
        """Relative error; for a target that was not reached, how much too early within the run it was expected."""
        if self.observed is None:
            return min(self.predicted / self.rounds - 1, 0.0)
        return self.predicted / self.observed - 1


def leave_one_out(
    runs: Mapping[str, RunPoints], targets: Iterable[float], unit_drift: float = PUBLISHED_UNIT, seed: int = 0
) -> tuple[LeftOut, ...]:
    """Leave out each run in turn, fit the others, and predict its rounds to each target.

    Args:
        runs: the points of at least two runs, each under one circulation.
        targets: mean accuracies over the tasks, 0 to 1.
        unit_drift: phi_1 as the scenario's divergences have it.
        seed: of the intervals.

    Raises:
        InputError: there are fewer than two runs, or a run's circulation changed or was never evaluated.
    """
    if len(runs) < 2:
        raise InputError.one("runs", "with one left out there is nothing to fit", "give at least two runs")
    for name, run in runs.items():
        if len(set(run.drift)) != 1 or not run.rounds:
            message = "a run to compare with has points, and one circulation from start to end"
            raise InputError.one(f"runs.{name}", message, "leave it out")
    wanted, rows = tuple(targets), []
    for name, run in runs.items():
        others = [other for key, other in runs.items() if key != name]
        fitted, drift = fit_curves(others, unit_drift), run.drift[0]
        known = [other.drift[0] for other in others]
        for target in wanted:
            reached = (k for k, a in zip(run.rounds, run.accuracy, strict=True) if a >= target)
            rows.append(
                LeftOut(
                    run=name,
                    drift=drift,
                    target=target,
                    rounds=len(run.drift),
                    observed=next(reached, None),
                    predicted=rounds_left(fitted, target, drift),
                    interval=rounds_left_interval(fitted, target, drift, seed=seed, reading=True),
                    outside=not min(known) <= drift <= max(known),
                )
            )
    return tuple(rows)


def leave_one_out_table(rows: Iterable[LeftOut]) -> str:
    """Return the rows as a Markdown table.

    Example:
        >>> row = LeftOut("E = 8", 47.25, 0.3, 56, 25, 24.0, Interval(23.0, 24.0, 25.5), outside=False)
        >>> print(leave_one_out_table([row]).splitlines()[-1])
        | E = 8 | 47.25 | 30 % | 25 | 24.0 (23.0 to 25.5) | -4.0 % | no |
    """
    lines = [
        "| run left out | Phi | target | rounds, observed | predicted (90 %) | error | Phi outside the others' |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        observed = f"not in {row.rounds}" if row.observed is None else str(row.observed)
        low, high = (f"{value:.1f}" if math.isfinite(value) else "never" for value in row.interval[::2])
        expected = f"{row.predicted:.1f}" if math.isfinite(row.predicted) else "never"
        cells = (
            row.run,
            f"{row.drift:.2f}",
            f"{100 * row.target:g} %",
            observed,
            f"{expected} ({low} to {high})",
            f"{100 * row.error:+.1f} %",
            "yes" if row.outside else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
