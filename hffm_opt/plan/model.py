"""The plan: circulation, association, heads, trees and allocation, as one frozen value that round-trips in JSON."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from hffm_opt.plan.circulation import Circulation
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Frozen, Name

LEAST = 1e-30


def _not_vanishing(value: float) -> float:
    if value < LEAST:
        raise ValueError(f"{value:g} is below {LEAST:g}, the least that can be judged")
    return value


# Wider than any scenario admits, so that the referee tells by how much a plan errs; beyond, floats overflow.
Amount = Annotated[float, Field(gt=0, le=1e15), AfterValidator(_not_vanishing)]


class Arc(Frozen):
    """One transmission: source sends to target. Band and power are null on the given links to and from the cloud."""

    source: Name
    target: Name
    bandwidth_hz: Amount | None = None
    power_w: Amount | None = None


class Tree(Frozen):
    """Arcs that gather into a root or scatter from it.

    ``relay: sum`` adds up what passes (in-network aggregation: one copy per module on an arc, or what the module's
    ``presum_depth`` admits); ``forward`` passes every owner's copy on, and only the device that uploads to the edge (or
    the head) adds them up.
    ``uplink_charge: mean`` charges the cellular arc at the mean over the cell's members, which is the expected cost
    of an uploader drawn at random; the published study counts so, and only its arithmetic admits it.
    """

    relay: Literal["sum", "forward"] = "sum"
    uplink_charge: Literal["own", "mean"] = "own"
    arcs: tuple[Arc, ...]


TREES = ("gather", "scatter", "uplink", "downlink")
"""The trees of a round, which the ledger's events are named after; those in :data:`OUTWARD` lead away from the root."""
OUTWARD = ("scatter", "downlink")


class RoundPlan(Frozen):
    """What a cell does in one kind of round.

    ``gather`` and ``scatter`` serve the modules averaged at the head, ``uplink`` and ``downlink`` those averaged at
    the edge or the cloud. ``cpu_hz`` is each device's CPU frequency while it trains.
    """

    head: Name | None = None
    gather: Tree | None = None
    scatter: Tree | None = None
    uplink: Tree | None = None
    downlink: Tree | None = None
    cpu_hz: dict[Name, Amount]


class CellPlan(Frozen):
    """The plan of one cell: whom the edge serves, and one round plan for each kind of round (0..K).

    ``collection`` is the last round of the published arithmetic's 200, where a plan that never reaches the cloud
    still hands in its result.
    """

    edge: Name
    devices: tuple[Name, ...]
    rounds: Annotated[tuple[RoundPlan, ...], Field(min_length=1)]
    collection: RoundPlan | None = None


class ScenarioReference(Frozen):
    """Which scenario a plan was made for."""

    name: str
    fingerprint: str

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Return the reference that a plan for this problem carries."""
        return cls(name=problem.scenario.name, fingerprint=problem.fingerprint)


class Plan(Frozen):
    """Every decision for a scenario. Judge it with :func:`hffm_opt.evaluate`, run it with :func:`hffm_opt.train`."""

    format: Literal["hffm-plan/1"] = "hffm-plan/1"
    scenario: ScenarioReference
    method: str
    circulation: Circulation
    cells: tuple[CellPlan, ...]
