"""Plans, outcomes and fronts from the files that planning writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hffm_opt.errors import InputError
from hffm_opt.plan.front import ParetoFront
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.serial import parse_text, read_text, validate

PlanLike = Plan | Outcome | str | Path


def load_plan(path: str | Path) -> Plan:
    """Read a plan from a JSON file: a plan alone, or an outcome that holds one under ``plan``.

    Raises:
        InputError: missing file, broken JSON, or a plan with faults; all faults at once.
    """
    data = _data(path)
    if isinstance(data, dict) and isinstance(data.get("plan"), dict):
        data = data["plan"]
    return validate(data, Plan, "plan", str(path))


def load_outcome(path: str | Path) -> Outcome | None:
    """Read an outcome from a JSON file as ``hffm plan -o`` writes it; None if the file holds a plan alone.

    Raises:
        InputError: missing file, broken JSON, or an outcome with faults; all faults at once.
    """
    data = _data(path)
    whole = isinstance(data, dict) and "plan" in data
    return validate(data, Outcome, "outcome", str(path)) if whole else None


def load_front(path: str | Path) -> ParetoFront:
    """Read a latency-energy front from a JSON file as ``hffm plan --objective pareto -o`` writes it.

    Raises:
        InputError: missing file, broken JSON, or a front with faults; all faults at once.
    """
    data = parse_text(read_text(Path(path), "front"), str(path))
    if isinstance(data, dict) and data.get("format") != ParetoFront.model_fields["format"].default:
        raise InputError.one(str(path), "this is no front", "write one with: hffm plan S --objective pareto -o FRONT")
    return validate(data, ParetoFront, "front", str(path))


def plan_of(plan: PlanLike) -> Plan:
    """Return the plan of a plan, of an outcome, or of the file of either.

    Raises:
        InputError: as :func:`load_plan`.
    """
    if isinstance(plan, Plan):
        return plan
    return plan.plan if isinstance(plan, Outcome) else load_plan(plan)


def _data(path: str | Path) -> Any:
    data = parse_text(read_text(Path(path), "plan"), str(path))
    if isinstance(data, dict) and data.get("format") == ParetoFront.model_fields["format"].default:
        raise InputError.one(str(path), "this is a front of many plans", "give one entry of its 'points' as a file")
    return data
