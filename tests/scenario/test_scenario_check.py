"""Every check between the fields of a scenario has an example that fails it, and all findings come at once."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.scenario.check import CHECKS, check_scenario
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario, parse_scenario
from hffm_opt.serial import validate


def tiny():
    """The small built-in scenario as plain data, for the tests to spoil."""
    return load_scenario("tiny").model_dump(mode="json")


def put(*keys, value):
    def spoil(data):
        *way, last = keys
        for key in way:
            data = data[key]
        data[last] = value

    return spoil


def happens(**change):
    """Return what puts one change into a scenario."""
    return put("changes", value={"events": [change]})


def without_samples(task):
    def spoil(data):
        for device in data["devices"]:
            device["samples"][task] = 0

    return spoil


def walk_without_links(data):
    data["walks"] = {}
    for device in data["devices"]:
        device["d2d"] = False


def freeze_heads_and_adapters(data):
    for module in data["modules"]:
        module["trainable"] = False


def add_links(*ends):
    def spoil(data):
        data["links"] = [{"source": a, "target": b, "fading": 1.0} for a, b in ends]

    return spoil


MACRO = {"law": "uma-nlos", "device_height_m": 13.0}
EXAMPLES = [
    ("unique_names", put("devices", 1, "name", value="device-0-0"), "edges / devices", "'device-0-0' is used 2 times"),
    ("unique_names", put("devices", 1, "name", value="cloud"), "edges / devices", "'cloud' is used 2 times"),
    ("unique_names", put("modules", 2, "name", value="adapters"), "modules", "'adapters' is used 2 times"),
    ("known_references", put("devices", 0, "edge", value="edge-9"), "devices[0].edge", "no edge is named 'edge-9'"),
    (
        "known_references",
        put("devices", 2, "samples", "digit", value=3),
        "devices[2].samples.digit",
        "no task is named",
    ),
    ("known_references", put("modules", 2, "tasks", value=["digit"]), "modules[2].tasks", "no task is named 'digit'"),
    ("known_references", add_links(("device-0-0", "egde-0")), "links[0].target", "no node is named 'egde-0'"),
    ("unique_links", add_links(*[("device-0-0", "edge-0")] * 2), "links", "device-0-0 -> edge-0 is given 2 times"),
    ("device_limits", put("devices", 3, "cpu_min_hz", value=9e9), "devices[3].cpu_min_hz", "9e+09 is above cpu_max_hz"),
    (
        "device_limits",
        put("devices", 0, "modalities", value=["text"]),
        "devices[0].samples.digits",
        "needs image, which device 'device-0-0' lacks",
    ),
    ("device_limits", put("devices", 0, "memory_bit", value=1e6), "devices[0].memory_bit", "the modules of its tasks"),
    ("anyone_trains", without_samples("digits"), "tasks[0]", "no device holds samples of task 'digits'"),
    ("anyone_trains", freeze_heads_and_adapters, "tasks[0]", "no trainable module serves this task"),
    (
        "physics_profile",
        put("physics", "reference", value={}),
        "physics.reference",
        "belong to the profile 'reference'",
    ),
    ("physics_profile", put("physics", "profile", value="reference"), "physics.reference", "belong to the profile"),
    (
        "physics_profile",
        lambda data: data["physics"].update(profile="reference", reference={}, allocation="optimised"),
        "physics.allocation",
        "the published arithmetic has no allocation",
    ),
    (
        "physics_profile",
        put("physics", "d2d_sharing", value="shared"),
        "physics.d2d_sharing",
        "a shared band must be divided",
    ),
    ("antenna_heights", put("physics", "path_loss", value=MACRO), "physics.path_loss.device_height_m", "below 13 m"),
    ("antenna_heights", put("physics", "d2d_path_loss", value=MACRO), "physics.d2d_path_loss.device_height_m", "13 m"),
    ("planning_menu", put("planning", "periods", value=[]), "planning.periods", "the menu is empty"),
    ("planning_menu", put("planning", "periods", value=[1, 3]), "planning.periods[1]", "3 is not a power of two"),
    ("planning_menu", put("planning", "periods", value=[1, 256]), "planning.periods[1]", "256 exceeds the horizon"),
    ("planning_menu", put("planning", "periods", value=[2, 2]), "planning.periods", "a period stands twice"),
    (
        "planning_menu",
        lambda data: data["planning"].update(latency_weight=0, energy_weight=0),
        "planning",
        "both weights are 0",
    ),
    ("ownable_modules", put("devices", 1, "experts", value=["expert-0"]), "devices[1].experts", "no expert is named"),
    (
        "ownable_modules",
        lambda data: data["modules"][1].update(kind="encoder", modalities=["audio"]),
        "modules[1].tasks",
        "the encoder of audio serves task 'digits', which does not have it",
    ),
    (
        "well_formed_sources",
        put("tasks", 0, "source", value={"format": "vqa-v2", "train": {"questions": "q.json", "images": "i"}}),
        "tasks[0].source.train.annotations",
        "keeps its answers in a second file",
    ),
    (
        "inference_section",
        put("inference", value={"classes": [{"name": "a", "task": "digits", "device": "edge-0", "rate_per_s": 1.0}]}),
        "inference.classes[0].device",
        "no device is named 'edge-0'",
    ),
    (
        "known_in_changes",
        put("radio", value={"gains": [{"source": "device-0-0", "target": "egde-0", "factor": 0.5}]}),
        "radio.gains[0].target",
        "no node is named 'egde-0'",
    ),
    (
        "known_in_changes",
        happens(change="leave", round=2, device="me"),
        "changes.events[0].device",
        "no device is named",
    ),
    (
        "known_in_changes",
        happens(change="fail", round=2, source="device-0-0", target="edge-0"),
        "changes.events[0].target",
        "no device is named 'edge-0'",
    ),
    (
        "known_in_changes",
        happens(change="fade", round=2, source="device-0-0", target="device-0-0", loss_db=3),
        "changes.events[0]",
        "has no link to itself",
    ),
    (
        "known_in_changes",
        happens(change="slow", round=4, until=4, device="device-0-0", factor=0.5),
        "changes.events[0].until",
        "round 4 is not after round 4",
    ),
    (
        "sound_requests",
        put("requests", value={"asked": [{"device": "phone", "task": "shapes", "samples": 8, "deadline_s": 1.0}]}),
        "requests.asked[0].device",
        "no device is named 'phone'",
    ),
    ("sound_specialisation", put("specialise", value={}), "specialise", "no trainable experts"),
    ("sound_walks", walk_without_links, "walks", "no module can walk"),
]


@pytest.mark.parametrize(("check", "spoil", "path", "message"), EXAMPLES)
def test_every_check_can_fail(check, spoil, path, message):
    data = tiny()
    spoil(data)
    function = next(c for c in CHECKS if c.__name__ == check)
    finding = next(f for f in function(validate(data, Scenario, "scenario")) if f.path == path)
    assert message in finding.message
    assert finding.repair
    with pytest.raises(InputError) as caught:
        parse_scenario(data)
    assert finding in caught.value.findings


def test_every_check_has_an_example():
    assert {name for name, *_ in EXAMPLES} == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize("name", BUILTINS)
def test_built_in_scenarios_are_sound(name):
    assert check_scenario(BUILTINS[name]()) == ()


def test_near_misses_are_named():
    data = tiny()
    data["devices"][0]["edge"] = "egde-1"
    with pytest.raises(InputError) as caught:
        parse_scenario(data)
    assert caught.value.findings[0].repair == "did you mean 'edge-1'?"


def test_nine_mistakes_take_one_run_to_find():
    data = tiny()
    spoiled = [2, 3, 7, 8, 9, 10, 16, 20, 23]
    for i in spoiled:
        EXAMPLES[i][1](data)
    with pytest.raises(InputError) as caught:
        parse_scenario(data)
    found = {finding.path for finding in caught.value.findings}
    assert {EXAMPLES[i][2] for i in spoiled} <= found


def test_a_relay_without_data_is_allowed():
    data = tiny()
    data["devices"][0]["samples"] = {}
    assert parse_scenario(data).devices[0].samples == {}
