"""Requests: devices that start a task or gain a modality while the network trains, and the modules that they then lack.

A request is granted between two rounds: the modules that the device lacks are copied to it from nodes that hold them
(module relaying, :mod:`hffm_opt.plan.module_relaying`), and from the next round on it trains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hffm_opt.errors import Finding
from hffm_opt.scenario.frozen import Frozen

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Module, Scenario

Word = Annotated[str, Field(min_length=1, max_length=80)]


class ModuleRequest(Frozen):
    """A device starts ``task``, or gains ``modality`` and starts every task that it can hold with it.

    It does so after ``round`` rounds, with ``samples`` samples of each task that it starts; the modules that it lacks
    must be there ``deadline_s`` seconds later.
    """

    device: Word
    task: Word | None = None
    modality: Word | None = None
    samples: Annotated[int, Field(ge=1, le=10_000_000)]
    round: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    deadline_s: Annotated[float, Field(ge=1e-6, le=1e9)]


class Requests(Frozen):
    """All requests, and what the choice of a holder weighs.

    ``misfit_weight`` is the objective's weight per unit of misfit of a copied module (see
    :mod:`hffm_opt.problem.misfit`), ``stale_weight`` the misfit per round since the copy was last averaged or trained.
    """

    asked: Annotated[tuple[ModuleRequest, ...], Field(min_length=1)]
    misfit_weight: Annotated[float, Field(ge=0, le=1e9)] = 1.0
    stale_weight: Annotated[float, Field(ge=0, le=1e9)] = 0.01


def started_tasks(scenario: Scenario, request: ModuleRequest) -> tuple[str, ...]:
    """Return the tasks that a request starts: those named, or made possible, of which the device has no samples yet."""
    device = next(d for d in scenario.devices if d.name == request.device)
    senses = {*device.modalities, *([request.modality] if request.modality else [])}
    return tuple(
        task.name
        for task in scenario.tasks
        if not device.samples.get(task.name, 0)
        and set(task.modalities) <= senses
        and (task.name == request.task if request.task else request.modality in task.modalities)
    )


def granted(scenario: Scenario, requests: Iterable[ModuleRequest]) -> Scenario:
    """Return the scenario in which some requests are granted; the section ``requests`` is left out.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> asked = ModuleRequest(device="device-0-1", task="shapes", samples=16, deadline_s=1.0)
        >>> granted(load_scenario("tiny"), [asked]).devices[1].samples
        {'digits': 32, 'shapes': 16}
    """
    devices = {device.name: device for device in scenario.devices}
    for request in requests:
        device = devices[request.device]
        so_far = scenario.model_copy(update={"devices": tuple(devices.values())})
        new = dict.fromkeys(started_tasks(so_far, request), request.samples)
        gained = [] if request.modality in (None, *device.modalities) else [request.modality]
        devices[device.name] = device.model_copy(
            update={"samples": device.samples | new, "modalities": (*device.modalities, *gained)}
        )
    return scenario.model_copy(update={"devices": tuple(devices.values()), "requests": None})


def lacking(scenario: Scenario, request: ModuleRequest) -> tuple[Module, ...]:
    """Return the trainable modules that a request's device would own, and does not own yet."""
    from hffm_opt.scenario.ownership import owns

    row = next(i for i, d in enumerate(scenario.devices) if d.name == request.device)
    before, after = scenario.devices[row], granted(scenario, [request]).devices[row]
    return tuple(m for m in scenario.modules if m.trainable and owns(after, m) and not owns(before, m))


def request_rounds(scenario: Scenario) -> tuple[int, ...]:
    """Return after which rounds requests are granted, in order."""
    return () if scenario.requests is None else tuple(sorted({asked.round for asked in scenario.requests.asked}))


def asked_after(scenario: Scenario, number: int) -> tuple[ModuleRequest, ...]:
    """Return the requests that are granted after a round."""
    return () if scenario.requests is None else tuple(r for r in scenario.requests.asked if r.round == number)


def sound_requests(scenario: Scenario) -> Iterator[Finding]:
    """Requests name a device, and a task or a modality with which the device can start something new."""
    if scenario.requests is None:
        return
    names = {
        "device": {device.name for device in scenario.devices},
        "task": {task.name for task in scenario.tasks},
        "modality": {sense for task in scenario.tasks for sense in task.modalities},
    }
    sound = []
    for i, request in enumerate(scenario.requests.asked):
        path, findings = f"requests.asked[{i}]", []
        for field, known in names.items():
            name = getattr(request, field)
            if name is not None and name not in known:
                repair = f"use one of: {', '.join(sorted(known)[:8])}"
                findings.append(Finding(f"{path}.{field}", f"no {field} is named '{name}'", repair))
        if (request.task is None) == (request.modality is None) and request.task is None:
            findings.append(Finding(path, "it names neither a task nor a modality", "give task, modality, or both"))
        if not findings:
            findings += _useless(scenario, request, path)
        if not findings:
            sound.append((path, request))
        yield from findings
    started: set[tuple[str, str]] = set()
    for path, request in sound:
        new = {(request.device, task) for task in started_tasks(scenario, request)}
        for device, task in sorted(new & started):
            yield Finding(path, f"device '{device}' starts '{task}' twice", "keep one of the requests")
        started |= new


def _useless(scenario: Scenario, request: ModuleRequest, path: str) -> Iterator[Finding]:
    """Yield why a request whose names are known starts nothing."""
    if started_tasks(scenario, request):
        return
    device = next(d for d in scenario.devices if d.name == request.device)
    if request.task is None:
        message = f"with {request.modality}, device '{device.name}' can hold no task that it does not hold already"
        yield Finding(f"{path}.modality", message, "give a modality that a new task needs, or remove the request")
        return
    task = next(t for t in scenario.tasks if t.name == request.task)
    if device.samples.get(task.name, 0):
        message = f"device '{device.name}' holds samples of '{task.name}' already"
        yield Finding(f"{path}.task", message, "remove the request, or set its samples of the task to 0")
        return
    missing = sorted(set(task.modalities) - {*device.modalities, *([request.modality] if request.modality else [])})
    message = f"the task needs {', '.join(missing)}, which device '{device.name}' lacks"
    yield Finding(f"{path}.task", message, "give the device the modality, or let the request bring it: modality")
