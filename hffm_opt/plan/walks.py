"""Modules that walk: where every copy is in every round, and what that costs, in plain numbers.

Copies of every module walk from device to device over D2D links, along a chain on each island of them. In a round

1. every device where a copy stands trains,
2. every copy takes a step of the chain; one to another device crosses the link, and is lost with probability ``loss``,
3. copies of one module that meet become one, their mean weighted by the rounds that each was trained,
4. the owner that has not seen a module for more than ``late`` rounds, longest, starts a copy of what it last had.

The walk depends on the seed alone and not on the training, so that what it costs is known ahead: with cycles C_u at
full speed f_u, a round takes ``max_u C_u / f_u`` over the devices that train, and then as long as the busiest band
needs for its hops one after another.

Source: From Federated Learning to X-Learning (arXiv 2509.03709); create-if-late (arXiv 2601.07674).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from hffm_opt.plan.costs import LinkCost
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.module_relaying import hop_cost
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Frozen, Name
from hffm_opt.seeds import derive

Probability = Annotated[float, Field(ge=0, le=1)]
Steps = Annotated[float, Field(ge=0)]


class Kemeny(Frozen):
    """Kemeny's constant: mean steps from anywhere to a device drawn by the law, 0 to the device itself.

    ``bound`` is what is proven that no reversible chain on these links with this law falls below,
    ``metropolis_hastings`` the constant of Metropolis-Hastings.
    """

    constant: Steps
    bound: Steps
    metropolis_hastings: Steps

    @property
    def gap(self) -> float:
        """How far the constant can be above the least possible, in steps."""
        return self.constant - self.bound


class Island(Frozen):
    """Devices that D2D links join, with the chain's transition probabilities [n][n] and its law [n].

    ``slem`` is the chain's second largest eigenvalue modulus, ``bound`` what is proven that no chain on these links
    with this law falls below (null: nothing was proven), ``slem_metropolis_hastings`` that of Metropolis-Hastings.
    ``kemeny`` is there where the chain was sought by it.
    """

    devices: Annotated[tuple[Name, ...], Field(min_length=1)]
    transition: tuple[tuple[Probability, ...], ...]
    law: tuple[Probability, ...]
    slem: Probability
    bound: Probability | None = None
    slem_metropolis_hastings: Probability
    kemeny: Kemeny | None = None

    @model_serializer(mode="wrap")
    def _without_absent_constant(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave Kemeny's constant out where it was not sought: files of other chains stay as they ever were."""
        data: dict[str, Any] = handler(self)
        return {name: value for name, value in data.items() if value is not None or name != "kemeny"}

    @property
    def gap(self) -> float | None:
        """How far the modulus can be above the least possible; None where nothing is proven."""
        return None if self.bound is None else self.slem - self.bound


class WalkPlan(Frozen):
    """How modules walk: ``walkers`` copies of each begin on every island, on as many of its devices that train it.

    Where fewer do, there are fewer copies. ``late`` null: none is made anew.
    """

    format: Literal["hffm-walk-plan/1"] = "hffm-walk-plan/1"
    scenario: ScenarioReference
    method: Name
    islands: tuple[Island, ...]
    walkers: Annotated[int, Field(ge=1)] = 1
    late: Annotated[int, Field(ge=1)] | None = None
    loss: Probability = 0.0


@dataclass(frozen=True)
class Step:
    """A hop of a module's copy between two devices (rows), and whether it arrived."""

    module: int
    source: int
    target: int
    arrived: bool


@dataclass(frozen=True)
class WalkRound:
    """A round: rows of the devices that train, hops, copies that meet, and where copies are started anew.

    ``standing`` are the (module, device) pairs where copies stand when the round begins. ``meetings`` maps (module,
    device) to (device that a copy comes from, rounds of training behind it).
    """

    number: int
    standing: tuple[tuple[int, int], ...]
    training: tuple[int, ...]
    hops: tuple[Step, ...]
    meetings: dict[tuple[int, int], tuple[tuple[int, int], ...]]
    created: tuple[tuple[int, int], ...]


