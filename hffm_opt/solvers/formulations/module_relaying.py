"""From which holder, and over which path, each wanted copy of a module comes (Pyomo, any engine).

For a transfer k of b_k bits to device t_k within D_k seconds, and a way q in which it may leave a cell (inside the
cell; over a backhaul or a direct link up, and over a backhaul or a direct link down) with the fixed delay d_q:

    y[k, q, h] in {0, 1}   the copy of holder h is taken, the way q                 misfit F_kh
    f[k, q, a] in {0, 1}   it crosses link a                                        joules b_k E_a, airtime b_k / R_a
    last       in [0, H]   when the last module has come, s
    g[k, q, a] in [0, 1]   f last / H
    used       in [0, 1]   the largest share of any resource's time that is given away if all end at H

minimise        w_F sum F_kh y + w_E sum b_k E_a f + w_T last
one_holder      sum_qh y[k, q, h] = 1                                               for every k
path            sum_out f - sum_in f = y[k, q, v] - [v = t_k] sum_h y[k, q, h]      for every k, q, node v
finish          last >= sum_q [d_q sum_h y[k, q, h] + sum_a in r b_k / R_a f]       for every k, resource r
in_turn         last >= sum_kqa in r  b_k / R_a f                                   for every r
time            sum_kqa in r  b_k / R_a s_kq(H) f <= used                           for every resource r
sooner          sum_kqa in r  b_k / R_a [(s_kq(t) - t s'_kq(t)) f + H s'_kq(t) g] <= 1      for every r, some times t
together        g <= f,  H g <= last

Transfer k needs ``s_kq(T) = 1 / (min(D_k, T) - d_q)`` of its links' time per second of airtime for the last to end at
T (:mod:`hffm_opt.solvers.formulations.relaying_shares`). That is convex and never grows, so that its tangent at any
time t is below it, and ``sooner``, the tangents times f, cuts no plan off. Where f is 0 or 1 and g as large as it can
be, the tangents at t are exact for last = t: laying them where routes that were found end, until none is new, is exact
(:mod:`hffm_opt.solvers.formulations.relaying_search`). ``finish`` and ``in_turn`` follow from these, and are tight
where neither deadlines nor delays bind. Copies do not split.

Source: unsplittable multicommodity flow (Ahuja, Magnanti, Orlin, Network Flows, 1993, chapter 17), sources chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyomo.environ as pyo

from hffm_opt.plan.holders import RelayingProblem, Wanted
from hffm_opt.problem.model import Ints
from hffm_opt.problem.relay_network import RelayNetwork
from hffm_opt.solvers.formulations.relaying_shares import Route

Least = Literal["objective", "cost", "load"]


@dataclass(frozen=True, eq=False)
class Way:
    """How a transfer may leave a cell: the links that it may cross, the holders there, and its fixed delay."""

    transfer: int
    arcs: Ints
    holders: dict[int, float]
    delay_s: float
    window_s: float


@dataclass(frozen=True, eq=False)
class RelayingProgram:
    """The Pyomo model, and the ways in the order of their index q."""

    model: pyo.ConcreteModel
    ways: tuple[Way, ...]
    relaying: RelayingProblem


def ways_of(relaying: RelayingProblem, k: int, until_s: float = np.inf) -> Iterator[Way]:
    """Yield the ways of a transfer that have a holder, and time left beside their delay, up to ``until_s`` at most."""
    network, wanted = relaying.network, relaying.wanted[k]
    inside = (network.source != network.cloud) & (network.target != network.cloud)
    home = network.cell[network.source] == network.cell[wanted.device]
    delay = network.delay_s if wanted.bits else np.zeros(len(network.source))
    edges = np.array([name not in {d.name for d in relaying.problem.scenario.devices} for name in network.nodes])
    up_links: list[tuple[Ints, float, set[int]]] = [(np.zeros(0, dtype=np.int64), 0.0, {network.cloud})]
    for a in np.flatnonzero((network.target == network.cloud) & edges[network.source]).tolist():
        part = network.cell == network.cell[network.source[a]]
        arcs = np.append(np.flatnonzero(inside & part[network.source]), a)
        up_links.append((arcs, float(delay[a]), set(np.flatnonzero(part).tolist())))
    direct = np.flatnonzero((network.target == network.cloud) & ~edges[network.source])
    if direct.size:
        radio = np.flatnonzero(inside)
        up_links.append(
            (np.append(radio, direct), float(delay[direct[0]]), set(np.flatnonzero(network.cell >= 0).tolist()))
        )
    down = np.flatnonzero(network.source == network.cloud)
    mine = down[edges[network.target[down]] & (network.cell[network.target[down]] == network.cell[wanted.device])]
    near = network.cell == network.cell[wanted.device]
    straight = down[~edges[network.target[down]] & near[network.target[down]]]
    local = np.flatnonzero(inside & home)
    found = [(local, 0.0, set(np.flatnonzero(near).tolist()))]
    for some in (mine, straight):
        if some.size:
            found += [
                (np.union1d(np.union1d(arcs, local), some), before_s + float(delay[some[0]]), nodes)
                for arcs, before_s, nodes in up_links
            ]
    for arcs, delay_s, nodes in found:
        holders = {h.node: h.misfit for h in wanted.holders if h.node in nodes}
        if holders and min(wanted.deadline_s, until_s) > delay_s:
            yield Way(k, arcs, holders, delay_s, min(wanted.deadline_s, until_s) - delay_s)


def build(
    relaying: RelayingProblem,
    *,
    until_s: float = np.inf,
    sooner_s: Sequence[float] = (),
    least: Least = "objective",
) -> RelayingProgram:
    """Build the program.

    Args:
        relaying: what is wanted, who holds it, and the links; every transfer has a way.
        until_s: no plan that is of interest ends later.
        sooner_s: the times at which tangents are laid.
        least: minimise the objective, what of it is not latency, or ``used`` without its limit (``load``).
    """
    network = relaying.network
    horizon = min(until_s, max(wanted.deadline_s for wanted in relaying.wanted))
    ways = tuple(way for k in range(len(relaying.wanted)) for way in ways_of(relaying, k, horizon))
    model = pyo.ConcreteModel(name="module-relaying")
    model.Y = pyo.Set(initialize=[(q, h) for q, way in enumerate(ways) for h in way.holders], dimen=2)
    model.F = pyo.Set(initialize=[(q, a) for q, way in enumerate(ways) for a in way.arcs.tolist()], dimen=2)
    model.y = pyo.Var(model.Y, domain=pyo.Binary)
    model.f = pyo.Var(model.F, domain=pyo.Binary)
    model.used = pyo.Var(bounds=(0, None if least == "load" else 1))
    model.last = pyo.Var(bounds=(0, horizon))
    of_transfer = [[q for q, way in enumerate(ways) if way.transfer == k] for k in range(len(relaying.wanted))]
    model.one_holder = pyo.Constraint(
        range(len(relaying.wanted)),
        rule=lambda m, k: sum(m.y[q, h] for q in of_transfer[k] for h in ways[q].holders) == 1,
    )
    model.path = pyo.ConstraintList()
    time: dict[int, list[Any]] = {}
    alone: dict[tuple[int, int], list[Any]] = {}
    held: list[list[Any]] = [[] for _ in relaying.wanted]
    cost: list[Any] = []
    for q, way in enumerate(ways):
        wanted = relaying.wanted[way.transfer]
        chosen = sum(model.y[q, h] for h in way.holders)
        flow: dict[int, list[Any]] = {}
        for a in way.arcs.tolist():
            flow.setdefault(int(network.source[a]), []).append(model.f[q, a])
            flow.setdefault(int(network.target[a]), []).append(-model.f[q, a])
            airtime, resource = wanted.bits * float(network.s_per_bit[a]), int(network.resource[a])
            time.setdefault(resource, []).append(airtime / way.window_s * model.f[q, a])
            alone.setdefault((way.transfer, resource), []).append(airtime * model.f[q, a])
            cost.append(relaying.energy_weight * joules(network, a, wanted) * model.f[q, a])
        for v in flow.keys() | way.holders.keys() | {wanted.device}:
            leaves = model.y[q, v] if v in way.holders else 0
            arrives = chosen if v == wanted.device else 0
            model.path.add(sum(flow.get(v, [])) == leaves - arrives)
        held[way.transfer].append(way.delay_s * chosen)
        cost += [relaying.misfit_weight * misfit * model.y[q, h] for h, misfit in way.holders.items()]
    model.time = pyo.Constraint(sorted(time), rule=lambda m, r: sum(time[r]) <= m.used)
    if least == "objective":
        model.finish = pyo.Constraint(sorted(alone), rule=lambda m, k, r: m.last >= sum(held[k]) + sum(alone[k, r]))
        model.in_turn = pyo.Constraint(
            sorted(time), rule=lambda m, r: m.last >= sum(sum(own) for (_, s), own in alone.items() if s == r)
        )
    if sooner_s:
        _sooner(model, relaying, ways, horizon, sooner_s)
    latency = relaying.latency_weight * model.last if least == "objective" else 0.0
    model.cost = pyo.Objective(expr=model.used if least == "load" else sum(cost) + latency)
    return RelayingProgram(model, ways, relaying)


def _sooner(
    model: pyo.ConcreteModel, relaying: RelayingProblem, ways: Sequence[Way], horizon: float, sooner_s: Sequence[float]
) -> None:
    """Add the tangents at some times, and the products that they need."""
    network = relaying.network
    model.g = pyo.Var(model.F, bounds=(0, 1))
    model.together = pyo.ConstraintList()
    model.sooner = pyo.ConstraintList()
    for q, a in model.F:
        model.together.add(model.g[q, a] <= model.f[q, a])
        model.together.add(model.g[q, a] <= model.last / horizon)
    for at_s in sooner_s:
        rows: dict[int, list[Any]] = {}
        for q, way in enumerate(ways):
            bits = relaying.wanted[way.transfer].bits
            # A way of a longer delay ends later anyhow; its tangent is laid where there is one.
            touch_s = at_s if at_s > way.delay_s + 1e-6 * way.window_s else way.delay_s + way.window_s / 2
            window = min(touch_s - way.delay_s, way.window_s)
            slope = -1 / window**2 if touch_s - way.delay_s <= way.window_s else 0.0
            for a in way.arcs.tolist():
                airtime = bits * float(network.s_per_bit[a])
                tangent = (1 / window - touch_s * slope) * model.f[q, a] + horizon * slope * model.g[q, a]
                rows.setdefault(int(network.resource[a]), []).append(airtime * tangent)
        for terms in rows.values():
            model.sooner.add(sum(terms) <= 1)


def joules(network: RelayNetwork, arc: int, wanted: Wanted) -> float:
    """Return the energy of one transfer over one link in J."""
    return float(network.j_per_bit[arc]) * wanted.bits + (float(network.delay_j[arc]) if wanted.bits else 0.0)


def read(program: RelayingProgram) -> tuple[Route, ...]:
    """Return the route of every transfer; loops that cost nothing are left out."""
    network, routes = program.relaying.network, {}
    for (q, h), chosen in program.model.y.items():
        if chosen.value < 0.5:
            continue
        way = program.ways[q]
        after: dict[int, list[int]] = {}
        for a in way.arcs.tolist():
            if program.model.f[q, a].value > 0.5:
                after.setdefault(int(network.source[a]), []).append(int(network.target[a]))
        nodes = [h]
        while nodes[-1] != program.relaying.wanted[way.transfer].device:
            following = after[nodes[-1]].pop()
            nodes = nodes[: nodes.index(following) + 1] if following in nodes else [*nodes, following]
        routes[way.transfer] = Route(tuple(nodes))
    return tuple(routes[k] for k in range(len(program.relaying.wanted)))
