r"""The learning curve that planning assumes: accuracy by rounds and by the learning penalty Phi ("drift").

    a = A (1 - exp(-(t / K)^b))                    accuracy after the progress t
    t = k / (1 + min(k, delta) / R)                progress of k rounds, counted in rounds without drift
    delta = sqrt(Phi / phi_1)                      how many rounds copies walk on their own before they meet

Phi grows with the square of the rounds between averages, so its root is a length of time, and phi_1 is the Phi of one
round apart. Rounds apart slow progress down, by half once they are R; but no run has been apart for longer than it
runs, hence the ``min``. Solved for the rounds,

    N(t, Phi) = min(t (1 + delta / R), t / (1 - t / R))          the second only while t < R, endless from there on

which never falls as Phi grows. A run that never averages (Phi endless) stops short of the progress R, so what lies
beyond is never reached; with averages every accuracy below A is, in the end. Measured curves refit the five numbers
(see :mod:`hffm_opt.measurement.surrogate`); ``docs/surrogate.md`` tells how well they predict.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hffm_opt.scenario.frozen import Frozen

Positive = Annotated[float, Field(gt=0, le=1e9)]
Final = Annotated[float, Field(gt=0, le=1)]
Floats = NDArray[np.float64]


class LearningCurve(Frozen):
    """The five numbers of the curve.

    ``final`` is A, the accuracy after ever so many rounds; ``scale_rounds`` K and ``shape`` b say how fast it is
    approached without drift; ``half_rounds`` is R, the rounds apart that halve progress; ``unit_drift`` is phi_1, the
    Phi of one round apart.

    Example:
        >>> curve = LearningCurve(final=0.5, scale_rounds=25, shape=0.5, half_rounds=28, unit_drift=0.75)
        >>> bool(0.0 == curve.accuracy(0, 5.0) < curve.accuracy(10, 5.0) < curve.accuracy(10, 0.0))
        True
        >>> print(curve.rounds_to(0.3, [0.0, 47.25, float("inf")]).round(1))
        [21.  26.9 83.8]
    """

    final: Final
    scale_rounds: Positive
    shape: Positive
    half_rounds: Positive
    unit_drift: Positive

    def accuracy(self, rounds: ArrayLike, drift: ArrayLike) -> Floats:
        """Return the accuracy after some rounds at a learning penalty; both broadcast.

        Args:
            rounds: rounds run, finite and at least 0.
            drift: Phi, at least 0; infinite for no average ever.
        """
        return self.accuracy_at(self.progress(rounds, drift))

    def rounds_to(self, target: float, drift: ArrayLike) -> Floats:
        """Return the rounds until an accuracy is reached, infinite where it never is; nondecreasing in the drift."""
        return self.rounds_of(self.progress_to(target), drift)

    def progress(self, rounds: ArrayLike, drift: ArrayLike) -> Floats:
        """Return what some rounds at a learning penalty are worth, in rounds without drift; both broadcast."""
        k = np.asarray(rounds, dtype=float)
        return np.asarray(np.maximum(k / (1 + self._apart(drift) / self.half_rounds), k / (1 + k / self.half_rounds)))

    def rounds_of(self, progress: ArrayLike, drift: ArrayLike) -> Floats:
        """Return the rounds that a progress takes at a learning penalty, the inverse of :meth:`progress`."""
        t, apart = np.broadcast_arrays(np.asarray(progress, dtype=float), self._apart(drift))
        left = 1 - t / self.half_rounds
        alone = np.where(left > 0, t / np.where(left > 0, left, 1.0), np.inf)
        with np.errstate(invalid="ignore"):
            met = np.where(t > 0, t * (1 + apart / self.half_rounds), 0.0)
        return np.asarray(np.minimum(met, alone))

    def rounds_between(self, done: float, wanted: float, drift: ArrayLike) -> Floats:
        """Return the rounds from one progress to another: none where it is behind, infinite where it is never reached.

        Args:
            done, wanted: progress in rounds without drift.
            drift: Phi on the way, at least 0; infinite for no average ever.

        Example:
            >>> print(PUBLISHED_CURVE.rounds_between(10.0, 30.0, [0.0, float("inf")]))
            [20. inf]
        """
        if wanted <= done:
            return self.rounds_of(0.0, drift)
        whole, passed = self.rounds_of(wanted, drift), self.rounds_of(done, drift)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(np.isinf(whole), np.inf, whole - passed))

    def accuracy_at(self, progress: ArrayLike) -> Floats:
        """Return the accuracy after a progress in rounds without drift."""
        return np.asarray(
            self.final * -np.expm1(-((np.asarray(progress, dtype=float) / self.scale_rounds) ** self.shape))
        )

    def progress_to(self, target: float) -> float:
        """Return the progress at which an accuracy is reached, infinite from ``final`` on."""
        if target >= self.final:
            return float("inf")
        with np.errstate(over="ignore"):
            depth = np.float64(-np.log1p(-max(target, 0.0) / self.final))
            return float(self.scale_rounds * depth ** (1 / self.shape))

    def _apart(self, drift: ArrayLike) -> Floats:
        with np.errstate(over="ignore"):
            return np.asarray(np.sqrt(np.asarray(drift, dtype=float) / self.unit_drift))


# Fitted to the training logs in the repository payamsiabd/M3T-FFM (arXiv 2509.03695), the mean accuracy over GQA and
# AQUA in complete epochs of four runs; Phi counted on the scenario `paper`. Rederived in tests/reference.
PUBLISHED_CURVE = LearningCurve(final=0.5148, scale_rounds=26.56, shape=0.4745, half_rounds=27.55, unit_drift=0.9821)
PUBLISHED_UNIT = 0.75
"""Phi of cells one round apart on the scenario `paper`, the unit that the published curve was fitted in."""


def published_curve(unit_drift: float = PUBLISHED_UNIT) -> LearningCurve:
    """Return the published curve for a scenario whose divergences give another Phi to cells one round apart.

    Example:
        >>> published_curve(1.5).rounds_to(0.3, 94.5) == PUBLISHED_CURVE.rounds_to(0.3, 47.25)
        np.True_
    """
    scale = unit_drift / PUBLISHED_UNIT
    return PUBLISHED_CURVE.model_copy(update={"unit_drift": PUBLISHED_CURVE.unit_drift * scale})
