"""The learning curve that planning assumes where neither the call nor the scenario names one.

Fitted to the published accuracy curves of arXiv 2509.03695. It says nothing of plans whose Phi lies far beyond that of
the published rows; refit it from measured curves where there are any.
"""

from __future__ import annotations

import math

from hffm_opt.scenario.learning_curve import LearningCurve

DEFAULT = LearningCurve(
    final=0.532,
    final_loss=0.104,
    scale_rounds=math.exp(3.428),
    shape=0.441,
    slowdown=0.0,
    half_drift=math.exp(4.812),
)
