"""What happens to a network while it trains: links that fade or fail, devices that slow down, leave or join.

Changes are what nature does and no planner is told: they do not belong to a scenario's fingerprint. Scripted changes
are listed; drawn ones come from a seed. What they make of the network in a round is a
:class:`~hffm_opt.scenario.conditions.Conditions`.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.ranges import Name

Round = Annotated[int, Field(ge=1)]
Kind = Literal["fade", "fail", "slow", "leave"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Fade(Frozen):
    """A link, or every radio link of a device without a target, loses ``loss_db`` both ways (negative: gains)."""

    change: Literal["fade"]
    round: Round
    until: Round | None = None
    source: Name
    target: Name | None = None
    loss_db: Annotated[float, Field(ge=-100.0, le=100.0)]


class Fail(Frozen):
    """The link between two devices carries nothing any more, in either direction."""

    change: Literal["fail"]
    round: Round
    until: Round | None = None
    source: Name
    target: Name


class Slow(Frozen):
    """A device computes at ``factor`` times its CPU limits."""

    change: Literal["slow"]
    round: Round
    until: Round | None = None
    device: Name
    factor: Annotated[float, Field(ge=1e-3, le=1.0)]


class Leave(Frozen):
    """A device is gone: it neither trains nor relays."""

    change: Literal["leave"]
    round: Round
    until: Round | None = None
    device: Name


class Join(Frozen):
    """A device takes part from ``round`` on, and not before."""

    change: Literal["join"]
    round: Round
    device: Name


Change = Annotated[Fade | Fail | Slow | Leave | Join, Field(discriminator="change")]


class DrawnChanges(Frozen):
    """Changes drawn at random: in each of ``rounds`` rounds ``per_round`` of them on average (Poisson).

    Kinds, devices and links are drawn evenly; a change lasts for a geometric number of rounds with mean
    ``mean_rounds``. Fades lose up to ``loss_db``, devices slow down to no less than ``factor``.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 200
    per_round: Annotated[float, Field(ge=0, le=100.0)] = 0.1
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    mean_rounds: Annotated[float, Field(ge=1.0, le=1e6)] = 20.0
    loss_db: Annotated[float, Field(gt=0, le=100.0)] = 20.0
    factor: Annotated[float, Field(ge=1e-3, lt=1.0)] = 0.3


class Changes(Frozen):
    """All that happens: scripted and drawn changes, and fading that is drawn anew for every link in every round.

    ``fading: rayleigh`` multiplies each link's gain in each round by an exponential factor of mean 1, alike both ways.
    """

    events: tuple[Change, ...] = ()
    drawn: DrawnChanges | None = None
    fading: Literal["rayleigh"] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
