"""The published D2D relaying: a random head, shortest paths over short links patched by a spanning tree.

Each member sends its own copy to the head along its shortest path (no in-network aggregation); the head broadcasts
along the union of its shortest paths. Source: arXiv 2509.03695 and its public code.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.circulation import Circulation, Tier, hands_in, tiers, top_kind, uniform
from hffm_opt.plan.costs import radio_cost
from hffm_opt.plan.model import CellPlan, Plan, RoundPlan, Tree
from hffm_opt.plan.nominal import full_speed, nominal_tree
from hffm_opt.problem.model import Cell, Ints, Problem
from hffm_opt.seeds import derive
from hffm_opt.solvers.heuristics.cellular import reference_to, spokes
from hffm_opt.solvers.request import Request

SHORT_LINK_M = 30.0


def relay_graph(problem: Problem, cell: Cell) -> nx.DiGraph[int]:
    """Return the published relay graph: D2D links up to 30 m, joined up by a minimum spanning tree.

    Weights are seconds per bit at full power and the whole band; the tree is over the faster of the two directions.
    """
    devices = [problem.scenario.devices[i] for i in cell.members]
    full: nx.DiGraph[int] = nx.DiGraph()
    full.add_nodes_from(range(cell.size))
    for i in range(cell.size):
        for j in range(cell.size):
            if cell.d2d_gain[i, j] > 0:
                power = float(problem.d2d_power_w[cell.members[i]])
                cost = radio_cost(problem, cell, i, j, cell.edge.d2d_bandwidth_hz, power)
                distance = np.hypot(devices[i].x_m - devices[j].x_m, devices[i].y_m - devices[j].y_m)
                full.add_edge(i, j, weight=cost.s_per_bit, short=bool(distance <= SHORT_LINK_M))
    either: nx.Graph[int] = nx.Graph()
    either.add_nodes_from(full)
    for i, j, data in full.edges(data=True):
        back = full.get_edge_data(j, i, data)
        either.add_edge(i, j, weight=min(data["weight"], back["weight"]))
    spanning = nx.minimum_spanning_tree(either)
    keep = [(i, j) for i, j in full.edges if full.edges[i, j]["short"] or spanning.has_edge(i, j)]
    return nx.DiGraph(full.edge_subgraph(keep))


def _shortest_path_links(
    problem: Problem, cell: Cell, head: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    graph = relay_graph(problem, cell)
    graph.add_nodes_from(range(cell.size))
    inward = nx.single_source_dijkstra_path(graph.reverse(), head)
    outward = nx.single_source_dijkstra_path(graph, head)
    cut_off = [cell.names[v] for v in range(cell.size) if v not in inward or v not in outward]
    if cut_off:
        raise InputError.one(
            f"cell {cell.edge.name}", f"no D2D path joins {', '.join(cut_off)} to the head", "use a method without D2D"
        )
    up = [(cell.names[v], cell.names[path[-2]]) for v, path in inward.items() if len(path) > 1]
    down = [(cell.names[path[-2]], cell.names[v]) for v, path in outward.items() if len(path) > 1]
    return up, down


def _round(problem: Problem, cell: Cell, level: Ints, head: int) -> RoundPlan:
    speed = full_speed(problem, cell)
    up, down = _shortest_path_links(problem, cell, head)
    name = cell.names[head]
    if (level >= Tier.EDGE).any():
        tree = nominal_tree(problem, cell, [*up, (name, cell.edge.name)], relay="forward")
        if problem.published:
            return RoundPlan(uplink=tree.model_copy(update={"uplink_charge": "mean"}), cpu_hz=speed)
        everyone = np.ones(cell.size, dtype=bool)
        return RoundPlan(uplink=tree, downlink=spokes(problem, cell, everyone, cell.edge.name)[1], cpu_hz=speed)
    if (level == Tier.D2D).any():
        gather: Tree = nominal_tree(problem, cell, up, relay="forward")
        return RoundPlan(head=name, gather=gather, scatter=nominal_tree(problem, cell, down), cpu_hz=speed)
    return RoundPlan(cpu_hz=speed)


def d2d_plan(problem: Problem, circulation: Circulation, method: str, seed: int) -> Plan:
    """Return the published D2D plan for a uniform circulation, heads drawn from ``seed``."""
    levels = [tiers(circulation, kind) for kind in range(top_kind(circulation) + 1)]
    handed_in = np.full(len(problem.modules), int(Tier.CLOUD))
    collects = hands_in(problem, circulation)
    cells = []
    for cell in problem.cells:
        head = int(derive(seed, "random-head", cell.edge.name).integers(cell.size))
        rounds = tuple(_round(problem, cell, level, head) for level in levels)
        last = _round(problem, cell, handed_in, head) if collects else None
        cells.append(CellPlan(edge=cell.edge.name, devices=cell.names, rounds=rounds, collection=last))
    return Plan(scenario=reference_to(problem), method=method, circulation=circulation, cells=tuple(cells))


def edge_only_d2d(problem: Problem, request: Request) -> Plan:
    """Average at a random head each round; the edge collects only at the end."""
    return d2d_plan(problem, uniform(problem, 1, None, None), "edge-only+d2d", request.seed)


def h_fedfm_2_d2d(problem: Problem, request: Request) -> Plan:
    """Average at a random head each round, globally every 2."""
    return d2d_plan(problem, uniform(problem, 1, 2, 2), "h-fedfm-2+d2d", request.seed)


def h_fedfm_8_d2d(problem: Problem, request: Request) -> Plan:
    """Average at a random head each round, globally every 8."""
    return d2d_plan(problem, uniform(problem, 1, 8, 8), "h-fedfm-8+d2d", request.seed)
