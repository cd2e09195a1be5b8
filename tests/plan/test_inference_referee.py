"""The referee of inference: a class worked out by hand, its limits, and what is malformed."""

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.inference import (
    ClassPlan,
    Exit,
    InferencePlan,
    TaskExits,
    build_inference,
    evaluate_inference,
)
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.radio import rate_bit_per_s
from hffm_opt.scenario.chains import Chain, EncoderSegment, Segment
from hffm_opt.scenario.inference import Inference, NodeLimits, RequestClass, Server
from hffm_opt.scenario.model import LinkGain, Radio
from hffm_opt.scenario.read import load_scenario

CHAIN = Chain(
    task="digits",
    encoders=(
        EncoderSegment(modality="text", flop=1e6, input_bit=1000, output_bit=2000, blocks={"text": 10}),
        EncoderSegment(modality="image", flop=3e6, input_bit=4000, output_bit=8000, blocks={"image": 20}),
    ),
    trunk=(
        Segment(name="layer 0", flop=5e6, output_bit=6000, blocks={"layer 0": 40}, layer=0),
        Segment(name="layer 1", flop=7e6, output_bit=500, blocks={"layer 1": 80}),
        Segment(name="head", flop=1e5, output_bit=64, blocks={"head": 5}),
    ),
    answer_bit=64,
)
EXIT = Exit(after="layer 0", threshold=0.5, share=0.25, flop=1e4, weight_bit=7)
PLACES = {
    "encode text": "device-0-0",
    "encode image": "edge-0",
    "layer 0": "edge-0",
    "layer 1": "cloud",
    "head": "cloud",
}


def inference_of(exits=(), places=PLACES, **more):
    asked = RequestClass(name="a", task="digits", device="device-0-0", rate_per_s=3.0)
    servers = {"edge": Server(flop_per_s=1e9, j_per_flop=1e-9), "cloud": Server(flop_per_s=1e10)}
    section = Inference(classes=(asked,), chains=(CHAIN,), **{**servers, **more})
    problem = build_problem(load_scenario("tiny").model_copy(update={"inference": section}))
    found = TaskExits(exits=exits, samples=9, accuracy_full=1.0, accuracy=1.0)
    inference = build_inference(problem, {"digits": found})
    part = ClassPlan(name="a", nodes=places, exits=exits)
    return inference, InferencePlan(scenario=inference.reference, method="hand", classes=(part,))


def rates(problem):
    cell, edge = problem.cells[0], problem.cells[0].edge
    up = rate_bit_per_s(edge.uplink_bandwidth_hz, 0.2, cell.uplink_gain[0], problem.noise_w_per_hz)
    down = rate_bit_per_s(
        edge.downlink_bandwidth_hz, edge.downlink_power_w, cell.downlink_gain[0], problem.noise_w_per_hz
    )
    return float(up), float(down)


def test_a_class_worked_out_by_hand():
    """The picture goes up, then the words' tokens; a quarter ends at the edge; the backhaul has 2 Mbit/s and 0.1 s."""
    inference, plan = inference_of((EXIT,))
    up, down = rates(inference.problem)
    speed = 0.8e9 * 4.0
    picture = 4000 / up + 3e6 / 1e9
    words = max(1e6 / speed, 4000 / up) + 2000 / up
    at_edge = (5e6 + 1e4) / 1e9
    back = 64 / down
    haul = 0.75 * (0.1 + 6000 / 2e6)
    in_cloud = 0.75 * 7.1e6 / 1e10
    home = 0.75 * (0.1 + 64 / 2e6 + back)
    verdict = evaluate_inference(inference, plan)
    assert verdict.feasible
    assert verdict.latency_s == pytest.approx(max(picture, words) + at_edge + 0.25 * back + haul + in_cloud + home)
    sent = (4000 + 2000) / up * 0.2 + 64 / down * 2.0
    compute = 1e-28 * 0.8e9**2 * 1e6 / 4 + 1e-9 * (3e6 + 5e6 + 1e4)
    assert verdict.energy_j == pytest.approx(sent + compute + 0.75 * (6000 + 64) / 2e6 * 0.8)
    assert verdict.memory_bit == {"device-0-0": 10, "edge-0": 20 + 40 + 7, "cloud": 85}
    assert verdict.node_load["cloud"] == pytest.approx(3 * in_cloud)
    assert verdict.radio_load["uplink device-0-0"] == pytest.approx(3 * 6000 / up)
    assert verdict.radio_load["backhaul up edge-0"] == pytest.approx(3 * 0.75 * 6000 / 2e6)
    assert verdict.classes[0].sent_bit == pytest.approx(6000 + 64 * 0.25 + 0.75 * (6000 + 2 * 64))


