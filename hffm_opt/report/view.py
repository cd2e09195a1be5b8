"""From runs to what the template shows: finished words, numbers and drawings, no decisions left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hffm_opt.measurement.model import Measurement
from hffm_opt.report import numbers
from hffm_opt.report.algorithms import algorithm_words
from hffm_opt.report.energy import BAND_NAMES, BANDS, measured_energy, predicted_energy
from hffm_opt.report.figures.bars import BAND_INK, PART_LOOKS, busy_bars, energy_bars, latency_bars
from hffm_opt.report.figures.replay import replay_map
from hffm_opt.report.groups import module_groups
from hffm_opt.report.in_force import InForce, plans_in_force
from hffm_opt.report.latency import PART_NAMES, PARTS, latency_parts, longest_path
from hffm_opt.report.looks import LookRow, look_rows
from hffm_opt.report.plan_view import PlanView, plan_view
from hffm_opt.report.replay import Replay, replay
from hffm_opt.report.run import Run
from hffm_opt.report.svg import Drawing

MOST_PLANS = 8  # plans of a run that are shown
MOST_CELLS = 12  # cells of a plan that are drawn by themselves
_PLANS_WITH_CELLS = 3  # with more plans, only the first and the last have their cells drawn


@dataclass(frozen=True)
class ReplayView:
    """The rounds one by one: the first as a drawing, all as data for the slider."""

    replay: Replay
    drawing: Drawing
    data: str


@dataclass(frozen=True)
class RunView:
    """The sections of one run; ``plans_left_out`` were in force too, but are in the replay only."""

    run: Run
    algorithms: tuple[str, ...]
    plans: tuple[PlanView, ...]
    plans_left_out: int
    replay: ReplayView
    looks: tuple[LookRow, ...]
    costs: tuple[tuple[str, ...], ...]
    latency: tuple[tuple[str, float, str, str, str, str], ...]
    latency_drawing: Drawing
    energy: tuple[tuple[str, str, str, str, str], ...]
    energy_drawing: Drawing
    busy_drawing: Drawing


def run_view(run: Run, identity: str, most_transfers: int, most_cells: int = MOST_CELLS) -> RunView:
    """Return the sections of a run.

    Args:
        run: the run.
        identity: begins the identifiers of its drawings.
        most_transfers: how many transfers the replay may keep.
        most_cells: how many cells of a plan are drawn by themselves.
    """
    by_cell, seconds = measured_energy(run), latency_parts(run)
    plans = plans_in_force(run)
    groups = module_groups(run.problem, (plan.plan.circulation for plan in plans))
    found = replay(run, plans, groups, most_transfers)
    drawing, places = replay_map(plans[0].problem, found, f"{identity}-replay")
    shown = _spread_out(plans)
    return RunView(
        run=run,
        algorithms=tuple(algorithm_words(run.trace)),
        plans=tuple(
            plan_view(plan, groups, len(plans) == 1, most_cells * _has_cells(i, len(shown)), f"{identity}-plan-{i}")
            for i, plan in enumerate(shown)
        ),
        plans_left_out=len(plans) - len(shown),
        replay=ReplayView(found, drawing, found.data(places, f"{identity}-replay")),
        looks=look_rows(run),
        costs=_costs(run.measurement),
        latency=_latency(run, seconds),
        latency_drawing=latency_bars(seconds, f"{identity}-latency"),
        energy=_energy(run, by_cell),
        energy_drawing=energy_bars(by_cell, f"{identity}-energy"),
        busy_drawing=busy_bars(run.evaluation.breakdown.busy_by_cell_s, f"{identity}-busy"),
    )


def _spread_out(plans: Sequence[InForce]) -> list[InForce]:
    """Return at most so many plans as are shown: the first, the last and some in between."""
    if len(plans) <= MOST_PLANS:
        return list(plans)
    return [plans[round(i * (len(plans) - 1) / (MOST_PLANS - 1))] for i in range(MOST_PLANS)]


def _has_cells(place: int, count: int) -> bool:
    return count <= _PLANS_WITH_CELLS or place in (0, count - 1)


def _latency(run: Run, by_cell: Mapping[str, Mapping[str, float]]) -> tuple[tuple[str, float, str, str, str, str], ...]:
    """Return ink, opacity, name, seconds on the longest path, their share, and the mean seconds of the cells."""
    path = longest_path(run)
    total = sum(path.values())
    mean = {part: sum(cell.get(part, 0.0) for cell in by_cell.values()) / len(by_cell) for part in PARTS}
    return tuple(
        (
            PART_LOOKS[part]["ink"],
            PART_LOOKS[part].get("opacity", 1.0),
            PART_NAMES[part],
            numbers.seconds(path.get(part, 0.0)),
            numbers.percent(path.get(part, 0.0) / total if total > 0 else 0.0),
            numbers.seconds(mean[part]),
        )
        for part in PARTS
        if path.get(part, 0.0) > 0 or mean[part] > 0
    )


def _costs(m: Measurement) -> tuple[tuple[str, ...], ...]:
    """Return a line for each cost: name, predicted, as the network was (where it changed), measured, difference."""
    rows = (
        ("Simulated time", numbers.seconds, "latency_s"),
        ("Energy", numbers.joules, "energy_j"),
        ("Data moved", numbers.megabytes, "bits"),
    )
    told = [costs for costs in (m.predicted, m.explained, m.measured) if costs is not None]
    return tuple(
        (name, *(show(getattr(costs, key)) for costs in told), numbers.difference(getattr(m.difference, key)))
        for name, show, key in rows
    )


def _energy(run: Run, by_cell: dict[str, dict[str, float]]) -> tuple[tuple[str, str, str, str, str], ...]:
    predicted = predicted_energy(run)
    measured = {band: sum(parts.get(band, 0.0) for parts in by_cell.values()) for band in BANDS}
    total = sum(measured.values())
    return tuple(
        (
            BAND_INK[band],
            BAND_NAMES[band],
            numbers.joules(predicted.get(band, 0.0)),
            numbers.joules(measured[band]),
            numbers.percent(measured[band] / total if total > 0 else 0.0),
        )
        for band in BANDS
        if measured[band] > 0 or predicted.get(band, 0.0) > 0
    )
