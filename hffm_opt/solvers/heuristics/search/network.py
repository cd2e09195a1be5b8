"""A circulation with the best listed way of every cell in every kind of round: its value, and its plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.circulation import Circulation, Tier, drift, hands_in, tiers, top_kind
from hffm_opt.plan.model import CellPlan, Plan
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.heuristics.compose import plan_of
from hffm_opt.solvers.heuristics.search.deadlines import chosen_ways, without_slack
from hffm_opt.solvers.heuristics.search.ways import Level, Way, Ways

Kind = tuple[Level, bool]
"""The tiers of the modules in a kind of round, and whether it is the published collection."""


@dataclass(frozen=True, eq=False)
class Network:
    """A circulation and what every cell does in every kind of round ([kind][cell]; the collection last)."""

    circulation: Circulation
    kinds: tuple[Kind, ...]
    ways: tuple[tuple[Way, ...], ...]
    value: float


def calendar_of(ways: Ways, circulation: Circulation) -> Calendar:
    """Return how the kinds of round of a circulation make up a cycle; a collection is a kind of its own."""
    top = top_kind(circulation)
    first = next((k for k in range(top + 1) if (tiers(circulation, k) == Tier.CLOUD).any()), None)
    calendar = Calendar.of(ways.problem, top, first)
    return calendar.with_collection() if calendar.collects else calendar


def best_network(ways: Ways, circulation: Circulation) -> Network | None:
    """Return a circulation with ways chosen by deadlines; ``None`` where some cell has no way that keeps the limits.

    Raises:
        OutOfEvaluationsError: the ways' limit is reached.
    """
    problem, calendar = ways.problem, calendar_of(ways, circulation)
    kinds: list[Kind] = [(tuple(tiers(circulation, k).tolist()), False) for k in range(top_kind(circulation) + 1)]
    if hands_in(problem, circulation):
        kinds.append(((int(Tier.CLOUD),) * len(problem.modules), True))
    latency, energy, _ = ways.weights
    found = []
    for kind in kinds:
        options = [ways.of((i, *kind)) for i in range(len(problem.cells))]
        if not all(options):
            return None
        found.append(tuple(chosen_ways(options, latency, energy)))
    return _valued(ways, circulation, calendar, kinds, found)


def _valued(
    ways: Ways, circulation: Circulation, calendar: Calendar, kinds: Sequence[Kind], found: Sequence[tuple[Way, ...]]
) -> Network:
    """Return the network with the referee's objective: the slowest cell per segment, energies added up."""

    def table(figure: Callable[[Way], float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.array([[figure(way) for way in row] for row in found])

    before, after, joules = table(lambda w: w.before_s), table(lambda w: w.after_s), table(lambda w: w.energy_j)
    seconds = 0.0
    for segment in calendar.segments:
        back = 0.0 if segment.ending is None else float(after[segment.ending].max())
        alone = 0.0 if segment.ending is not None else float((segment.rounds @ after).max())
        seconds += segment.share * (float((segment.rounds @ before).max()) + back + alone)
    energy = float(calendar.counts @ joules.sum(axis=1)) / calendar.length
    value = ways.request.value(seconds, energy, drift(ways.problem, circulation))
    return Network(circulation, tuple(kinds), tuple(found), value)


def tightened(ways: Ways, network: Network) -> Network:
    """Return the network with every cell's slack in training given back.

    Raises:
        OutOfEvaluationsError: the ways' limit is reached.
    """
    done: dict[Kind, tuple[Way, ...]] = {}
    for kind, row in zip(network.kinds, network.ways, strict=True):
        done[kind] = done.get(kind) or without_slack(ways, *kind, row)
    rows = [done[kind] for kind in network.kinds]
    calendar = calendar_of(ways, network.circulation)
    return _valued(ways, network.circulation, calendar, network.kinds, rows)


def plan_from(ways: Ways, network: Network, method: str) -> Plan:
    """Return the plan of a network."""
    cells = []
    for i, cell in enumerate(ways.problem.cells):
        rounds = [row[i].plan for row in network.ways]
        last = rounds.pop() if network.kinds[-1][1] else None
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=tuple(rounds), collection=last))
    return plan_of(ways.problem, network.circulation, method, cells)
