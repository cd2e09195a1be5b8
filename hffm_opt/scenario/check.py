"""Checks between the fields of a scenario. Each has a name, and all of them report before anything is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from hffm_opt.errors import Finding, near_or_some
from hffm_opt.scenario.changes import Fade, Fail
from hffm_opt.scenario.inference import inference_section
from hffm_opt.scenario.model import CLOUD, Scenario, Tr38901
from hffm_opt.scenario.ownership import ownable_modules, owns
from hffm_opt.scenario.requests import sound_requests
from hffm_opt.scenario.sources import well_formed_sources
from hffm_opt.scenario.specialise import sound_specialisation
from hffm_opt.scenario.walks import sound_walks


def unique_names(scenario: Scenario) -> Iterator[Finding]:
    """Nodes share one name space with the cloud; modules and tasks have their own."""
    groups = {
        "edges / devices": [CLOUD, *(e.name for e in scenario.edges), *(d.name for d in scenario.devices)],
        "modules": [m.name for m in scenario.modules],
        "tasks": [t.name for t in scenario.tasks],
    }
    for path, names in groups.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield Finding(path, f"the name '{name}' is used {count} times", "give each its own name")


def known_references(scenario: Scenario) -> Iterator[Finding]:
    """Every name that points somewhere must exist."""
    edges = {e.name for e in scenario.edges}
    tasks = {t.name for t in scenario.tasks}
    nodes = edges | {d.name for d in scenario.devices}
    for i, device in enumerate(scenario.devices):
        if device.edge is not None and device.edge not in edges:
            yield Finding(f"devices[{i}].edge", f"no edge is named '{device.edge}'", near_or_some(device.edge, edges))
        for task in sorted(device.samples.keys() - tasks):
            yield Finding(f"devices[{i}].samples.{task}", f"no task is named '{task}'", near_or_some(task, tasks))
    for i, module in enumerate(scenario.modules):
        for task in module.tasks:
            if task not in tasks:
                yield Finding(f"modules[{i}].tasks", f"no task is named '{task}'", near_or_some(task, tasks))
    for i, link in enumerate(scenario.links):
        for end in ("source", "target"):
            name = getattr(link, end)
            if name not in nodes:
                yield Finding(f"links[{i}].{end}", f"no node is named '{name}'", near_or_some(name, nodes))


def known_in_changes(scenario: Scenario) -> Iterator[Finding]:
    """Changes happen to nodes there are, links fail between devices, and what begins ends later."""
    devices = {d.name for d in scenario.devices}
    nodes = devices | {e.name for e in scenario.edges}
    for i, gain in enumerate(() if scenario.radio is None else scenario.radio.gains):
        for end in ("source", "target"):
            if getattr(gain, end) not in nodes:
                message = f"no node is named '{getattr(gain, end)}'"
                yield Finding(f"radio.gains[{i}].{end}", message, near_or_some(getattr(gain, end), nodes))
    for i, change in enumerate(() if scenario.changes is None else scenario.changes.events):
        path, until = f"changes.events[{i}]", getattr(change, "until", None)
        for end in ("source", "target", "device"):
            name, known = getattr(change, end, None), nodes if isinstance(change, Fade) else devices
            if name is not None and name not in known:
                what = "node" if isinstance(change, Fade) else "device"
                yield Finding(f"{path}.{end}", f"no {what} is named '{name}'", near_or_some(name, known))
        if isinstance(change, Fade | Fail) and change.source == change.target:
            yield Finding(path, f"'{change.source}' has no link to itself", "name two nodes")
        if until is not None and until <= change.round:
            yield Finding(f"{path}.until", f"round {until} is not after round {change.round}", "give a later one")


def unique_links(scenario: Scenario) -> Iterator[Finding]:
    """A directed link has one fading value."""
    for (source, target), count in Counter((x.source, x.target) for x in scenario.links).items():
        if count > 1:
            yield Finding("links", f"the link {source} -> {target} is given {count} times", "keep one of them")


def device_limits(scenario: Scenario) -> Iterator[Finding]:
    """A device's CPU range is a range, and its data fit its modalities and memory."""
    tasks = {t.name: t for t in scenario.tasks}
    for i, device in enumerate(scenario.devices):
        if device.cpu_min_hz > device.cpu_max_hz:
            yield Finding(
                f"devices[{i}].cpu_min_hz",
                f"{device.cpu_min_hz:g} is above cpu_max_hz = {device.cpu_max_hz:g}",
                "give cpu_min_hz <= cpu_max_hz",
            )
        held = [name for name, count in device.samples.items() if count > 0 and name in tasks]
        for name in held:
            missing = sorted(set(tasks[name].modalities) - set(device.modalities))
            if missing:
                yield Finding(
                    f"devices[{i}].samples.{name}",
                    f"the task needs {', '.join(missing)}, which device '{device.name}' lacks",
                    "give the device the modality or set its samples of this task to 0",
                )
        # Experts that are yet to be placed take the room that is left.
        placed = [m for m in scenario.modules if scenario.specialise is None or m.kind != "expert"]
        needed = sum(m.payload_bit for m in placed if owns(device, m))
        if device.memory_bit is not None and needed > device.memory_bit:
            yield Finding(
                f"devices[{i}].memory_bit",
                f"the modules of its tasks need {needed:g} bit",
                "give more memory or set its samples of a task to 0",
            )


