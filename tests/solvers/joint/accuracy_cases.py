"""Learning curves of different steepness, and the scenarios without a limit on Phi that they are tried on."""

import numpy as np

from hffm_opt.scenario.learning_curve import PUBLISHED_CURVE, LearningCurve


class FadingCurve(LearningCurve):
    """A curve whose last accuracy falls as Phi grows, so that targets go out of reach at a finite Phi."""

    lost: float
    half_drift: float

    def rounds_to(self, target, drift):
        """Return the rounds of the curve that ends at ``final`` less the share of ``lost`` that Phi takes."""
        phi = np.asarray(drift, dtype=float)
        with np.errstate(invalid="ignore"):
            last = self.final - self.lost * np.where(np.isinf(phi), 1.0, phi / (phi + self.half_drift))
        reached = target < last
        depth = -np.log1p(-target / np.where(reached, last, 1.0))
        return np.where(reached, self.rounds_of(self.scale_rounds * depth ** (1 / self.shape), phi), np.inf)


SLOWED = LearningCurve(final=0.6, scale_rounds=20.0, shape=1.0, half_rounds=0.5, unit_drift=0.5)
STEEP = FadingCurve(
    final=0.5, scale_rounds=20.0, shape=0.3, half_rounds=10.0, unit_drift=10.0, lost=0.4, half_drift=10.0
)
CURVES = {"gentle": (PUBLISHED_CURVE, 0.35), "slowed": (SLOWED, 0.4), "steep": (STEEP, 0.3)}
OBJECTIVES = ("time-to-accuracy", "energy-to-accuracy")


def without_drift_limit(scenario):
    """Return the scenario with any drift allowed."""
    return scenario.model_copy(update={"planning": scenario.planning.model_copy(update={"drift_max": None})})
