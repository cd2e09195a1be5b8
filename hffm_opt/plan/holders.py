"""Who holds a copy of a module after some rounds of a plan, how old it is, and on whose data it was trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from hffm_opt.plan.circulation import Tier, kind_of_round, top_kind
from hffm_opt.plan.model import Plan
from hffm_opt.problem.misfit import answer_mass, misfit, wanted_mass
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.problem.relay_network import RelayNetwork, relay_network
from hffm_opt.scenario.model import CLOUD
from hffm_opt.scenario.requests import asked_after, lacking, started_tasks


@dataclass(frozen=True)
class Holder:
    """A node that holds a copy: its index, the copy's misfit with what its age adds, and its age in rounds."""

    node: int
    misfit: float
    age: int


@dataclass(frozen=True)
class Wanted:
    """A module to be copied: the request's index among those of its round, the device's index, bits, and holders."""

    request: int
    device: int
    module: str
    bits: float
    deadline_s: float
    holders: tuple[Holder, ...]


@dataclass(frozen=True, eq=False)
class RelayingProblem:
    """All modules that are to be copied after a round, over which links, and what the planner weighs."""

    problem: Problem
    network: RelayNetwork
    number: int
    ran: int
    wanted: tuple[Wanted, ...]
    latency_weight: float
    energy_weight: float
    misfit_weight: float


def averaged_last(plan: Plan, number: int, m: int) -> tuple[list[int], list[int], int]:
    """Return in which round up to ``number`` a module was last averaged, 0 for never.

    Returns:
        Per cell at any tier, per cell at its edge server (or through it, at the cloud), and at the cloud.
    """
    top = top_kind(plan.circulation)
    anywhere, at_edge, at_cloud = [0] * len(plan.cells), [0] * len(plan.cells), 0
    # All that is ever averaged is averaged once in a cycle, so that older rounds tell nothing.
    for k in range(max(1, number - (1 << top) + 1), number + 1):
        kind = kind_of_round(k, top)
        tier = plan.circulation[m].tier_in_kind(kind)
        for i, cell in enumerate(plan.cells):
            if tier != Tier.LOCAL:
                anywhere[i] = k
            uplink = cell.rounds[kind].uplink
            past = uplink is not None and any(CLOUD in (arc.source, arc.target) for arc in uplink.arcs)
            if tier == Tier.EDGE or (tier == Tier.CLOUD and not past):
                at_edge[i] = k
        at_cloud = k if tier == Tier.CLOUD else at_cloud
    return anywhere, at_edge, at_cloud


def relaying_problem(
    problem: Problem,
    plan: Plan,
    number: int,
    seed: int,
    *,
    ran: int | None = None,
    without: Collection[tuple[str, str]] = (),
) -> RelayingProblem:
    """Return what the requests after a round ask for.

    Args:
        problem: the scenario before these requests are granted, with its section ``requests``.
        plan: the training plan that is run until then: its averages are what edge servers and the cloud hold.
        number: the round.
        ran: how many rounds that plan has run by then, where it began later than the network.
        seed: that of the training, for the devices' laws of answers.
        without: (source, target) of links that have failed.
    """
    scenario = problem.scenario
    network = relay_network(problem, without)
    ran = number if ran is None else ran
    names = {d.name: u for u, d in enumerate(scenario.devices)}
    modules = {m.name: m for m in scenario.modules}
    assert scenario.requests is not None
    wanted = []
    for r, request in enumerate(asked_after(scenario, number)):
        u = names[request.device]
        new = dict.fromkeys(started_tasks(scenario, request), request.samples)
        for module in lacking(scenario, request):
            m = problem.modules.index(module.name)
            tasks, law = wanted_mass(scenario, u, modules[module.name], new, seed)
            mass = answer_mass(scenario, [d.samples for d in scenario.devices], tasks, seed)
            held = tuple(
                Holder(node, misfit(seen, law) + scenario.requests.stale_weight * age, age)
                for node, seen, age in _copies(problem, plan, network, ran, m, mass)
            )
            bits = float(problem.payload_bit[m])
            wanted.append(Wanted(r, u, module.name, bits, request.deadline_s, held))
    weights = scenario.planning
    return RelayingProblem(
        problem,
        network,
        number,
        ran,
        tuple(wanted),
        weights.latency_weight,
        weights.energy_weight,
        scenario.requests.misfit_weight,
    )


def _copies(
    problem: Problem, plan: Plan, network: RelayNetwork, number: int, m: int, mass: Floats
) -> Iterator[tuple[int, Floats, int]]:
    """Yield every node with a copy of a module, the mass behind it, and its age in rounds.

    A device trains every round, so that its copy is fresh; ``age`` rounds after the last average, that average's mass
    counts once beside ``age`` times its own.
    """
    anywhere, at_edge, at_cloud = averaged_last(plan, number, m)
    owners = problem.owners[:, m]
    everyone = mass[owners].sum(axis=0)
    for i, cell in enumerate(problem.cells):
        rows = cell.members[owners[cell.members]]
        inside = mass[rows].sum(axis=0)
        for u in rows.tolist():
            alone = number - anywhere[i]
            group = everyone if anywhere[i] == at_cloud else inside
            yield u, mass[u] if not anywhere[i] else (group + alone * mass[u]) / (1 + alone), 0
        if at_edge[i] and rows.size:
            seen = everyone if at_edge[i] == at_cloud else inside
            yield network.index[cell.edge.name], seen, number - at_edge[i]
    if at_cloud and owners.any():
        yield network.cloud, everyone, number - at_cloud


def nobody_holds(relaying: RelayingProblem) -> tuple[Wanted, ...]:
    """Return the modules that are asked for and held by no node."""
    return tuple(wanted for wanted in relaying.wanted if not wanted.holders)


def misfit_of(wanted: Wanted, node: int) -> float:
    """Return the misfit of a holder's copy; infinite where the node holds none."""
    return next((holder.misfit for holder in wanted.holders if holder.node == node), float(np.inf))
