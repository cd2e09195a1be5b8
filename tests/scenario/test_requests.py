"""Requests: what they start, what is then lacking, what is refused, and that nothing else changes."""

import pytest

from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.ownership import owns
from hffm_opt.scenario.read import load_scenario, parse_scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests, asked_after, granted, lacking, request_rounds
from hffm_opt.serial import dump_yaml, parse_text


def asking(scenario, *asked):
    requests = Requests(asked=tuple(ModuleRequest(**{"samples": 8, "deadline_s": 1.0} | one) for one in asked))
    return scenario.model_copy(update={"requests": requests})


def test_requests_change_no_plans_of_training():
    scenario = load_scenario("tiny")
    with_requests = asking(scenario, {"device": "device-0-1", "task": "shapes"})
    assert with_requests.fingerprint() == scenario.fingerprint()
    assert "requests" not in dump_yaml(scenario) and "specialise" not in dump_yaml(scenario)
    assert not check_scenario(with_requests)
    assert parse_scenario(parse_text(dump_yaml(with_requests), "x.yaml")) == with_requests


def test_a_task_brings_the_modules_that_it_lacks():
    scenario = asking(load_scenario("tiny"), {"device": "device-0-1", "task": "shapes", "round": 3})
    (request,) = asked_after(scenario, 3)
    assert (request_rounds(scenario), asked_after(scenario, 2)) == ((3,), ())
    assert [module.name for module in lacking(scenario, request)] == ["head-shapes"]
    after = granted(scenario, [request])
    assert after.requests is None
    assert after.devices[1].samples == {"digits": 32, "shapes": 8}
    assert after.devices[:1] + after.devices[2:] == scenario.devices[:1] + scenario.devices[2:]


def test_a_modality_brings_every_task_that_it_makes_possible():
    scenario = asking(load_scenario("m3t"), {"device": "device-0-1", "modality": "audio"})
    (request,) = asked_after(scenario, 1)
    names = {module.name for module in lacking(scenario, request)}
    assert names == {"encoder-audio", "prompt-audio", "head-keypad", "head-keys"}
    after = granted(scenario, [request]).devices[1]
    assert after.modalities == ("image", "text", "audio")
    assert (after.samples["keypad"], after.samples["keys"], after.samples["shapes"]) == (8, 8, 65)
    assert all(owns(after, module) for module in scenario.modules if module.name in names)


@pytest.mark.parametrize(
    ("asked", "path", "message"),
    [
        ({"device": "device-9", "task": "shapes"}, "requests.asked[0].device", "no device is named"),
        ({"device": "device-0-1", "task": "shape"}, "requests.asked[0].task", "no task is named"),
        ({"device": "device-0-1", "modality": "smell"}, "requests.asked[0].modality", "no modality is named"),
        ({"device": "device-0-1"}, "requests.asked[0]", "neither a task nor a modality"),
        ({"device": "device-0-1", "task": "digits"}, "requests.asked[0].task", "holds samples of 'digits' already"),
        ({"device": "device-0-0", "modality": "image"}, "requests.asked[0].modality", "can hold no task"),
    ],
)
def test_useless_requests_are_told(asked, path, message):
    (finding,) = check_scenario(asking(load_scenario("tiny"), asked))
    assert finding.path == path
    assert message in finding.message and finding.repair


def test_a_task_whose_modality_is_missing_and_a_task_started_twice_are_told():
    deaf = asking(load_scenario("senses"), {"device": "device-0-1", "task": "keys"})
    (finding,) = check_scenario(deaf)
    assert "needs audio" in finding.message
    assert not check_scenario(asking(deaf, {"device": "device-0-1", "task": "keys", "modality": "audio"}))
    twice = [{"device": "device-0-1", "task": "shapes", "round": k} for k in (1, 2)]
    (finding,) = check_scenario(asking(load_scenario("tiny"), *twice))
    assert "twice" in finding.message
