"""The state of a network in a round, relative to the figures that its scenario gives.

One type serves for what is true (:func:`conditions_at`) and for what is believed of it after measuring; a scenario
:func:`under` conditions is a scenario again, which can be planned, judged and run like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from hffm_opt.scenario.changes import Change, Fade, Fail, Join, Slow
from hffm_opt.scenario.drawn import drawn_changes
from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.model import Device, LinkGain, Name, Radio, Scenario
from hffm_opt.seeds import derive_entropy
from hffm_opt.units import db_to_linear

SEED_BITS = 62


class CpuSpeed(Frozen):
    """A device computes at ``factor`` times its stated limits."""

    device: Name
    factor: Annotated[float, Field(ge=1e-6, le=1e6)]


class ModuleDivergence(Frozen):
    """The divergences of a module's copies inside and between cells."""

    module: Name
    within: Annotated[float, Field(ge=0, le=1e9)]
    between: Annotated[float, Field(ge=0, le=1e9)]


class Conditions(Frozen):
    """Factors on link gains and CPU speeds, devices that are gone, divergences as measured; nothing by default.

    ``draw`` is the seed of a round's fading, null where there is none.
    """

    gains: tuple[LinkGain, ...] = ()
    speeds: tuple[CpuSpeed, ...] = ()
    absent: tuple[Name, ...] = ()
    divergence: tuple[ModuleDivergence, ...] = ()
    draw: Annotated[int, Field(ge=0)] | None = None


def under(scenario: Scenario, conditions: Conditions) -> Scenario:
    """Return the scenario as it is under conditions.

    A device that is gone holds no samples and has no D2D links, so that nothing can be planned for it; it stays listed.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> slow = Conditions(speeds=(CpuSpeed(device="device-0-0", factor=0.5),))
        >>> tiny = load_scenario("tiny")
        >>> under(tiny, slow).devices[0].cpu_max_hz / tiny.devices[0].cpu_max_hz
        0.5
    """
    if conditions == Conditions():
        return scenario
    speeds = {item.device: item.factor for item in conditions.speeds}
    gone = set(conditions.absent)
    measured = {item.module: item for item in conditions.divergence}

    def device(given: Device) -> Device:
        update: dict[str, object] = {}
        if given.name in speeds:
            fastest = given.cpu_max_hz * speeds[given.name]
            update |= {"cpu_max_hz": fastest, "cpu_min_hz": min(given.cpu_min_hz, fastest)}
        if given.name in gone:
            update |= {"samples": dict.fromkeys(given.samples, 0), "d2d": False}
        return given.model_copy(update=update) if update else given

    modules = tuple(
        module.model_copy(
            update={
                "divergence_within": measured[module.name].within,
                "divergence_between": measured[module.name].between,
            }
        )
        if module.name in measured
        else module
        for module in scenario.modules
    )
    update = {
        "devices": tuple(map(device, scenario.devices)),
        "modules": modules,
        "radio": _radio(scenario.radio, conditions),
        "changes": None,
    }
    return scenario.model_copy(update=update)


def _radio(given: Radio | None, conditions: Conditions) -> Radio | None:
    """Return a scenario's own factors times those of the conditions; the draw of a round goes before its own."""
    stated = Radio() if given is None else given
    factors = factor_of_link(stated.gains)
    for pair, factor in factor_of_link(conditions.gains).items():
        factors[pair] = factors.get(pair, 1.0) * factor
    draw = stated.draw if conditions.draw is None else conditions.draw
    if not factors and draw is None:
        return None
    return Radio(gains=gains_of(factors), draw=draw)


def factor_of_link(gains: Iterable[LinkGain]) -> dict[tuple[str, str], float]:
    """Return the factors of gains by (source, target)."""
    return {(item.source, item.target): item.factor for item in gains}


def gains_of(factors: Mapping[tuple[str, str], float]) -> tuple[LinkGain, ...]:
    """Return the gains of factors by (source, target), in their order: the inverse of :func:`factor_of_link`.

    Example:
        >>> factor_of_link(gains_of({("device-0", "edge-0"): 0.5}))
        {('device-0', 'edge-0'): 0.5}
    """
    return tuple(LinkGain(source=a, target=b, factor=value) for (a, b), value in factors.items())


def conditions_at(scenario: Scenario, number: int) -> Conditions:
    """Return the conditions in a round (from 1), as the scenario's changes make them.

    Several fades of a link add up in dB, several slowdowns of a device multiply.
    """
    changes = scenario.changes
    if changes is None:
        return Conditions()
    gains: dict[tuple[str, str], float] = {}
    speeds: dict[str, float] = {}
    gone: set[str] = set()
    for change in _in_force(all_changes(scenario), number):
        if isinstance(change, Fade | Fail):
            factor = db_to_linear(-change.loss_db) if isinstance(change, Fade) else 0.0
            for pair in _pairs(scenario, change):
                gains[pair] = gains.get(pair, 1.0) * factor
        elif isinstance(change, Slow):
            speeds[change.device] = speeds.get(change.device, 1.0) * change.factor
        else:
            gone.add(change.device)
    return Conditions(
        gains=gains_of(dict(sorted(gains.items()))),
        speeds=tuple(CpuSpeed(device=name, factor=value) for name, value in sorted(speeds.items())),
        absent=tuple(sorted(gone)),
        draw=_draw(scenario.name, changes.seed, number) if changes.fading else None,
    )


def _draw(name: str, seed: int, number: int) -> int:
    return derive_entropy(seed, "fading of a round", name, number) >> (128 - SEED_BITS)


def all_changes(scenario: Scenario) -> tuple[Change, ...]:
    """Return the scripted and the drawn changes of a scenario."""
    changes = scenario.changes
    if changes is None:
        return ()
    return (*changes.events, *drawn_changes(scenario))


def _in_force(changes: tuple[Change, ...], number: int) -> Iterator[Change]:
    for change in changes:
        if isinstance(change, Join):
            if number < change.round:
                yield change
        elif change.round <= number and (change.until is None or number < change.until):
            yield change


def _pairs(scenario: Scenario, change: Fade | Fail) -> Iterator[tuple[str, str]]:
    """Yield the directed links of a change; those of a whole device lead to every node there is."""
    if change.target is not None:
        others = [change.target]
    else:
        names = [*(edge.name for edge in scenario.edges), *(device.name for device in scenario.devices)]
        others = [name for name in names if name != change.source]
    for other in others:
        yield change.source, other
        yield other, change.source
