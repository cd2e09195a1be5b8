"""Plans of what a scenario asks for besides training and inference: requests for modules, and specialised nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hffm_opt.cli.planning_for import Asked, Made


def plan_requests(asked: Asked, progress: Callable[[str], None]) -> Made:
    """Plan who gives devices the modules that they lack."""
    from hffm_opt.cli.views.relaying import plans_view
    from hffm_opt.relayed import plan_requests

    plans = plan_requests(asked.scenario, progress=progress, **_search(asked))
    return Made(plans, plans_view(plans), _training(asked, "--plan"), plans.feasible)


def plan_specialisation(asked: Asked, progress: Callable[[str], None]) -> Made:
    """Plan which nodes keep and train which experts."""
    from hffm_opt.cli.views.placement import placement_view
    from hffm_opt.placed import plan_specialisation

    plan = plan_specialisation(asked.scenario, progress=progress, **_search(asked))
    return Made(plan, placement_view(plan), _training(asked, "--placement"), plan.status != "infeasible")


def _search(asked: Asked) -> dict[str, Any]:
    return {"method": asked.method, "gap": asked.gap, "time_limit": asked.time_limit, "seed": asked.seed}


def _training(asked: Asked, option: str) -> tuple[object, ...]:
    return ("train", asked.scenario, option, asked.out, "--rounds", 16)
