"""Judging circulations where links are given: the schedule over complete fronts is exact."""

from __future__ import annotations

from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.model import CellPlan, Plan, ScenarioReference
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.engines.highs import HighsOptions
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Weights
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.schedule import best_schedule
from hffm_opt.solvers.joint.search import Judge, Judged, with_drift
from hffm_opt.solvers.joint.states import State, circulation_of


def judge_with(problem: Problem, rounds: FixedRounds, gap: float) -> Judge:
    """Return the judge of circulations over complete fronts."""

    def judge(states: tuple[State, ...], calendar: Calendar, weights: Weights, cutoff: float = float("inf")) -> Judged:
        del cutoff
        # Kinds above the longest period stand in one state; the plan treats them as one kind.
        top = top_kind(circulation_of(problem, states))
        short = Calendar.of(problem, top, calendar.first)
        ways = [[rounds.options(i, states[j]) for j in range(top + 1)] for i in range(len(problem.cells))]
        if short.collects:
            ways = [[*row, rounds.collection(i)] for i, row in enumerate(ways)]
        schedule = best_schedule(short, weights, ways, HighsOptions(relative_gap=gap))
        if schedule is None:
            return Judged(states, float("inf"), float("inf"))
        choices = tuple(
            tuple(ways[i][j].choices[pick] for j, pick in enumerate(row)) for i, row in enumerate(schedule.chosen)
        )
        return with_drift(problem, weights, Judged(states, schedule.value, schedule.bound, choices=choices))

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
        scenario=ScenarioReference(name=problem.scenario.name, fingerprint=problem.fingerprint),
        method=method,
        circulation=circulation_of(problem, judged.states),
        cells=cells,
    )
