"""Learning curves of different steepness, and the scenarios without a limit on Phi that they are tried on."""

from hffm_opt.scenario.learning_curve import LearningCurve

GENTLE = LearningCurve(final=0.532, final_loss=0.104, scale_rounds=30.0, shape=0.44, slowdown=0.0, half_drift=120.0)
SLOWED = LearningCurve(final=0.6, final_loss=0.05, scale_rounds=20.0, shape=1.0, slowdown=30.0, half_drift=50.0)
STEEP = LearningCurve(final=0.5, final_loss=0.4, scale_rounds=20.0, shape=0.3, slowdown=1.0, half_drift=10.0)
CURVES = {"gentle": (GENTLE, 0.35), "slowed": (SLOWED, 0.4), "steep": (STEEP, 0.3)}
OBJECTIVES = ("time-to-accuracy", "energy-to-accuracy")


def without_drift_limit(scenario):
    """Return the scenario with any drift allowed."""
    return scenario.model_copy(update={"planning": scenario.planning.model_copy(update={"drift_max": None})})
