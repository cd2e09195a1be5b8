"""Placement of inference: against every placement on small problems, and the causes of what cannot be placed."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from inference_cases import asked, chain, exits_of, inference_of, random_inference, section_of

from hffm_opt.errors import InfeasibleError, InputError, LimitReachedError
from hffm_opt.plan.inference import ClassPlan, InferencePlan, evaluate_inference
from hffm_opt.scenario.inference import NodeLimits, Server
from hffm_opt.solvers.engines.highs_outcome import Status, StopReason
from hffm_opt.solvers.engines.pyomo_engine import ModelOutcome
from hffm_opt.solvers.formulations.chain_placement import place, read
from hffm_opt.solvers.formulations.chain_program import build
from hffm_opt.solvers.inference import method_names, place_inference

SEEDS = range(24)


def best_of_all(inference):
    """Return the referee's least objective over all placements, infinite where none keeps the limits."""
    weights = (inference.section.latency_weight, inference.section.energy_weight)

    def choices(one):
        for nodes in product(one.nodes, repeat=len(one.chain.names)):
            yield ClassPlan(name=one.spec.name, nodes=dict(zip(one.chain.names, nodes, strict=True)), exits=one.exits)

    best = np.inf
    lists = []
    for one in inference.classes:
        # A class that breaks a limit alone breaks it beside others.
        alone = replace(inference, classes=(one,))
        plans = [InferencePlan(scenario=alone.reference, method="", classes=(part,)) for part in choices(one)]
        share = one.spec.rate_per_s / sum(other.spec.rate_per_s for other in inference.classes)
        judged = [(plan.classes[0], evaluate_inference(alone, plan)) for plan in plans]
        able = [(share * verdict.objective(*weights), part) for part, verdict in judged if verdict.feasible]
        lists.append(sorted(able, key=lambda pair: pair[0]))
    if len(lists) == 1:
        return lists[0][0][0] if lists[0] else np.inf
    for cost, first in lists[0]:
        for more, second in lists[1]:
            if cost + more >= best:
                break
            plan = InferencePlan(scenario=inference.reference, method="", classes=(first, second))
            if evaluate_inference(inference, plan).feasible:
                best = cost + more
    return best


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_of_all_placements(seed):
    inference = random_inference(seed)
    best = best_of_all(inference)
    if not np.isfinite(best):
        with pytest.raises(InfeasibleError):
            place_inference(inference)
        return
    outcome = place_inference(inference, gap=0.0)
    assert outcome.status == "optimal"
    assert outcome.objective == pytest.approx(best, rel=1e-7)
    assert outcome.bound <= best * (1 + 1e-9)
    for method in method_names(inference)[1:]:
        other = place_inference(inference, method)
        assert other.objective is None or other.objective >= outcome.objective * (1 - 1e-7)


def test_the_instances_are_of_all_kinds():
    found = [random_inference(seed) for seed in SEEDS]
    outcomes = []
    for inference in found:
        try:
            outcomes.append(place_inference(inference))
        except InfeasibleError:
            outcomes.append(None)
    used = {node for outcome in outcomes if outcome for part in outcome.plan.classes for node in part.nodes.values()}
    split = [o for o in outcomes if o and any(len(set(part.nodes.values())) > 1 for part in o.plan.classes)]
    assert 0 < outcomes.count(None) < 8
    assert {"cloud", "edge-0"} <= used and len(split) > 4
    assert any(one.exits for inference in found for one in inference.classes)


def test_without_capacities_it_is_a_shortest_path():
    """Dynamic programming finds the same value."""
    inference = inference_of(section_of(asked(), chains=(chain(depth=4, flop=3e8),), energy_weight=0.0))
    (one,) = inference.classes
    seconds = {
        (n, m): lambda bits, n=n, m=m: sum(hop.link.seconds(bits) for hop in inference.route(n, m))
        for n in one.nodes
        for m in one.nodes
    }
    speed, origin, encoders = {n: inference.nodes[n].flop_per_s for n in one.nodes}, one.spec.device, one.chain.encoders
    best = {}
    for first in one.nodes:
        text, image = encoders
        options = []
        for n, m in product(one.nodes, repeat=2):
            held = {node: [e for e, at in ((text, n), (image, m)) if at == node] for node in one.nodes}
            sent, ends, own = 0.0, [], 0.0
            for node, mine in held.items():
                if not mine:
                    continue
                sent += seconds[origin, node](sum(e.input_bit for e in mine))
                done = (0.0 if node == origin else sent) + sum(e.flop for e in mine) / speed[node]
                out = seconds[node, first](sum(e.output_bit for e in mine))
                own = out if node == origin else own
                ends.append(done + out)
            options.append(max(*ends, sent + own))
        best[first] = min(options) + one.chain.trunk[0].flop / speed[first]
    for before, segment in zip(one.chain.trunk, one.chain.trunk[1:], strict=False):
        best = {
            m: min(best[n] + seconds[n, m](before.output_bit) for n in one.nodes) + segment.flop / speed[m]
            for m in one.nodes
        }
    value = min(best[n] + seconds[n, origin](one.chain.answer_bit) for n in one.nodes)
    outcome = place_inference(inference, gap=0.0)
    assert outcome.objective == pytest.approx(value, rel=1e-9)
    assert outcome.latency_s == pytest.approx(value, rel=1e-9)


