"""A training by walks, read from its directory and checked for consistency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.walk_referee import check_walk
from hffm_opt.plan.walks import WalkPlan
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.report.run import SCENARIO
from hffm_opt.scenario.read import read_scenario
from hffm_opt.serial import read_model
from hffm_opt.trace.files import LEDGER
from hffm_opt.trace.walks import WALK, WALK_TRACE, WalkTrace, read_walk_trace

WALK_FILES = (SCENARIO, WALK, WALK_TRACE, LEDGER)


@dataclass(frozen=True, eq=False)
class Walked:
    """Everything that a directory of ``hffm train --walk`` tells."""

    name: str
    problem: Problem
    plan: WalkPlan
    trace: WalkTrace


def read_walked(directory: Path) -> Walked:
    """Read the directory of a training by walks.

    Raises:
        InputError: files are missing, broken, or do not belong together; missing files are all named at once.
    """
    missing = [name for name in WALK_FILES if not (directory / name).is_file()]
    if missing:
        message = f"not a complete training by walks: {', '.join(missing)} missing"
        repair = f"write one with: hffm train SCENARIO --walk fastest-mixing -o {directory}"
        raise InputError.one(str(directory), message, repair)
    problem = build_problem(read_scenario(directory / SCENARIO))
    plan = read_model(directory / WALK, WalkPlan, "plan of walks")
    trace = read_walk_trace(directory)
    told = (problem.fingerprint, plan.method)
    same = {
        WALK: plan.scenario.fingerprint == problem.fingerprint,
        WALK_TRACE: (trace.header.fingerprint, trace.header.method) == told,
    }
    strange = [name for name, fits in same.items() if not fits]
    if strange:
        message, repair = "it belongs to another run than the files beside it", "give a directory of one call"
        raise InputError([Finding(str(directory / name), message, repair) for name in strange])
    check_walk(problem, plan)
    return Walked(directory.resolve().name, problem, plan, trace)
