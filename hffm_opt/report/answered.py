"""A directory of answers, as ``hffm infer -o`` writes it, read whole and checked for consistency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.inference import InferenceOutcome, InferencePlan, InferenceProblem, build_inference
from hffm_opt.plan.inference.files import load_inference
from hffm_opt.plan.inference.referee import check_inference_plan, with_exits_of
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.model import CLOUD
from hffm_opt.scenario.read import read_scenario
from hffm_opt.trace.inference import (
    INFERENCE,
    LEDGER,
    PLAN,
    SCENARIO,
    InferenceEntry,
    InferenceTrace,
    read_inference,
)

_REPAIR = "give a directory as one call of 'hffm infer' wrote it"


@dataclass(frozen=True, eq=False)
class Answered:
    """Requests that were answered; ``problem`` has the plan's exits, ``outcome`` is None where a bare plan was run."""

    name: str
    problem: InferenceProblem
    plan: InferencePlan
    outcome: InferenceOutcome | None
    trace: InferenceTrace
    ledger: tuple[InferenceEntry, ...]

    def tier(self, node: str, device: str) -> str:
        """Return where a node is for a device that asks: ``device``, ``peer``, ``edge`` or ``cloud``."""
        if node == CLOUD:
            return "cloud"
        if any(edge.name == node for edge in self.problem.problem.scenario.edges):
            return "edge"
        return "device" if node == device else "peer"


def read_answered(directory: Path) -> Answered:
    """Read a directory of answers.

    Raises:
        InputError: files are missing, broken, or do not belong together; missing files are all named at once.
    """
    missing = [name for name in (SCENARIO, PLAN, INFERENCE, LEDGER) if not (directory / name).is_file()]
    if missing:
        message = f"not complete answers: {', '.join(missing)} missing"
        repair = f"write them with: hffm infer SCENARIO --plan PLAN -o {directory}"
        raise InputError.one(str(directory), message, repair)
    scenario = read_scenario(directory / SCENARIO)
    read = load_inference(directory / PLAN)
    outcome = read if isinstance(read, InferenceOutcome) else None
    plan = read.plan if isinstance(read, InferenceOutcome) else read
    trace, ledger = read_inference(directory)
    problem = build_inference(build_problem(scenario))
    told = (plan.scenario.fingerprint, plan.method, [part.name for part in plan.classes])
    same = {
        PLAN: plan.scenario.fingerprint == problem.reference.fingerprint,
        INFERENCE: (trace.scenario.fingerprint, trace.method, [found.name for found in trace.classes]) == told,
    }
    strange = [name for name, fits in same.items() if not fits]
    if strange:
        message = "it belongs to other answers than the files beside it"
        raise InputError([Finding(str(directory / name), message, _REPAIR) for name in strange])
    check_inference_plan(problem, plan)
    return Answered(directory.resolve().name, with_exits_of(problem, plan), plan, outcome, trace, tuple(ledger))
