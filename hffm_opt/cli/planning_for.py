"""``hffm plan --for``: which planner a purpose other than training goes to. One line a purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hffm_opt.cli import screen
from hffm_opt.cli.fronts import refuse

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

Purpose = Literal["training", "requests", "specialise"]
INFEASIBLE = 3


def plan_for(
    purpose: Purpose,
    scenario: str,
    *,
    method: str,
    out: Path | None,
    gap: float | None,
    time_limit: float | None,
    seed: int,
    json: bool,
    idle: Mapping[str, object],
) -> int:
    """Plan for a purpose, show it and write it as asked; return the exit code.

    ``idle`` are options that only the planning of training has, by name; those given are refused.
    """
    from hffm_opt.serial import check_writable, dump_json, write_text

    refuse(idle, f"these steer the planning of training, and --for {purpose} plans something else")
    if out is not None:
        check_writable(out)
    with screen.waiting(f"Planning {scenario} for {purpose}") as progress:
        found, shown, feasible = _PLANNERS[purpose](
            scenario, method=method, gap=gap, time_limit=time_limit, seed=seed, progress=progress
        )
    if out is not None:
        write_text(out, dump_json(found))
    if json:
        screen.document(found.model_dump(mode="json"))
    else:
        screen.show(*shown)
        if out is not None:
            screen.note(f"Written to {out}.")
    return 0 if feasible else INFEASIBLE


Planned = tuple["BaseModel", "tuple[RenderableType, ...]", bool]


def _requests(scenario: str, **asked: Any) -> Planned:
    from hffm_opt.cli.views.relaying import plans_view
    from hffm_opt.relayed import plan_requests

    plans = plan_requests(scenario, **asked)
    return plans, tuple(plans_view(plans)), plans.feasible


def _specialise(scenario: str, **asked: Any) -> Planned:
    from hffm_opt.cli.views.placement import placement_view
    from hffm_opt.placed import plan_specialisation

    plan = plan_specialisation(scenario, **asked)
    return plan, tuple(placement_view(plan)), plan.status != "infeasible"


_PLANNERS: dict[str, Callable[..., Planned]] = {"requests": _requests, "specialise": _specialise}
