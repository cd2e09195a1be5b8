"""Networks with requests, small enough to try every holder and every path."""

from __future__ import annotations

from itertools import pairwise, product

import networkx as nx
import numpy as np

from hffm_opt.plan.holders import RelayingProblem, relaying_problem
from hffm_opt.plan.model import Plan
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.seeds import derive
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request


def asking(seed: int, devices: int = 2, deadline_s: float | None = None) -> Scenario:
    """Return a drawn network of two cells in which two devices ask for a module each; bands shared and not in turn."""
    sharing = ("shared", "dedicated")[seed % 2]
    drawn = random_scenario(seed, cells=2, devices=devices, modules=2, allocation="optimised", sharing=sharing)
    tasks = [task.name for task in drawn.tasks]
    rng = derive(seed, "asking")
    newcomers = {0, devices + int(rng.integers(devices))}
    nodes = [
        device.model_copy(update={"samples": dict.fromkeys(tasks, 0 if u in newcomers else int(rng.integers(8, 40)))})
        for u, device in enumerate(drawn.devices)
    ]
    asked = tuple(
        ModuleRequest(
            device=nodes[u].name,
            task=tasks[0],
            samples=16,
            round=3,
            deadline_s=float(10 ** rng.uniform(-3, 1.5)) if deadline_s is None else deadline_s,
        )
        for u in sorted(newcomers)
    )
    requests = Requests(asked=asked, misfit_weight=float(rng.choice([0.0, 1.0, 20.0])))
    # One module: what is to be tried grows with the power of the number of transfers.
    modules = (drawn.modules[0].model_copy(update={"tasks": (tasks[0],)}),)
    return drawn.model_copy(
        update={
            "devices": tuple(nodes),
            "requests": requests,
            "modules": modules,
            "tasks": drawn.tasks[:1],
            "planning": drawn.planning.model_copy(update={"drift_max": None}),
        }
    )


def instance(seed: int, **more: object) -> tuple[RelayingProblem, Plan]:
    """Return what a drawn network asks for, and the training plan that it is asked under."""
    scenario = asking(seed, **more)  # type: ignore[arg-type]
    problem = build_problem(scenario)
    training = solve(problem, "h-fedfm-2", default_request(scenario)).plan
    return relaying_problem(problem, training, 3, seed), training


def best_of_all(relaying: RelayingProblem) -> float:
    """Return the least value over every holder, path and division of the links' time; infinite if none is in time.

    Counted here from the laws of docs/module-relaying.md, with two transfers at most.
    """
    network = relaying.network
    graph = nx.DiGraph(list(network.arc))
    options = []
    for wanted in relaying.wanted:
        found = []
        for holder in wanted.holders:
            for nodes in nx.all_simple_paths(graph, holder.node, wanted.device) if holder.node in graph else ():
                arcs = [network.arc[pair] for pair in pairwise(nodes)]
                delay = network.delay_s[arcs].sum() if wanted.bits else 0.0
                busy = np.zeros(len(network.resources))
                if delay >= wanted.deadline_s:
                    continue
                np.add.at(busy, network.resource[arcs], wanted.bits * network.s_per_bit[arcs])
                spent = (network.j_per_bit[arcs] * wanted.bits + network.delay_j[arcs] * (wanted.bits > 0)).sum()
                cost = relaying.energy_weight * spent + relaying.misfit_weight * holder.misfit
                found.append((busy, delay, wanted.deadline_s, cost))
        options.append(found)
    if any(not option for option in options):
        return float("inf")
    chosen = list(product(*options))
    busy, delay, due = (np.array([[one[i] for one in plan] for plan in chosen]) for i in range(3))
    cost = np.array([sum(one[3] for one in plan) for plan in chosen])

    def in_time(last):
        window = np.minimum(due, last[:, None]) - delay
        share = busy / np.where(window > 0, window, 1e-300)[:, :, None]
        return share.sum(axis=1).max(axis=1) <= 1

    low, high = delay.max(axis=1), due.max(axis=1)
    kept = in_time(high)
    for _ in range(80):
        middle = (low + high) / 2
        enough = in_time(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return float(np.where(kept, cost + relaying.latency_weight * high, np.inf).min())
