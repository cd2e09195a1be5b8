"""A network in which a device joins and a device starts a task, trained in a few seconds."""

from __future__ import annotations

from run_cases import quick_scenario

from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests


def asking_scenario(later: bool = False) -> Scenario:
    """Return the quick network with a device that holds nothing yet and joins after round 2, and perhaps another."""
    scenario = quick_scenario()
    devices = list(scenario.devices)
    devices[1] = devices[1].model_copy(update={"samples": dict.fromkeys(devices[1].samples, 0)})
    asked = [ModuleRequest(device="device-0-1", task="shapes", samples=6, round=2, deadline_s=5.0)]
    if later:
        asked.append(ModuleRequest(device="device-1-0", task="shapes", samples=6, round=3, deadline_s=5.0))
    return scenario.model_copy(update={"devices": tuple(devices), "requests": Requests(asked=tuple(asked))})
