"""Scenarios: a list, a summary, or everything that is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from hffm_opt.cli import screen
from hffm_opt.cli.figures import bits, counted
from hffm_opt.cli.views.tables import facts, table
from hffm_opt.errors import Finding
from hffm_opt.scenario.model import Scenario


def summary(scenario: Scenario) -> dict[str, object]:
    """Return a scenario's size and kind, as JSON documents carry them."""
    return {
        "name": scenario.name,
        "description": scenario.description,
        "profile": scenario.physics.profile,
        "allocation": scenario.physics.allocation,
        "edges": len(scenario.edges),
        "devices": len(scenario.devices),
        "modules": [module.name for module in scenario.modules if module.trainable],
        "tasks": [task.name for task in scenario.tasks],
    }


def listing(scenarios: Iterable[Scenario]) -> RenderableType:
    """Return the table of scenarios."""
    found = table("name", "edges", "devices", "physics", "allocation", "description")
    for scenario in scenarios:
        found.add_row(
            Text(scenario.name, style="bold"),
            str(len(scenario.edges)),
            str(len(scenario.devices)),
            scenario.physics.profile,
            scenario.physics.allocation,
            scenario.description,
        )
    return found


def sound(scenario: Scenario) -> RenderableType:
    """Return the summary of a scenario that has no faults."""
    trainable = [module for module in scenario.modules if module.trainable]
    owned = sum(1 for device in scenario.devices if any(device.samples.values()))
    rows = {
        "network": f"{counted(len(scenario.edges), 'edge')}, {counted(len(scenario.devices), 'device')} "
        f"({owned} with data)",
        "physics": f"profile {scenario.physics.profile}, allocation {scenario.physics.allocation}",
        "modules": ", ".join(f"{module.name} ({bits(module.payload_bit)})" for module in trainable),
        "tasks": ", ".join(f"{task.name} ({task.answers} answers)" for task in scenario.tasks),
        "menu": f"periods {', '.join(map(str, scenario.planning.periods))} rounds, or never",
    } | _sections(scenario)
    return Group(Text.assemble(("Sound: ", "bold green"), (scenario.name, "bold")), facts(rows))


def _sections(scenario: Scenario) -> dict[str, str]:
    """Return what a scenario asks for besides training, and how to plan it; nothing for sections that it lacks."""
    found = {}
    if scenario.requests is not None:
        after = ", ".join(str(number) for number in sorted({asked.round for asked in scenario.requests.asked}))
        count = counted(len(scenario.requests.asked), "request")
        found["requests"] = f"{count}, after round {after}: hffm plan S --for requests"
    if scenario.specialise is not None:
        most = scenario.specialise.experts_per_device
        limit = "without a limit per device" if most is None else f"at most {most} per device"
        found["specialise"] = f"experts are placed, {limit}: hffm plan S --for specialise"
    if scenario.inference is not None:
        names = ", ".join(asked.name for asked in scenario.inference.classes)
        found["inference"] = f"{names}: hffm plan S --for inference"
    if scenario.walks is not None:
        walks = scenario.walks
        late = "" if walks.late is None else f", made anew after {counted(walks.late, 'round')}"
        copies = f"{walks.walkers} of each module and island, loss {walks.loss:g}{late}"
        found["walks"] = f"{copies}: hffm plan S --for walks"
    if scenario.changes is not None:
        events = counted(len(scenario.changes.events), "event")
        drawn = ", and drawn ones" if scenario.changes.drawn is not None else ""
        fading = f", {scenario.changes.fading} fading" if scenario.changes.fading else ""
        found["changes"] = f"{events}{drawn}{fading}: hffm loop S"
    return found


def faults(name: str, findings: tuple[Finding, ...]) -> RenderableType:
    """Return everything that is wrong with a scenario."""
    head = Text.assemble(("Not sound: ", "bold red"), (name, "bold"), f", {counted(len(findings), 'finding')}")
    return Group(head, *map(screen.finding_text, findings))
