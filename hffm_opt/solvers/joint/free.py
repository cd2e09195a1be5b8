"""Judging circulations where bandwidth, power and CPU speed are free: generate, pick trees, write the plan down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.model import CellPlan
from hffm_opt.problem.model import Problem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.allocated import AllocatedRounds
from hffm_opt.solvers.joint.blends import round_plan_of
from hffm_opt.solvers.joint.generation import KEPT, Generation
from hffm_opt.solvers.joint.polish import Held, figures_of, polish
from hffm_opt.solvers.joint.search import Judge, Judged, with_drift
from hffm_opt.solvers.joint.states import State, circulation_of

MOST_POLISHED = 150
"""Events up to which the whole network is one conic program: compiling it takes a tenth of a second for each."""


def judge_allocated(problem: Problem, rounds: AllocatedRounds, gap: float, deadline: float = np.inf) -> Judge:
    """Return the judge of circulations under free allocation, which makes an end after a deadline."""

    def judge(states: tuple[State, ...], calendar: Calendar, weights: Weights, cutoff: float = np.inf) -> Judged:
        unjudged = with_drift(problem, weights, Judged(states, np.inf, 0.0))
        if unjudged.factor == np.inf:
            return unjudged
        top = top_kind(circulation_of(problem, states))
        short = Calendar.of(problem, top, calendar.first)
        events = [[rounds.events(i, states[j]) for j in range(top + 1)] for i in range(len(problem.cells))]
        generation = Generation(problem, rounds, short, weights, events, deadline)
        most = unjudged.cost_at(cutoff)
        # What pools leave open cannot be closed, so nothing is left open besides.
        hull = generation.hull(gap / (20 if rounds.pooled else 4), most)
        hopeless = hull.mix is None or max(hull.bound, hull.mix.value * (1 - gap / 4)) >= most
        found = None if hull.mix is None or hopeless else generation.single(hull.mix, hull.bound, gap / 10)
        if found is None:
            return with_drift(problem, weights, Judged(states, np.inf, float(hull.bound), duals=hull.duals))
        value, columns = found
        held = Held(tuple(generation.blocks), tuple(generation.events), tuple(columns))
        return with_drift(problem, weights, Judged(states, value, min(hull.bound, value), held=held, duals=hull.duals))

    return judge


def polished(problem: Problem, rounds: AllocatedRounds, judged: Judged, first: int | None, weights: Weights) -> Judged:
    """Let the conic engine allocate a judged circulation anew, and keep the cheaper of the two allocations."""
    top = top_kind(circulation_of(problem, judged.states))
    calendar = Calendar.of(problem, top, first)
    assert isinstance(judged.held, Held)
    if len(judged.held.blocks) > MOST_POLISHED or rounds.pooled:
        return judged
    found = polish(rounds.pricer, calendar, weights, len(problem.cells), judged.held)
    if found is None:
        return judged
    latency, energy = figures_of(calendar, len(problem.cells), found[1])
    # The engine keeps a limit up to its tolerance only, and a limit may be worth much.
    kept = latency <= weights.max_latency_s * (1 + KEPT) and energy <= weights.max_energy_j * (1 + KEPT)
    cost = weights.latency * latency + weights.energy * energy
    return replace(judged, cost=cost, held=found[1]) if kept and cost < judged.cost else judged


def cells_of(problem: Problem, rounds: AllocatedRounds, judged: Judged) -> tuple[CellPlan, ...]:
    """Return the cells of a judged circulation as they stand in a plan."""
    assert isinstance(judged.held, Held)
    top = top_kind(circulation_of(problem, judged.states))
    parts = {(b.cell, b.kind, b.event): c for b, c in zip(judged.held.blocks, judged.held.columns, strict=True)}
    cells = []
    for i, cell in enumerate(problem.cells):
        plans = []
        for j in range(top + 1):
            events = rounds.events(i, judged.states[j])
            plans.append(round_plan_of(problem, cell, events, [parts[i, j, e] for e in range(len(events))]))
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=tuple(plans)))
    return tuple(cells)
