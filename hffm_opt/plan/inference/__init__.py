"""Plans of collaborative inference: what is decided, over which network, and the referee that judges them."""

from hffm_opt.plan.inference.model import (
    Calibration,
    ClassPlan,
    Exit,
    InferenceOutcome,
    InferencePlan,
    OpenAnswers,
    TaskExits,
)
from hffm_opt.plan.inference.network import InferenceProblem, build_inference
from hffm_opt.plan.inference.referee import InferenceEvaluation, evaluate_inference

__all__ = [
    "Calibration",
    "ClassPlan",
    "Exit",
    "InferenceEvaluation",
    "InferenceOutcome",
    "InferencePlan",
    "InferenceProblem",
    "OpenAnswers",
    "TaskExits",
    "build_inference",
    "evaluate_inference",
]
