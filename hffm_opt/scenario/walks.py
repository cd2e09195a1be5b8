"""Walks: how modules walk over D2D links, where a scenario is planned for walks or trained by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hffm_opt.errors import Finding
from hffm_opt.scenario.frozen import Frozen

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario


class Walks(Frozen):
    """How many copies walk, and what becomes of lost ones.

    ``walkers`` copies of each module begin on every island of D2D links, on devices of their own: where fewer devices
    train the module, there are fewer. A hop is lost with probability ``loss``. The device that has not seen a module
    for more than ``late`` rounds starts a copy anew (create-if-late, arXiv 2601.07674); null is never.
    """

    walkers: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    late: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    loss: Annotated[float, Field(ge=0, lt=1)] = 0.0


def sound_walks(scenario: Scenario) -> Iterator[Finding]:
    """Walks need devices that have D2D links."""
    if scenario.walks is not None and sum(device.d2d for device in scenario.devices) < 2:
        message = "fewer than two devices have D2D links, so that no module can walk"
        yield Finding("walks", message, "set d2d: true on devices that are to pass modules on, or remove the section")
