"""Judging circulations where links are given: the schedule over complete fronts is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.model import CellPlan, Plan, ScenarioReference
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.engines.highs import HighsOptions
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.duals import Duals, Price
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.columns import Block, Column, mix_columns
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.rounds import RoundOptions
from hffm_opt.solvers.joint.schedule import best_schedule
from hffm_opt.solvers.joint.search import EXCESS, Judge, Judged, with_drift
from hffm_opt.solvers.joint.states import State, circulation_of


def mixed_bound(
    calendar: Calendar,
    weights: Weights,
    ways: Sequence[Sequence[RoundOptions]],
    proven: Callable[[Duals], float],
) -> tuple[float, float, Duals | None]:
    """Return what the cells' rounds cost at least (infinite if no limit is kept), what mixing listed ways costs, and
    the duals that prove the first.

    Args:
        calendar: how kinds of round make up a cycle, a collection being the last.
        weights: objective and limits.
        ways: [cell][kind].
        proven: the Lagrangian bound of duals.
    """
    blocks = [
        Block(i, j, 0, [Column(0, (), *figures) for figures in zip(w.before_s, w.after_s, w.energy_j, strict=True)])
        for i, row in enumerate(ways)
        for j, w in enumerate(row)
    ]
    limited = np.isfinite([weights.max_latency_s, weights.max_energy_j]).any()
    excess = mix_columns(calendar, weights, len(ways), blocks, 0.0, elastic=True) if limited else None
    if excess is not None and proven(excess.duals) > EXCESS:
        return np.inf, np.inf, excess.duals
    mix = mix_columns(calendar, weights, len(ways), blocks, 0.0)
    return (0.0, 0.0, None) if mix is None else (proven(mix.duals), mix.value * (1 - EXCESS), mix.duals)


def _supported(duals: Duals, rounds: FixedRounds, states: Sequence[State], calendar: Calendar) -> float:
    """Return the Lagrangian bound of duals over all ways, listed or not."""
    total = 0.0
    for i in range(len(duals.before)):
        for j, state in enumerate(states):
            total += rounds.support(i, state, *_prices(duals, i, j))
        if calendar.collects:
            total += rounds.collection_support(i, *_prices(duals, i, -1))
    return total - duals.charge


def _prices(duals: Duals, cell: int, kind: int) -> Price:
    return float(duals.before[cell, kind]), float(duals.after[cell, kind]), float(duals.energy[kind])


def judge_with(problem: Problem, rounds: FixedRounds, gap: float) -> Judge:
    """Return the judge of circulations over complete fronts."""

    def judge(states: tuple[State, ...], calendar: Calendar, weights: Weights, cutoff: float = np.inf) -> Judged:
        # Kinds above the longest period stand in one state; the plan treats them as one kind.
        top = top_kind(circulation_of(problem, states))
        short = Calendar.of(problem, top, calendar.first)
        ways = rounds.ways(states[: top + 1], short.collects)
        judged = with_drift(problem, weights, Judged(states, np.inf, 0.0))
        if judged.factor == np.inf:
            return judged
        most = judged.cost_at(cutoff)
        cycle = short.with_collection() if short.collects else short

        def proven(duals: Duals) -> float:
            return _supported(duals, rounds, states[: top + 1], short)

        bound, mixed, duals = mixed_bound(cycle, weights, ways, proven)
        if max(bound, mixed) >= most:
            return replace(judged, cost_bound=bound, duals=duals)
        schedule = best_schedule(short, weights, ways, HighsOptions(relative_gap=gap), most)
        if schedule is None:
            ruled_out = max(bound, most) if rounds.complete else bound
            # Mixtures of ways keep the limits, so these duals do not prove that others cannot.
            return replace(judged, cost_bound=ruled_out, duals=duals if ruled_out < np.inf else None)
        if not rounds.complete:
            schedule = replace(schedule, bound=min(bound, schedule.value))
        choices = tuple(
            tuple(ways[i][j].choices[pick] for j, pick in enumerate(row)) for i, row in enumerate(schedule.chosen)
        )
        return replace(judged, cost=schedule.value, cost_bound=schedule.bound, choices=choices, duals=duals)

    return judge


def plan_of(problem: Problem, rounds: FixedRounds, judged: Judged, method: str) -> Plan:
    """Return the plan that a judged circulation stands for."""
    circulation = circulation_of(problem, judged.states)
    top = top_kind(circulation)
    cells = []
    for i, (cell, row) in enumerate(zip(problem.cells, judged.choices, strict=True)):
        plans = tuple(rounds.round_plan(i, judged.states[j], row[j]) for j in range(top + 1))
        last = rounds.round_plan(i, judged.states[top], row[top + 1]) if len(row) > top + 1 else None
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=plans, collection=last))
    return plan_from(problem, judged, method, tuple(cells))


def plan_from(problem: Problem, judged: Judged, method: str, cells: tuple[CellPlan, ...]) -> Plan:
    """Return the plan of a judged circulation with the given cells."""
    return Plan(
        scenario=ScenarioReference.of(problem),
        method=method,
        circulation=circulation_of(problem, judged.states),
        cells=cells,
    )
