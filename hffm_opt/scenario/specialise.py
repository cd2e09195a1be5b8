"""Specialisation: which experts of a mixture each node keeps for good, and what the choice weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hffm_opt.errors import Finding
from hffm_opt.scenario.frozen import Frozen

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario


class Specialise(Frozen):
    """Limits and weights of the placement of experts.

    A device trains at most ``experts_per_device`` experts, for at most ``max_train_s`` s a round; null is no limit. An
    edge server keeps copies of at most ``edge_memory_bit`` bit. Devices fetch the experts that they do not keep every
    ``fetch_rounds`` rounds. ``misfit_weight`` is the objective's weight per unit of misfit of an expert in use,
    ``mixing_weight`` that per unit of total variation between the data of every two devices that train the same expert.
    """

    experts_per_device: Annotated[int, Field(ge=1)] | None = None
    max_train_s: Annotated[float, Field(gt=0, le=1e9)] | None = None
    edge_memory_bit: Annotated[float, Field(ge=0, le=1e18)] = 0.0
    fetch_rounds: Annotated[int, Field(ge=1)] = 8
    misfit_weight: Annotated[float, Field(ge=0, le=1e9)] = 1.0
    mixing_weight: Annotated[float, Field(ge=0, le=1e9)] = 0.0


def specialised(scenario: Scenario, hosts: Mapping[str, tuple[str, ...]]) -> Scenario:
    """Return the scenario in which devices keep, and so train, the experts that they host, and no others.

    Args:
        scenario: with experts.
        hosts: expert to the nodes that host it; edge servers among them train nothing.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> placed = specialised(load_scenario("m3t"), {"expert-0": ("device-0-0",), "expert-1": ("device-0-1",)})
        >>> [device.experts for device in placed.devices[:3]]
        [('expert-0',), ('expert-1',), ()]
    """
    devices = tuple(
        device.model_copy(update={"experts": tuple(m for m, nodes in hosts.items() if device.name in nodes)})
        for device in scenario.devices
    )
    return scenario.model_copy(update={"devices": devices, "specialise": None})


def sound_specialisation(scenario: Scenario) -> Iterator[Finding]:
    """There are experts to place, and no device names its own."""
    if scenario.specialise is None:
        return
    if scenario.requests is not None:
        yield Finding("specialise", "requests and specialise cannot be granted together yet", "remove one of the two")
    if scenario.changes is not None:
        message = "specialise counts on the links over which experts are fetched, and changes may take them away"
        yield Finding("specialise", message, "remove one of the two")
    if not any(m.kind == "expert" and m.trainable for m in scenario.modules):
        message = "the model has no trainable experts that could be placed"
        yield Finding("specialise", message, "add modules of kind expert (learning.parts), or remove the section")
    for i, device in enumerate(scenario.devices):
        if device.experts is not None:
            message = f"device '{device.name}' names its experts, and specialise places them"
            yield Finding(f"devices[{i}].experts", message, "remove one of the two")
