"""The accuracies of a run as the surrogate reads them: with the learning penalty in force in each round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from hffm_opt.errors import InputError
from hffm_opt.measurement.model import Measurement, after_averages
from hffm_opt.scenario.learning_curve import Floats, LearningCurve


@dataclass(frozen=True)
class RunPoints:
    """Accuracies of one run (n points), and what its rounds (m of them) were like.

    ``rounds`` [n] are the evaluated rounds, counted from 1, and ``accuracy`` [n] in 0..1 what was read there;
    ``drift`` [m] is Phi in force in each round from the first, ``share`` [m] the share of all samples that trained in
    it: a round with half of them counts as half a round. All points must be of one phase of the rounds.

    Raises:
        InputError: a figure is no number or out of its range, or the lengths do not match.

    Example:
        >>> RunPoints.steady(rounds=[4, 8], accuracy=[0.2, 0.3], drift=2.25).drift
        (2.25, 2.25, 2.25, 2.25, 2.25, 2.25, 2.25, 2.25)
    """

    rounds: tuple[int, ...]
    accuracy: tuple[float, ...]
    drift: tuple[float, ...]
    share: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, most in (("rounds", len(self.drift)), ("accuracy", 1), ("drift", np.inf), ("share", 1)):
            values = np.array(getattr(self, name), dtype=float)
            least = 1 if name == "rounds" else 0
            bad = np.flatnonzero(~((values >= least) & (values <= most)))
            if bad.size:
                where = f"points.{name}[{bad[0]}]"
                said = "is not a number" if np.isnan(values[bad[0]]) else f"is not within {least} to {most:g}"
                raise InputError.one(where, f"{values[bad[0]]:g} {said}", "give what was measured, or leave it out")
        if len(self.rounds) != len(self.accuracy):
            message = f"{len(self.accuracy)} accuracies for {len(self.rounds)} rounds"
            raise InputError.one("points.accuracy", message, "give one accuracy for each evaluated round")
        if self.share and len(self.share) != len(self.drift):
            message = f"{len(self.share)} shares for {len(self.drift)} rounds"
            raise InputError.one("points.share", message, "give one share for each round, or none at all")

    @classmethod
    def steady(cls, rounds: Iterable[int], accuracy: Iterable[float], drift: float) -> RunPoints:
        """Return the points of a run under one circulation, whose learning penalty is ``drift``."""
        number = tuple(int(k) for k in rounds)
        return cls(number, tuple(float(a) for a in accuracy), (float(drift),) * max(number, default=0))

    @classmethod
    def of(cls, measurement: Measurement, drift: ArrayLike, share: Iterable[float] = ()) -> RunPoints:
        """Return the points of a measured run: mean accuracies over the tasks, right after an average.

        Where a run never averages, every point counts.

        Args:
            measurement: the run.
            drift: Phi in force in each of its rounds [rounds], or one number for all.
            share: the share of all samples that trained in each round [rounds]; all of them, if empty.

        Raises:
            InputError: there is not one Phi for each round, or a figure is out of its range.
        """
        phi = np.atleast_1d(np.asarray(drift, dtype=float))
        if phi.shape not in ((1,), (measurement.rounds,)):
            message = f"Phi has the shape {phi.shape} for a run of {measurement.rounds} rounds"
            raise InputError.one("points.drift", message, "give one number for each round, or one for all")
        points = after_averages(measurement.curve)
        return cls(
            tuple(point.round for point in points),
            tuple(point.mean for point in points),
            tuple(np.broadcast_to(phi, (measurement.rounds,)).tolist()),
            tuple(share),
        )

    def progress(self, curve: LearningCurve) -> Floats:
        """Return the progress after each round, 0 first [m + 1], in rounds without drift.

        Progress continues from one circulation to the next: it counts as the rounds that would have led to it under
        the circulation that follows. Under one that never gets so far, nothing is gained any more.
        """
        drift, share = np.array(self.drift), np.array(self.share or (1.0,) * len(self.drift))
        changes = [0, *(np.flatnonzero(drift[1:] != drift[:-1]) + 1).tolist(), len(drift)]
        reached = [np.zeros(1)]
        for start, end in pairwise(changes):
            before = reached[-1][-1]
            if start == end:
                break
            passed = curve.rounds_of(before, drift[start])
            if np.isfinite(passed):
                reached.append(curve.progress(passed + np.cumsum(share[start:end]), drift[start]))
            else:
                reached.append(np.full(end - start, before))
        return np.concatenate(reached)
