"""The learning curve that planning assumes where neither the call nor the scenario names one.

It is the one fitted to the published accuracy curves of arXiv 2509.03695; refit it from measured curves where there are
any.
"""

from hffm_opt.scenario.learning_curve import PUBLISHED_CURVE as DEFAULT

__all__ = ["DEFAULT"]