def walk(problem: Problem, plan: WalkPlan, rounds: int, seed: int) -> Iterator[WalkRound]:
    """Yield the rounds of a walk; equal arguments give equal walks."""
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    islands = [np.array([rows[name] for name in island.devices]) for island in plan.islands]
    chain = {int(u): (i, k) for i, members in enumerate(islands) for k, u in enumerate(members)}
    rng = derive(seed, "walk")
    at: dict[int, list[tuple[int, int]]] = {m: [] for m in range(len(problem.modules))}
    for m, copies in at.items():
        for members, island in zip(islands, plan.islands, strict=True):
            owners = problem.owners[members, m]
            law = np.array(island.law) * owners
            count = min(plan.walkers, int(np.count_nonzero(law)))
            if count:
                drawn = rng.choice(members, count, replace=False, p=law / law.sum())
                copies += [(int(u), 0) for u in drawn]
    seen = {(m, u): 0 for m in at for u in chain if problem.owners[u, m]}
    for number in range(1, rounds + 1):
        standing = tuple((m, u) for m, copies in at.items() for u, _ in copies)
        training = sorted({u for _, u in standing if problem.owners[u].any()})
        hops, meetings, created = list[Step](), dict[tuple[int, int], tuple[tuple[int, int], ...]](), []
        for m, copies in at.items():
            arrivals: dict[int, list[tuple[int, int]]] = {}
            for u, age in copies:
                if problem.owners[u, m]:
                    seen[m, u] = number
                older = age + int(problem.owners[u, m])
                i, k = chain[u]
                row = np.array(plan.islands[i].transition[k])
                v = int(islands[i][rng.choice(len(row), p=row / row.sum())])
                arrived = v == u or not rng.random() < plan.loss
                if v != u:
                    hops.append(Step(m, u, v, arrived))
                if arrived:
                    arrivals.setdefault(v, []).append((u, older))
            meetings |= {(m, v): tuple(found) for v, found in arrivals.items() if len(found) > 1}
            at[m] = [(v, sum(age for _, age in found)) for v, found in sorted(arrivals.items())]
            waiting = [(seen[m, u], u) for u in chain if problem.owners[u, m] and u not in arrivals]
            if plan.late is not None and waiting and number - min(waiting)[0] > plan.late:
                u = min(waiting)[1]
                at[m].append((u, 0))
                seen[m, u] = number
                created.append((m, u))
        yield WalkRound(number, standing, tuple(training), tuple(hops), meetings, tuple(created))


@dataclass(frozen=True)
class WalkCost:
    """What a walk costs in all: seconds, joules, bits over links; how many copies were lost, met and started anew."""

    latency_s: float
    energy_j: float
    bits: float
    lost: int
    met: int
    created: int


def hop_of(problem: Problem, step: Step) -> tuple[LinkCost, str]:
    """Return the link of a hop with all its band's time, and the band's name."""
    names = problem.scenario.devices
    return hop_cost(problem, names[step.source].name, names[step.target].name)


def walk_cost(problem: Problem, plan: WalkPlan, rounds: int, seed: int) -> WalkCost:
    """Return what a walk costs, before anything is trained."""
    latency = energy = bits = 0.0
    lost = met = created = 0
    for part in walk(problem, plan, rounds, seed):
        host = list(part.training)
        cycles, speed = problem.cycles[host], problem.cpu_max_hz[host]
        latency += float((cycles / speed).max(initial=0.0))
        energy += float((problem.capacitance_j_s2[host] * speed**2 * cycles).sum())
        busy: dict[str, float] = {}
        for step in part.hops:
            link, band = hop_of(problem, step)
            payload = float(problem.payload_bit[step.module])
            busy[band] = busy.get(band, 0.0) + link.s_per_bit * payload
            energy += link.j_per_bit * payload
            bits += payload
        latency += max(busy.values(), default=0.0)
        lost += sum(not step.arrived for step in part.hops)
        met += sum(len(found) - 1 for found in part.meetings.values())
        created += len(part.created)
    return WalkCost(latency, energy, bits, lost, met, created)
