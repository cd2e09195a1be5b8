"""The section `specialise`: what it needs, what it excludes, and that nothing else changes."""

from hffm_opt.scenario.changes import Changes
from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.read import load_scenario, parse_scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.serial import dump_yaml, parse_text

SECTION = Specialise(experts_per_device=1)


def mixture(**update):
    scenario = load_scenario("m3t")
    devices = tuple(device.model_copy(update={"experts": None}) for device in scenario.devices)
    return scenario.model_copy(update={"devices": devices, "specialise": SECTION} | update)


def test_the_section_changes_no_plans_of_training():
    assert mixture().fingerprint() == mixture(specialise=None).fingerprint()
    assert not check_scenario(mixture())
    assert parse_scenario(parse_text(dump_yaml(mixture()), "x.yaml")) == mixture()


def test_experts_that_are_named_or_missing_are_told():
    named = check_scenario(load_scenario("m3t").model_copy(update={"specialise": SECTION}))
    assert [finding.path for finding in named] == [f"devices[{i}].experts" for i in range(8)]
    (none,) = check_scenario(load_scenario("tiny").model_copy(update={"specialise": SECTION}))
    assert "no trainable experts" in none.message
    asked = ModuleRequest(device="device-0-1", modality="audio", samples=8, deadline_s=1.0)
    (both,) = check_scenario(mixture(requests=Requests(asked=(asked,))))
    assert "cannot be granted together" in both.message
    (changing,) = check_scenario(mixture(changes=Changes(fading="rayleigh")))
    assert "changes may take them away" in changing.message


def test_only_experts_that_are_kept_take_room():
    scenario = mixture()
    others = sum(m.payload_bit for m in scenario.modules if m.kind != "expert")
    devices = tuple(device.model_copy(update={"memory_bit": float(others)}) for device in scenario.devices)
    assert not check_scenario(scenario.model_copy(update={"devices": devices}))
    assert check_scenario(scenario.model_copy(update={"devices": devices, "specialise": None}))


def test_a_placement_names_every_devices_experts():
    placed = specialised(mixture(), {"expert-0": ("device-0-0", "edge-0"), "expert-1": ("device-0-0", "device-0-1")})
    assert [device.experts for device in placed.devices[:3]] == [("expert-0", "expert-1"), ("expert-1",), ()]
    assert placed.specialise is None
