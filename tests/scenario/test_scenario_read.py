"""Scenarios by name and from files, what is refused, and what their fingerprint stands for."""

import functools
import operator

import pytest

from hffm_opt.errors import InputError
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario, parse_scenario, read_checked
from hffm_opt.serial import dump_json, dump_yaml, parse_text, validate


@pytest.mark.parametrize("name", BUILTINS)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_built_in_scenarios_round_trip(tmp_path, name, suffix):
    scenario = load_scenario(name)
    path = tmp_path / f"copy.{suffix}"
    path.write_text(dump_yaml(scenario) if suffix == "yaml" else dump_json(scenario), encoding="utf-8")
    again = load_scenario(path)
    assert again == scenario
    assert again.fingerprint() == scenario.fingerprint()
    assert read_checked(path)[1] == ()


def test_hand_written_files_are_read(tmp_path):
    path = tmp_path / "hand.yaml"
    path.write_text(
        """
        name: hand
        physics: {profile: si, path_loss: {law: umi-nlos, carrier_hz: 3.5e9, edge_height_m: 10}}
        edges:
          - {name: e, x_m: 0, y_m: 0, uplink_bandwidth_hz: 1e6, downlink_bandwidth_hz: 1e6, d2d_bandwidth_hz: 1e6,
             downlink_power_w: 1, backhaul_rate_bit_per_s: 1e7}
        devices:
          - {name: d, x_m: 10, y_m: 20, uplink_power_w: 0.2, d2d_power_w: 0.1, samples: {t: 3}}
        modules: [{name: m, kind: head, tasks: [t], payload_bit: 1000}]
        tasks: [{name: t, answers: 2}]
        """
    )
    scenario = load_scenario(path)
    assert scenario.edges[0].uplink_bandwidth_hz == 1e6
    assert scenario.physics.path_loss.law == "umi-nlos"
    assert scenario.devices[0].edge is None


@pytest.mark.parametrize(
    ("name", "message", "repair"),
    [
        ("papr", "there is no built-in scenario", "did you mean 'paper'? built in: paper, paper-si, tiny"),
        ("zzz", "there is no built-in scenario", "built in: paper, paper-si, tiny"),
        ("nowhere/x.yaml", "there is no such file", "give the path of an existing scenario file"),
        ("\0", "there is no built-in scenario", "built in"),
        ("x" * 5000, "there is no built-in scenario", "built in"),
    ],
)
def test_unknown_names(name, message, repair):
    (finding,) = read_checked(name)[1]
    assert finding.path == name
    assert message in finding.message
    assert repair in finding.repair


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("", "(whole file)", "a scenario is a mapping, this is empty"),
        ("- 1", "(whole file)", "a scenario is a mapping, this is a list"),
        ("name: x\nname: y\n", "{file}, line 2, column 1", "stands here twice"),
        ("name: [x\n", "{file}, line 2, column 1", "expected ',' or ']'"),
    ],
)
def test_files_that_are_no_scenario(tmp_path, text, path, message):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    (finding,) = read_checked(file)[1]
    assert finding.path == path.format(file=file)
    assert message in finding.message


def test_a_truncated_scenario_is_refused(tmp_path):
    text = dump_yaml(load_scenario("tiny"))
    for word in ("trainable", "samples", "importance"):  # amid a word, lest what is left be whole
        file = tmp_path / "cut.yaml"
        file.write_text(text[: text.rindex(word) + 3])
        assert read_checked(file)[1]


@pytest.mark.parametrize(
    ("keys", "value", "path", "message", "repair"),
    [
        (("edges", 0, "uplink_bandwith_hz"), 1e6, None, "not known", "did you mean 'uplink_bandwidth_hz'?"),
        (("devices", 0, "uplink_power_dbm"), 23, None, "not known", "did you mean"),
        (("physics", "path_loss", "exponnet"), 3, "physics.path_loss.log-distance.exponnet", "not known", "'exponent'"),
        (("edges", 0, "uplink_bandwidth_hz"), "20 MHz", None, "valid number", "without quotes or unit"),
        (("edges", 0, "uplink_bandwidth_hz"), 0, None, "greater than or equal to 1", "inside the range"),
        (("edges", 0, "uplink_bandwidth_hz"), float("nan"), None, "not a finite number", "finite number"),
        (("edges", 0, "uplink_bandwidth_hz"), float("inf"), None, "not a finite number", "finite number"),
        (("edges", 0, "name"), "a b", None, "should match pattern", "letters, digits"),
        (("edges",), [], None, "at least 1 item", "at least one"),
        (("devices", 0, "samples", "digits"), 1.5, None, "valid integer", "whole number"),
        (("devices", 0, "samples", "digits"), -1, None, "greater than or equal to 0", "inside the range"),
        (("devices", 0, "d2d"), "no", None, "valid boolean", "true or false"),
        (("physics", "profile"), "SI", None, "'reference' or 'si'", "'reference' or 'si'"),
        (("physics", "path_loss"), {"law": "free"}, "physics.path_loss", "does not match any", "give 'law' as one of"),
        (("physics", "path_loss"), {"exponent": 2}, "physics.path_loss", "discriminator", "the key 'law'"),
        (
            ("physics", "path_loss"),
            {"law": "uma-los", "device_height_m": 30},
            "physics.path_loss.uma-los.device_height_m",
            "less than or equal to 22.5",
            "inside the range",
        ),
        (
            ("physics", "path_loss"),
            {"law": "uma-los", "edge_height_m": 1},
            "physics.path_loss.uma-los.edge_height_m",
            "greater than or equal to 1.5",
            "inside the range",
        ),
        (("modules", 0, "kind"), "heads", None, "'encoder'", "use one of"),
        (("format",), "hffm-scenario/2", None, "hffm-scenario/1", "use one of"),
        (("seed",), "7", None, "valid integer", "whole number"),
    ],
)
def test_wrong_fields(keys, value, path, message, repair):
    data = load_scenario("tiny").model_dump(mode="json")
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(InputError) as caught:
        parse_scenario(data)
    (finding,) = caught.value.findings
    written = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    assert finding.path == (path or written)
    assert message in finding.message
    assert repair in finding.repair