def anyone_trains(scenario: Scenario) -> Iterator[Finding]:
    """Every task has samples somewhere, and every task with samples has a module to train."""
    for i, task in enumerate(scenario.tasks):
        if not any(device.samples.get(task.name, 0) for device in scenario.devices):
            yield Finding(
                f"tasks[{i}]",
                f"no device holds samples of task '{task.name}'",
                f"give some device samples: {{{task.name}: N}} with N > 0, or remove the task",
            )
        elif not any(m.trainable and task.name in m.tasks for m in scenario.modules):
            yield Finding(f"tasks[{i}]", "no trainable module serves this task", "add one, or make one trainable")


def physics_profile(scenario: Scenario) -> Iterator[Finding]:
    """The published arithmetic needs its constants and knows no budgets; fixed allocation needs own bands."""
    physics = scenario.physics
    if (physics.profile == "reference") != (physics.reference is not None):
        yield Finding(
            "physics.reference",
            "the constants of the published arithmetic belong to the profile 'reference', and only there",
            "add 'reference: {}' to the profile 'reference', or remove it from the profile 'si'",
        )
    if physics.profile == "reference" and physics.allocation != "fixed":
        yield Finding("physics.allocation", "the published arithmetic has no allocation", "use allocation: fixed")
    if physics.allocation == "fixed":
        for band in ("uplink_sharing", "downlink_sharing", "d2d_sharing"):
            if getattr(physics, band) == "shared":
                yield Finding(
                    f"physics.{band}",
                    "a shared band must be divided, but allocation is fixed",
                    "use 'dedicated', or allocation: optimised",
                )


def antenna_heights(scenario: Scenario) -> Iterator[Finding]:
    """Urban macro with devices of 13 m and more has a random environment height, which is left out."""
    for field in ("path_loss", "d2d_path_loss"):
        law = getattr(scenario.physics, field)
        if isinstance(law, Tr38901) and law.law.startswith("uma") and law.device_height_m >= 13:
            yield Finding(
                f"physics.{field}.device_height_m",
                f"{law.device_height_m:g} m: urban macro is computed for devices below 13 m",
                "give a lower height, or use a street canyon law (umi-los, umi-nlos)",
            )


def planning_menu(scenario: Scenario) -> Iterator[Finding]:
    """Periods are distinct powers of two; the horizon is longer than any; something is weighed."""
    plan = scenario.planning
    if not plan.periods:
        yield Finding("planning.periods", "the menu is empty", "list at least one period, e.g. [1, 2, 4, 8]")
    for i, period in enumerate(plan.periods):
        if period & (period - 1):
            yield Finding(f"planning.periods[{i}]", f"{period} is not a power of two", "use 1, 2, 4, 8, ...")
        if period > plan.horizon_rounds:
            yield Finding(f"planning.periods[{i}]", f"{period} exceeds the horizon", "raise planning.horizon_rounds")
    if len(set(plan.periods)) < len(plan.periods):
        yield Finding("planning.periods", "a period stands twice", "list each once")
    if plan.latency_weight == plan.energy_weight == 0:
        yield Finding("planning", "both weights are 0", "give latency_weight or energy_weight a positive value")


CHECKS: tuple[Callable[[Scenario], Iterator[Finding]], ...] = (
    unique_names,
    known_references,
    known_in_changes,
    unique_links,
    device_limits,
    anyone_trains,
    physics_profile,
    antenna_heights,
    planning_menu,
    ownable_modules,
    well_formed_sources,
    inference_section,
    sound_requests,
    sound_specialisation,
    sound_walks,
)


def check_scenario(scenario: Scenario) -> tuple[Finding, ...]:
    """Return the findings of all checks; none means that the scenario can be planned."""
    return tuple(finding for check in CHECKS for finding in check(scenario))