def test_shares_that_really_ended_take_the_place_of_the_planned():
    inference, plan = inference_of((EXIT,))
    none = evaluate_inference(inference, plan, {"a": np.array([0.0, 0.0, 1.0])})
    every = evaluate_inference(inference, plan, {"a": np.array([1.0, 0.0, 0.0])})
    mixed = evaluate_inference(inference, plan)
    assert mixed.latency_s == pytest.approx(0.25 * every.latency_s + 0.75 * none.latency_s)
    assert mixed.energy_j == pytest.approx(0.25 * every.energy_j + 0.75 * none.energy_j)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"nodes": {"cloud": NodeLimits(memory_bit=84)}}, "nodes.cloud.memory"),
        ({"edge": Server(flop_per_s=2e7)}, "nodes.edge-0.load"),
        ({"load_limit": 0.005}, "links.backhaul up edge-0.load"),
    ],
)
def test_broken_limits_are_named(more, place):
    inference, plan = inference_of()
    section = inference.section.model_copy(update=more)
    scenario = inference.problem.scenario.model_copy(update={"inference": section})
    changed = build_inference(build_problem(scenario))
    verdict = evaluate_inference(changed, plan.model_copy(update={"scenario": changed.reference}))
    assert not verdict.feasible
    assert place in {finding.path for finding in verdict.violations}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"classes": ()}, "not the classes"),
        ({"nodes": {**PLACES, "head": "edge-1"}}, r"classes\[0\].nodes.head: 'edge-1' cannot serve device-0-0"),
        ({"nodes": {"head": "cloud"}}, "not the segments"),
        ({"scenario": "other"}, "plan this scenario anew"),
        ({"exits": (EXIT.model_copy(update={"after": "layer 1"}),)}, "no exit can stand behind 'layer 1'"),
        ({"exits": (EXIT, EXIT)}, "two exits"),
        ({"exits": (EXIT.model_copy(update={"share": 1.7}),)}, "more requests end early"),
    ],
)
def test_malformed_plans_are_refused(change, match):
    inference, plan = inference_of()
    part = plan.classes[0].model_copy(update={k: v for k, v in change.items() if k in ("nodes", "exits")})
    update = {"classes": change.get("classes", (part,))}
    if "scenario" in change:
        update["scenario"] = plan.scenario.model_copy(update={"fingerprint": "other"})
    with pytest.raises(InputError, match=match):
        evaluate_inference(inference, plan.model_copy(update=update))


def test_routes_pass_the_edge_or_the_direct_link():
    inference, _ = inference_of()

    def stops(source, target, problem=inference):
        return [hop.target for hop in problem.route(source, target)]

    assert stops("device-0-0", "cloud") == ["edge-0", "cloud"]
    assert stops("cloud", "device-0-1") == ["edge-0", "device-0-1"]
    assert stops("device-0-0", "device-0-1") == ["device-0-1"]
    assert stops("edge-0", "edge-0") == []
    direct, _ = inference_of(cloud_route="direct")
    assert stops("device-0-0", "cloud", direct) == ["cloud"]
    assert stops("edge-0", "cloud", direct) == ["cloud"]


def test_a_shared_band_is_split_over_the_devices_of_the_cell():
    inference, _ = inference_of()
    scenario = inference.problem.scenario
    physics = scenario.physics.model_copy(update={"uplink_sharing": "shared", "allocation": "optimised"})
    shared = build_inference(build_problem(scenario.model_copy(update={"physics": physics})))
    (one,), (other,) = inference.route("device-0-0", "edge-0"), shared.route("device-0-0", "edge-0")
    third = rate_bit_per_s(1e6 / 3, 0.2, inference.problem.cells[0].uplink_gain[0], inference.problem.noise_w_per_hz)
    assert other.link.s_per_bit == pytest.approx(1 / float(third)) and other.link.s_per_bit > one.link.s_per_bit


def test_fingerprints_ignore_what_costs_nothing():
    first, _ = inference_of()
    same, _ = inference_of(latency_weight=3.0)
    other, _ = inference_of(load_limit=0.5)
    assert first.reference == same.reference != other.reference
    assert first.model_fingerprint == other.model_fingerprint
    without = load_scenario("tiny")
    assert first.problem.fingerprint == without.fingerprint()


def test_a_scenario_without_requests_says_so():
    with pytest.raises(InputError, match="has no requests"):
        build_inference(build_problem(load_scenario("tiny")))


@pytest.mark.parametrize("deaf", ["device-0-0", "device-0-2"])
def test_a_device_without_a_downlink_serves_nobody_and_asks_nothing(deaf):
    asked = RequestClass(name="a", task="digits", device="device-0-0", rate_per_s=3.0)
    lost = Radio(gains=(LinkGain(source="edge-0", target=deaf, factor=0.0),))
    section = Inference(classes=(asked,), chains=(CHAIN,))
    problem = build_problem(load_scenario("tiny").model_copy(update={"inference": section, "radio": lost}))
    if deaf == asked.device:
        with pytest.raises(InputError, match="no answer could"):
            build_inference(problem)
        return
    inference = build_inference(problem)
    nodes = inference.classes[0].nodes
    assert deaf not in nodes and len(nodes) > 3
    routes = [inference.route(n, m) for n in nodes for m in nodes]
    assert all(np.isfinite(hop.link.s_per_bit) for route in routes for hop in route)
