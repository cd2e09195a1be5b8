"""The centralised counterpart of a scenario: one computer that holds the data of all devices.

It is the network behind the upper bound of a comparison: one model, trained on all samples. What a round of it costs is
training alone, with all experts if there are any, and that as if all devices did it together: its speed in FLOP/s is
the sum of theirs at full CPU speed, and the joules of a round's training are those that they would spend on it
together. Bringing the raw data there, and the model back, is charged nothing; the bound is one on accuracy, not cost.
"""

from __future__ import annotations

from hffm_opt.problem.build import flop_per_sample
from hffm_opt.scenario.model import Scenario

FASTEST_HZ = 1e12  # what a scenario admits of one CPU
NAME_LENGTH = 80


def centralised_scenario(scenario: Scenario) -> Scenario:
    """Return the scenario with one device in place of all, which holds their samples and computes as fast as they do.

    Args:
        scenario: a checked scenario.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> [device.samples for device in centralised_scenario(load_scenario("tiny")).devices]
        [{'digits': 136, 'shapes': 104}]
    """
    devices, first = scenario.devices, scenario.devices[0]
    flop = [
        sum(count * flop_per_sample(scenario.modules, task) for task, count in device.samples.items())
        for device in devices
    ]
    flop_per_s = sum(device.cpu_max_hz * device.flop_per_cycle for device in devices)
    joules = sum(
        device.capacitance_j_s2 * device.cpu_max_hz**2 * work / device.flop_per_cycle
        for device, work in zip(devices, flop, strict=True)
    )
    speed_hz = min(sum(device.cpu_max_hz for device in devices), FASTEST_HZ)
    per_cycle = flop_per_s / speed_hz
    # A network without counted FLOPs trains for nothing, here as there.
    capacitance = joules * per_cycle / (sum(flop) * speed_hz**2) if sum(flop) else 0.0
    edge = next((edge for edge in scenario.edges if edge.name == first.edge), scenario.edges[0])
    whole = first.model_copy(
        update={
            "name": "centralised",
            "x_m": edge.x_m + 1.0,
            "y_m": edge.y_m,
            "edge": edge.name,
            "cpu_min_hz": speed_hz,
            "cpu_max_hz": speed_hz,
            "capacitance_j_s2": capacitance,
            "flop_per_cycle": per_cycle,
            "memory_bit": None,
            "experts": None,
            "modalities": tuple(dict.fromkeys(name for device in devices for name in device.modalities)),
            "samples": {task.name: sum(d.samples.get(task.name, 0) for d in devices) for task in scenario.tasks},
        }
    )
    return scenario.model_copy(
        update={
            "name": f"{scenario.name[: NAME_LENGTH - 12]}-centralised",
            "description": f"All data of '{scenario.name}' on one computer as fast as its devices together.",
            "edges": (edge,),
            "devices": (whole,),
            "links": (),
            "inference": None,
            "radio": None,
            "changes": None,
            "planning": scenario.planning.model_copy(update={"drift_max": None, "association": None}),
        }
    )
