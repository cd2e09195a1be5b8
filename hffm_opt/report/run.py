"""A run directory, read whole and checked for consistency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hffm_opt.measurement.model import Costs, Measurement
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import Evaluation, evaluate_plan
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.report.whole import refuse_missing, refuse_strangers
from hffm_opt.scenario.read import read_scenario
from hffm_opt.serial import read_model
from hffm_opt.trace.files import LEDGER, read_trace
from hffm_opt.trace.metrics import METRICS, TRACE
from hffm_opt.trace.model import Trace

SCENARIO, PLAN, OUTCOME, MEASUREMENT = "scenario.yaml", "plan.json", "outcome.json", "measurement.json"
FILES = (SCENARIO, PLAN, OUTCOME, TRACE, METRICS, LEDGER, MEASUREMENT)


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that a run directory tells, and the referee's view of its plan.

    ``began`` is what a run in phases had spent before this phase of it; None for a run that is one alone.
    """

    name: str
    problem: Problem
    plan: Plan
    outcome: Outcome
    trace: Trace
    measurement: Measurement
    evaluation: Evaluation
    began: Costs | None = None

    @property
    def rounds(self) -> int:
        """Complete rounds."""
        return self.measurement.rounds


def read_run(directory: Path) -> Run:
    """Read a run directory as ``hffm train`` writes it.

    Raises:
        InputError: files are missing, broken, or do not belong together; missing files are all named at once.
    """
    refuse_missing(directory, FILES, "a complete run", "hffm train SCENARIO --rounds N")
    scenario = read_scenario(directory / SCENARIO)
    plan = read_model(directory / PLAN, Plan, "plan")
    outcome = read_model(directory / OUTCOME, Outcome, "outcome")
    measurement = read_model(directory / MEASUREMENT, Measurement, "measurement")
    trace = read_trace(directory)
    problem = problem_for(build_problem(scenario), plan)
    header = trace.header
    told = (header.fingerprint, header.method, header.seed, len(trace.rounds))
    fits = {
        PLAN: plan.scenario.fingerprint == problem.fingerprint,
        OUTCOME: outcome.plan == plan,
        TRACE: header.fingerprint == problem.fingerprint and header.method == plan.method,
        MEASUREMENT: (measurement.fingerprint, measurement.method, measurement.seed, measurement.rounds) == told,
    }
    refuse_strangers(directory, fits, "hffm train")
    evaluation = evaluate_plan(problem, plan)
    return Run(directory.resolve().name, problem, plan, outcome, trace, measurement, evaluation)
