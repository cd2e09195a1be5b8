"""A placement of experts: who trains which, who keeps copies, who fetches from whom, and what is proven."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from hffm_opt.cli.figures import figure, percent
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.plan.placement import PlacementPlan


def placement_view(plan: PlacementPlan) -> Iterator[RenderableType]:
    """Yield the hosts of every expert and the certificate."""
    made = table("expert", "trained by", "kept at", right=("fetches",))
    for module, nodes in plan.hosts.items():
        kept = sorted({f"{cache.edge} ({cache.host}'s)" for cache in plan.caches if cache.module == module})
        fetches = sum(fetch.module == module for fetch in plan.fetches)
        made.add_row(module, ", ".join(nodes), ", ".join(kept) or "-", str(fetches))
    yield titled(f"{plan.scenario.name}: experts and who trains them", made)
    cost = f"{figure(plan.train_j)} J of training a round, misfit {figure(plan.misfit)}, mixing {figure(plan.mixing)}. "
    if plan.objective is None:
        yield Text.assemble((f"{plan.method}: ", "bold"), cost, (plan.stop_reason, "bold red"))
    elif plan.bound is None:
        yield Text.assemble((f"{plan.method}: ", "bold"), cost, f"Objective {figure(plan.objective)}, nothing proven.")
    else:
        found = f"Objective {figure(plan.objective)}, bound {figure(plan.bound)}, gap {percent(plan.gap, 2)}."
        yield Text.assemble((f"{plan.method} ({plan.status}): ", "bold"), cost, found)
