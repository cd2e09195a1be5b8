"""What is decided, and the referee that judges it."""

from hffm_opt.plan.circulation import Circulation, ModuleCirculation, Tier
from hffm_opt.plan.model import Arc, CellPlan, Plan, RoundPlan, Tree
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import Evaluation, evaluate_plan

__all__ = [
    "Arc",
    "CellPlan",
    "Circulation",
    "Evaluation",
    "ModuleCirculation",
    "Outcome",
    "Plan",
    "RoundPlan",
    "Tier",
    "Tree",
    "evaluate_plan",
]
