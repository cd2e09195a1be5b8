"""Plans of what a scenario asks for besides training and inference: requests for modules, and specialised nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hffm_opt.cli import screen
from hffm_opt.cli.fronts import refuse
from hffm_opt.cli.planning_for import Asked

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

Planned = tuple["BaseModel", "tuple[RenderableType, ...]", bool]


def plan_requests(asked: Asked) -> int:
    """Plan who gives devices the modules that they lack; return the exit code."""

    def planned(scenario: str, **how: Any) -> Planned:
        from hffm_opt.cli.views.relaying import plans_view
        from hffm_opt.relayed import plan_requests

        plans = plan_requests(scenario, **how)
        return plans, tuple(plans_view(plans)), plans.feasible

    return _plan(asked, "requests", "--plan", planned)


def plan_specialisation(asked: Asked) -> int:
    """Plan which nodes keep and train which experts; return the exit code."""

    def planned(scenario: str, **how: Any) -> Planned:
        from hffm_opt.cli.views.placement import placement_view
        from hffm_opt.placed import plan_specialisation

        plan = plan_specialisation(scenario, **how)
        return plan, tuple(placement_view(plan)), plan.status != "infeasible"

    return _plan(asked, "specialise", "--placement", planned)


def _plan(asked: Asked, purpose: str, option: str, planned: Callable[..., Planned]) -> int:
    """Plan, show and write as asked; return the exit code. ``option`` hands the plan to ``hffm train``."""
    from hffm_opt.serial import check_writable, dump_json, write_text

    idle = {
        "--objective": None if asked.objective == "weighted" else asked.objective,
        "--latency-weight": asked.latency_weight,
        "--energy-weight": asked.energy_weight,
        "--exits": asked.exits,
    }
    refuse(idle, f"these belong to other plans, not to --for {purpose}")
    if asked.out is not None:
        check_writable(asked.out, asked.scenario)
    how = {"method": asked.method, "gap": asked.gap, "time_limit": asked.time_limit, "seed": asked.seed}
    with screen.waiting(f"Planning {asked.scenario} for {purpose}") as progress:
        found, shown, feasible = planned(asked.scenario, **how, progress=progress)
    if asked.out is not None:
        write_text(asked.out, dump_json(found))
    if asked.json:
        screen.document(found.model_dump(mode="json"))
    else:
        screen.show(*shown)
        if asked.out is not None:
            call = screen.command("train", asked.scenario, option, asked.out, "--rounds", 16)
            screen.note(f"Written to {asked.out}." + (f" Next: {call}" if feasible else ""))
    return 0 if feasible else screen.INFEASIBLE