def test_a_chain_that_no_node_can_hold_is_named():
    room = {name: NodeLimits(memory_bit=500) for name in ("device-0-0", "edge-0", "cloud")}
    with pytest.raises(InfeasibleError, match="no node has memory and speed for 'encode image'") as caught:
        place_inference(inference_of(section_of(asked(), nodes=room)))
    assert "memory_bit" in caught.value.findings[0].repair


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"nodes": {n: NodeLimits(memory_bit=1050) for n in ("device-0-0", "edge-0", "cloud")}}, "memory"),
        (
            {
                "edge": Server(flop_per_s=8e9),
                "cloud": Server(flop_per_s=1e9),
                "chains": (chain(flop=2e9),),
                "rate": 1.9,
            },
            "compute",
        ),
        ({"nodes": {"device-0-0": NodeLimits(memory_bit=100)}, "edge": Server(flop_per_s=1e12), "rate": 5e3}, "link"),
    ],
)
def test_the_limit_that_binds_is_named(more, cause):
    rate = more.get("rate", 1.0)
    rest = {name: value for name, value in more.items() if name != "rate"}
    with pytest.raises(InfeasibleError) as caught:
        place_inference(inference_of(section_of(asked(rate=rate), **rest)))
    assert [finding.path for finding in caught.value.findings] == [f"inference ({cause})"]


def test_shared_weights_are_held_once():
    """Two tasks share the layers: a node with room for them and two heads serves both."""
    nodes = {"device-0-0": NodeLimits(memory_bit=100), "cloud": NodeLimits(memory_bit=100)}
    nodes["edge-0"] = NodeLimits(memory_bit=300 + 700 + 2 * 1000 + 2 * 100)
    classes = asked("a", "digits"), asked("b", "shapes")
    outcome = place_inference(inference_of(section_of(*classes, nodes=nodes)))
    assert {node for part in outcome.plan.classes for s, node in part.nodes.items() if s != "head"} == {"edge-0"}
    nodes["edge-0"] = NodeLimits(memory_bit=300 + 700 + 2 * 1000 - 1)
    with pytest.raises(InfeasibleError):
        place_inference(inference_of(section_of(*classes, nodes=nodes)))


def test_early_exits_are_worth_their_share():
    section = section_of(asked(), chains=(chain(flop=1e8),))
    values = [
        place_inference(inference_of(section, {"digits": exits_of(share)})).objective for share in (0.0, 0.4, 0.9)
    ]
    assert values == sorted(values, reverse=True) and values[2] < 0.8 * values[0]


def test_greedy_is_feasible_where_capacity_is_scarce_and_optimal_is_no_dearer():
    classes = [asked(f"c{i}", "digits", f"device-{i // 3}-{i % 3}", 20.0) for i in range(5)]
    inference = inference_of(section_of(*classes, chains=(chain(flop=5e7),), edge=Server(flop_per_s=4e9), peers=True))
    greedy, optimal = place_inference(inference, "greedy"), place_inference(inference)
    assert greedy.feasible
    assert optimal.status == "optimal" and optimal.objective <= greedy.objective * (1 + 1e-9)


def test_bad_names_and_limits():
    inference = inference_of(section_of(asked()))
    with pytest.raises(InputError, match="did you mean 'edge-only'"):
        place_inference(inference, "edge-onyl")
    program = build(inference, (1.0, 1.0))
    stopped = ModelOutcome("highs", Status.UNKNOWN, StopReason.TIME_LIMIT, np.inf, 0.0, np.inf, 1.0)
    with pytest.raises(LimitReachedError, match="time limit"):
        read(program, stopped)
    classes, bound, _ = place(inference, (1.0, 1.0))
    assert bound > 0 and [part.name for part in classes] == ["a"]
