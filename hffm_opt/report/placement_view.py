"""From a placement of experts to what its section shows: who trains, keeps and fetches which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hffm_opt.plan.fetching import fetch_cost, fetch_paths
from hffm_opt.report import numbers
from hffm_opt.report.figures.copies import CopyHop, copies_map
from hffm_opt.report.groups import ModuleGroup, grouped
from hffm_opt.report.placed import Placed
from hffm_opt.report.proof import proof_words
from hffm_opt.report.svg import Drawing

MOST_NODES = 200  # rows of the table
_UNIT = "which weighs joules of training, fetches, misfit and what averages mix in a round"


@dataclass(frozen=True)
class Holding:
    """What a node has to do with an expert: ``kind`` is ``trains``, ``keeps``, ``fetches`` or nothing."""

    kind: str
    text: str


@dataclass(frozen=True)
class PlacementView:
    """The section of a placement; ``left_out`` nodes are not in the table."""

    label: str
    method: str
    stop_reason: str
    verdict: str
    proof: str
    experts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Holding, ...]], ...]
    left_out: int
    facts: tuple[tuple[str, str], ...]
    groups: tuple[ModuleGroup, ...]
    drawing: Drawing | None
    figures: tuple[tuple[str, Drawing], ...]
    lead: None = None
    provenance: tuple[tuple[str, str], ...] = ()


def placement_view(placed: Placed, identity: str, several: bool) -> PlacementView:
    """Return what is shown of a placement; of ``several``, each is named after its run."""
    plan, problem = placed.plan, placed.run.problem
    # Every fetch is the same, however many rounds lie between two.
    fetching = plan.fetching(every=1)
    experts = tuple(plan.hosts)
    groups = grouped(problem, {module: module for module in experts})
    drawing = None
    if fetching is not None:
        bits = dict(zip(problem.modules, problem.payload_bit.tolist(), strict=True))
        hops = [
            CopyHop(*pair, fetch.module, bits[fetch.module])
            for (fetch, _, _), path in zip(fetching.copies(), fetch_paths(problem, fetching), strict=True)
            for pair in pairwise(path)
        ]
        receivers = {fetch.device for fetch in plan.fetches}
        drawing = copies_map(problem, hops, receivers, groups, "experts that are fetched", f"{identity}-map")
    rows = tuple(_rows(placed))
    verdict, proof = proof_words(plan, _UNIT, "placement")
    name = placed.run.name
    return PlacementView(
        label=name if several else "",
        method=plan.method,
        stop_reason=plan.stop_reason,
        verdict=verdict,
        proof=proof,
        experts=experts,
        rows=rows[:MOST_NODES],
        left_out=len(rows[MOST_NODES:]),
        facts=tuple(_facts(placed)),
        groups=groups,
        drawing=drawing,
        figures=() if drawing is None else ((f"fetches-{name}" if several else "fetches", drawing),),
    )


def _rows(placed: Placed) -> Iterator[tuple[str, tuple[Holding, ...]]]:
    plan = placed.plan
    fetched = {(fetch.device, fetch.module): fetch for fetch in plan.fetches}
    kept: dict[tuple[str, str], list[str]] = {}
    for cache in plan.caches:
        kept.setdefault((str(cache.edge), cache.module), []).append(cache.host)

    def holding(node: str, module: str) -> Holding:
        if node in plan.hosts[module]:
            return Holding("trains", "trains it")
        if (node, module) in kept:
            return Holding("keeps", f"keeps that of {', '.join(kept[node, module])}")
        fetch = fetched.get((node, module))
        if fetch is None:
            return Holding("", "—")
        return Holding("fetches", f"{fetch.host}’s" + ("" if fetch.edge is None else f", from {fetch.edge}"))

    for cell in placed.run.problem.cells:
        for name in (cell.edge.name, *cell.names):
            yield name, tuple(holding(name, module) for module in plan.hosts)


def _facts(placed: Placed) -> Iterator[tuple[str, str]]:
    plan = placed.plan
    yield "Method", plan.method
    yield "Bound", "none" if plan.bound is None else f"{numbers.number(plan.bound, 6)}, gap {numbers.gap(plan.gap)}"
    yield "Why it stopped", plan.stop_reason
    yield "Planned in", numbers.seconds(plan.seconds)
    yield "Training experts", f"{numbers.joules(plan.train_j)} a round at full speed"
    yield "Misfit", f"{numbers.number(plan.misfit)}, over all experts in use"
    fetching = plan.fetching(every=1)
    if fetching is not None:
        once = fetch_cost(placed.run.problem, fetching)
        amount = f"{numbers.seconds(once.seconds)}, {numbers.joules(once.joules)}, {numbers.megabytes(once.bits)}"
        yield "Fetching once", f"{amount} over all hops, as predicted"
        yield "Fetches, a round", f"{numbers.number(plan.transfer)} of the objective"