def test_a_faulty_entry_does_not_make_its_list_too_short():
    data = load_scenario("tiny").model_dump(mode="json")
    data["edges"] = data["edges"][:1]
    data["edges"][0]["x_m"] = "left"
    with pytest.raises(InputError) as caught:
        parse_scenario(data)
    assert [finding.path for finding in caught.value.findings] == ["edges[0].x_m"]


def leaves(data, way=()):
    """Yield the way to every value of nested plain data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if not items and items is not None:
        return
    if items is None:
        yield way
        return
    for key, value in items:
        yield from leaves(value, (*way, key))


WORDS = ("shared", "optimised", "rayleigh", "reference", "assumed", "expert", "edge-1", "other", {})


def variants(value):
    """Yield values that may stand in a value's place, the likeliest first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value / 2)
    else:
        yield from (1.0, 1, *WORDS, ["other"], [{"part": "prompt"}])


def with_one_change(scenario, way):
    """Return the scenario with another value at one place, or None where no variant is a valid one."""
    for variant in variants(functools.reduce(operator.getitem, way, scenario.model_dump(mode="json"))):
        changed = scenario.model_dump(mode="json")
        functools.reduce(operator.getitem, way[:-1], changed)[way[-1]] = variant
        try:
            return validate(changed, Scenario, "scenario")
        except InputError:
            continue
    return None


def test_the_fingerprint_covers_everything_but_names_and_wishes():
    """Each value is changed in turn; only name, description, planning and what will happen leave it alone."""
    scenario = load_scenario("tiny")
    start = scenario.fingerprint()
    seen, unchangeable = {start}, set()
    for way in leaves(scenario.model_dump(mode="json")):
        changed = with_one_change(scenario, way)
        if changed is None:
            unchangeable.add(way)
        elif way[0] in {"name", "description", "planning", "changes"}:
            assert changed.fingerprint() == start, way
        else:
            assert changed.fingerprint() not in seen, way
            seen.add(changed.fingerprint())
    # A law of path loss cannot be another without other fields; where data lie has a test of its own.
    sources = {("tasks", i, "source") for i in range(len(scenario.tasks))}
    laws = {("physics", "path_loss", "law"), ("physics", "d2d_path_loss", "law")}
    assert unchangeable == {("format",), ("planning", "association"), ("planning", "curve")} | laws | sources
    assert len(seen) > 100


def test_scenarios_are_frozen():
    scenario = load_scenario("tiny")
    with pytest.raises(ValueError, match="frozen"):
        scenario.seed = 3
    with pytest.raises(ValueError, match="frozen"):
        scenario.devices[0].x_m = 3.0


def test_cards_that_are_not_shipped():
    with pytest.raises(InputError, match="no model card is shipped for 'vilt-huge'"):
        shipped_card("vilt-huge")


def test_the_shipped_card_serves_the_embedded_tasks():
    card = shipped_card("vilt-small")
    heads = {module.tasks for module in card.modules if module.kind == "head"}
    assert heads == {("digits",), ("shapes",)}
    assert [m.kind for m in card.modules if not m.trainable] == ["backbone"]
    assert all(m.payload_bit > 0 and m.backward_flop >= 0 for m in card.modules)


OLDER = """
name: older
physics: {profile: si}
edges:
  - {name: edge, x_m: 0, y_m: 0, uplink_bandwidth_hz: 2e6, downlink_bandwidth_hz: 5e6, d2d_bandwidth_hz: 4e6,
     downlink_power_w: 2.0, backhaul_rate_bit_per_s: 10e6}
devices: [{name: phone, x_m: 120, y_m: 40, uplink_power_w: 0.2, d2d_power_w: 0.1, samples: {photos: 40}}]
modules: [{name: adapters, kind: adapter, tasks: [photos], payload_bit: 2000000}]
tasks: [{name: photos, answers: 20}]
"""


def test_fields_that_came_later_leave_older_fingerprints_alone():
    """The digests are those of the first version, which knew no limits on relaying."""
    data = parse_text(OLDER, "older")
    scenario = parse_scenario(data)
    assert scenario.fingerprint() == "20759c18403c7bb98d05200a4837fe70d629ab42f83a8ac77d29fb4ac7a4e7e5"
    assert scenario.planning_fingerprint() == "733108bc1968b189113244db05d7fde5dda43c21f30d2074bf9635fcd57452ee"
    data["planning"] = {"max_hops": 2}
    limited = parse_scenario(data)
    assert limited.fingerprint() == scenario.fingerprint()
    assert limited.planning_fingerprint() != scenario.planning_fingerprint()
    data["modules"][0]["presum_depth"] = 0
    assert parse_scenario(data).fingerprint() != scenario.fingerprint()
