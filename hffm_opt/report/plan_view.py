"""From a plan in force to what the template shows of it: calendar, maps, allocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hffm_opt.plan.circulation import Tier, top_kind
from hffm_opt.problem.model import Cell
from hffm_opt.report import numbers
from hffm_opt.report.allocation import Spread, band_summaries, cpu_spread, link_shares, slowest_cell
from hffm_opt.report.energy import BAND_NAMES
from hffm_opt.report.figures.bars import BAND_INK, share_bars
from hffm_opt.report.figures.network import cell_map, network_map, short_names
from hffm_opt.report.flows import KindFlows, kind_flows
from hffm_opt.report.groups import ModuleGroup
from hffm_opt.report.in_force import InForce
from hffm_opt.report.round_words import rounds_of, tier_words
from hffm_opt.report.svg import Drawing

MOST_ROUNDS = 32  # columns of the calendar
_LETTERS = {Tier.LOCAL: "", Tier.D2D: "D", Tier.EDGE: "E", Tier.CLOUD: "C"}


@dataclass(frozen=True)
class Calendar:
    """Which tier averages which module in which round of a cycle; ``cut`` rounds at its end are not shown."""

    rounds: tuple[int, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    cycle: int
    cut: int


@dataclass(frozen=True)
class CellView:
    """One cell by itself."""

    name: str
    note: str
    drawing: Drawing


@dataclass(frozen=True)
class KindView:
    """The network in one kind of round."""

    title: str
    tiers: str
    drawing: Drawing
    cells: tuple[CellView, ...]
    cells_left_out: int


@dataclass(frozen=True)
class AllocationView:
    """What the links and processors get in the kind of round in which most moves."""

    rounds: str
    cell: str
    note: str
    bandwidth: Drawing
    power: Drawing
    bands: tuple[tuple[str, str, str, str, str], ...]
    cpu: str


@dataclass(frozen=True)
class PlanView:
    """A plan and the rounds that it was in force in; ``groups`` are those that its messages have parts of."""

    title: str
    calendar: Calendar
    events: frozenset[str]
    groups: tuple[ModuleGroup, ...]
    reaches_cloud: bool
    kinds: tuple[KindView, ...]
    allocation: AllocationView | None


def plan_view(plan: InForce, groups: Sequence[ModuleGroup], alone: bool, most_cells: int, identity: str) -> PlanView:
    """Return what is shown of a plan.

    Args:
        plan: the plan in force.
        groups: the groups of modules of the whole run.
        alone: whether it was the only one of its run, so that its calendar is that of a whole cycle.
        most_cells: how many cells are drawn by themselves.
        identity: begins the identifiers of its drawings.
    """
    flows = kind_flows(plan.problem, plan.plan)
    moved = {module for kind in flows for cell in kind.cells for flow in cell for module, _ in flow.by_module}
    return PlanView(
        title=plan.title,
        calendar=_calendar(plan, alone),
        events=frozenset(flow.event for kind in flows for cell in kind.cells for flow in cell),
        groups=tuple(group for group in groups if moved.intersection(group.modules)),
        reaches_cloud=any(kind.meets for kind in flows),
        kinds=tuple(_kind(plan, kind, groups, most_cells, f"{identity}-kind-{i}") for i, kind in enumerate(flows)),
        allocation=None if plan.problem.fixed_allocation else _allocation(plan, flows, identity),
    )


def _calendar(plan: InForce, alone: bool) -> Calendar:
    cycle = 1 << top_kind(plan.plan.circulation)
    first, last = (1, cycle) if alone else (plan.first, plan.last)
    rounds = tuple(range(first, min(last, first + MOST_ROUNDS - 1) + 1))
    levels = [plan.tiers(number) for number in rounds]
    rows = tuple(
        (module, tuple((level[module].name.lower(), _LETTERS[level[module]]) for level in levels))
        for module in plan.problem.modules
    )
    return Calendar(rounds, rows, cycle, last + 1 - first - len(rounds))


def _kind(plan: InForce, flows: KindFlows, groups: Sequence[ModuleGroup], most_cells: int, identity: str) -> KindView:
    problem = plan.problem
    cells = sorted(
        zip(problem.cells, flows.cells, flows.heads, strict=True),
        key=lambda item: (-plan.evaluation.breakdown.busy_by_cell_s[item[0].edge.name], item[0].index),
    )[:most_cells]
    drawn = tuple(
        CellView(
            cell.edge.name,
            _cell_note(cell),
            cell_map(problem, cell, mine, head, flows.meets, groups, f"{identity}-cell-{cell.index}"),
        )
        for cell, mine, head in sorted(cells, key=lambda item: item[0].index)
    )
    return KindView(
        title=rounds_of(flows.kinds, top_kind(plan.plan.circulation)),
        tiers=tier_words(flows.tier_of_module),
        drawing=network_map(problem, flows, groups, identity),
        cells=drawn,
        cells_left_out=len(problem.cells) - len(drawn),
    )


def _cell_note(cell: Cell) -> str:
    prefix, _ = short_names(cell)
    return f"{prefix}…" if prefix else ""


def _allocation(plan: InForce, flows: Sequence[KindFlows], identity: str) -> AllocationView | None:
    busiest = max(flows, key=lambda kind: (sum(len(cell) for cell in kind.cells), kind.kinds))
    cell = slowest_cell(plan)
    place = next(i for i, c in enumerate(plan.problem.cells) if c.index == cell.index)
    shares = link_shares(plan, cell, busiest.cells[place])
    if not shares:
        return None
    _, short = short_names(cell)
    links = [f"{s.event} {short.get(s.source, s.source)} → {short.get(s.target, s.target)}" for s in shares]
    bandwidth = [(link, share.band, share.bandwidth_share) for link, share in zip(links, shares, strict=True)]
    power = [(link, share.band, share.power_share) for link, share in zip(links, shares, strict=True)]
    bands = tuple(
        (
            BAND_INK[summary.band],
            BAND_NAMES[summary.band],
            str(summary.links),
            _spread(summary.bandwidth_hz, 1e-6, "MHz"),
            _spread(summary.power_share, 100.0, "%"),
        )
        for summary in band_summaries(plan, busiest)
    )
    return AllocationView(
        rounds=rounds_of(busiest.kinds, top_kind(plan.plan.circulation)),
        cell=cell.edge.name,
        note=_cell_note(cell),
        bandwidth=share_bars(bandwidth, "share of the cell's band", f"{identity}-bandwidth"),
        power=share_bars(power, "share of the highest power", f"{identity}-power"),
        bands=bands,
        cpu=_spread(cpu_spread(plan, busiest.kinds[0]), 100.0, "%"),
    )


def _spread(spread: Spread, factor: float, unit: str) -> str:
    texts = [numbers.number(value * factor, 3) for value in (spread.least, spread.median, spread.most)]
    return f"{texts[0]} {unit}" if len(set(texts)) == 1 else f"{texts[0]} to {texts[2]} {unit}, median {texts[1]}"
