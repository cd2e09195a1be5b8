r"""The learning curve that planning assumes: accuracy as a function of rounds and of the learning penalty Phi.

    a(k, Phi) = A(Phi) (1 - exp(-(k / K(Phi))^b))        A(Phi) = A_0 - D s,  K(Phi) = K_0 (1 + g s)
    s = Phi / (Phi + Phi_half)                           0 without drift, towards 1 with ever more

so the rounds to a target, ``N(Phi) = K (-ln(1 - target / A))^{1/b}``, never fall as Phi grows, and are without end where
the curve stays below the target. Measured curves refit it (see :mod:`hffm_opt.measurement`).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hffm_opt.scenario.frozen import Frozen

Positive = Annotated[float, Field(gt=0, le=1e9)]
NonNegative = Annotated[float, Field(ge=0, le=1e9)]
Share = Annotated[float, Field(ge=0, le=1)]
Floats = NDArray[np.float64]


class LearningCurve(Frozen):
    """The five numbers of the curve, and Phi at which half of what drift costs is lost.

    ``final`` is A_0, the accuracy after ever so many rounds without drift; ``final_loss`` D, what endless drift takes
    from it; ``scale_rounds`` K_0 and ``shape`` b say how fast it is approached; ``slowdown`` is g.

    Example:
        >>> curve = LearningCurve(final=0.5, final_loss=0.1, scale_rounds=20, shape=0.5, slowdown=0.2, half_drift=100)
        >>> 0.0 == curve.accuracy(0, 5.0) < curve.accuracy(10, 5.0) < curve.accuracy(10, 0.0)
        True
    """

    final: Share
    final_loss: Share
    scale_rounds: Positive
    shape: Positive
    slowdown: NonNegative
    half_drift: Positive

    def _at(self, drift: ArrayLike) -> tuple[Floats, Floats]:
        phi = np.asarray(drift, dtype=float)
        share = np.where(np.isinf(phi), 1.0, phi / (np.where(np.isinf(phi), 0.0, phi) + self.half_drift))
        return self.final - self.final_loss * share, self.scale_rounds * (1 + self.slowdown * share)

    def accuracy(self, rounds: ArrayLike, drift: ArrayLike) -> Floats:
        """Return the accuracy after some rounds at a learning penalty; both broadcast."""
        final, scale = self._at(drift)
        return np.asarray(
            np.maximum(final, 0.0) * -np.expm1(-((np.asarray(rounds, dtype=float) / scale) ** self.shape))
        )

    def rounds_to(self, target: float, drift: ArrayLike) -> Floats:
        """Return the rounds until an accuracy is reached, infinite where it never is; nondecreasing in the drift."""
        final, scale = self._at(drift)
        reachable = final > target
        left = np.where(reachable, 1.0 - target / np.where(reachable, final, 1.0), 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.where(reachable, scale * (-np.log(left)) ** (1 / self.shape), np.inf))
