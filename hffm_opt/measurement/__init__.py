"""What a run achieved and cost, beside what was predicted."""

from hffm_opt.measurement.measure import accuracy_curve, ledger_costs, measure
from hffm_opt.measurement.model import Costs, CurvePoint, Measurement, Target

__all__ = ["Costs", "CurvePoint", "Measurement", "Target", "accuracy_curve", "ledger_costs", "measure"]
