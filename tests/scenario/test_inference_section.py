"""The section `inference`: what is refused, and that scenarios without it stay as they were."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.problem.pooled import centralised_scenario
from hffm_opt.scenario.chains import Chain, EncoderSegment, Segment, shipped_chains
from hffm_opt.scenario.inference import Inference
from hffm_opt.scenario.read import load_scenario, parse_scenario
from hffm_opt.serial import dump_json, parse_text

ASKED = {"name": "a", "task": "digits", "device": "device-0-0", "rate_per_s": 1.0}


def data_of(base="tiny", **section):
    data = parse_text(dump_json(load_scenario(base)), base)
    return {**data, "inference": {"classes": [ASKED], **section}}


def test_a_scenario_without_it_is_written_and_fingerprinted_as_before():
    plain = load_scenario("tiny")
    assert "inference" not in dump_json(plain) and "inference" not in plain.model_dump()
    # Known since before the section existed.
    assert plain.fingerprint() == parse_scenario(data_of()).fingerprint()
    assert plain.planning_fingerprint() == parse_scenario(data_of()).planning_fingerprint()


def test_a_scenario_with_it_comes_back_as_it_was():
    scenario = parse_scenario(data_of(exits=[1], nodes={"edge-0": {"memory_bit": 1e6}}))
    assert parse_scenario(parse_text(dump_json(scenario), "")) == scenario
    assert isinstance(scenario.inference, Inference)


@pytest.mark.parametrize(
    ("section", "place", "words"),
    [
        ({"classes": [{**ASKED, "task": "digit"}]}, "inference.classes[0].task", "did you mean 'digits'"),
        ({"classes": [{**ASKED, "device": "device-0-9"}]}, "inference.classes[0].device", "did you mean 'device-0-"),
        ({"classes": [ASKED, ASKED]}, "inference.classes", "give each its own name"),
        ({"nodes": {"egde-0": {"memory_bit": 1.0}}}, "inference.nodes.egde-0", "did you mean 'edge-0'"),
        ({"unseen": {"letters": ["a"]}}, "inference.unseen.letters", "use one of"),
        ({"latency_weight": 0.0, "energy_weight": 0.0}, "inference", "a positive value"),
        ({"exits": [1, 1]}, "inference.exits", "name each layer once"),
        ({"chains": []}, "inference.chains", "count the chains anew"),
        ({"cloud_rout": "edge"}, "inference.cloud_rout", "did you mean 'cloud_route'"),
        ({"classes": []}, "inference.classes", "at least one"),
        ({"classes": [{**ASKED, "rate_per_s": 0.0}]}, "inference.classes[0].rate_per_s", "larger"),
    ],
)
def test_faults_are_named_with_their_repair(section, place, words):
    with pytest.raises(InputError) as caught:
        parse_scenario(data_of(**section))
    (finding,) = caught.value.findings
    assert finding.path == place
    assert words in f"{finding.message} {finding.repair}"


def test_a_device_must_sense_what_it_asks_about():
    deaf = next(d for d in load_scenario("senses").devices if "audio" not in d.modalities)
    data = data_of("senses", classes=[{**ASKED, "task": "keys", "device": deaf.name}])
    with pytest.raises(InputError, match="the task needs audio"):
        parse_scenario(data)


def test_the_published_arithmetic_and_a_missing_direct_link_are_refused():
    asked = {**ASKED, "device": "device-0-0"}
    published = data_of("paper", classes=[asked])
    with pytest.raises(InputError, match="use the profile 'si'"):
        parse_scenario(published)
    data = {**data_of(cloud_route="direct"), "cloud": {}}
    with pytest.raises(InputError, match="no direct link"):
        parse_scenario(data)


def test_chains_are_shipped_for_the_usual_parts_alone():
    assert [chain.task for chain in shipped_chains("multi-small", 32, None)] == ["digits", "shapes", "keypad", "keys"]
    for name, width in (("vilt-small", 16), ("vilt-huge", 32)):
        with pytest.raises(InputError, match="count them"):
            shipped_chains(name, width, None)


def test_two_segments_need_two_names():
    encoder = EncoderSegment(modality="text", flop=1.0, input_bit=1, output_bit=1)
    segment = Segment(name="head", flop=1.0, output_bit=1)
    with pytest.raises(ValueError, match="one name"):
        Chain(task="a", encoders=(encoder,), trunk=(segment, segment), answer_bit=1)


def test_the_centralised_counterpart_has_no_requests():
    """Its one device is none of those that ask."""
    pooled = centralised_scenario(parse_scenario(data_of()))
    assert pooled.inference is None and parse_scenario(parse_text(dump_json(pooled), "")) == pooled
