"""The referee of inference: mean latency and energy of a request, loads, and every limit that a plan breaks.

Of a class with arrival rate lambda, whose requests reach segment j of the trunk with share pi_j and end behind it with
share q_j. A device sends one message at a time: raw inputs to the nodes in the order peers, edge, cloud, then its own
tokens. A node runs what it has of the encoders one after another and sends their tokens as one message:

    T = max_n [in_n + sum_k flop_k / F_n + out_n] + sum_j [pi_j flop_j / F_j + pi_(j+1) t(b_j) + q_j t(answer)]
    E = the joules of the same computations and messages, each with its share
    sum over classes of lambda pi flop / F_n <= load_limit         on every node n
    sum over classes of lambda pi b / r <= load_limit              on every radio and every given link
    bits of the distinct weights that a node needs <= its memory

``t(b)`` adds up delay and ``b / rate`` over the links of a route (store and forward). Waiting in queues is not counted.
In plain numpy; no solver's word is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.inference.model import ClassPlan, InferencePlan
from hffm_opt.plan.inference.network import Asked, InferenceProblem, reaching, sorted_exits
from hffm_opt.problem.radio import Floats

TOLERANCE = 1e-6


@dataclass(eq=False)
class ClassCost:
    """What a mean request of one class costs, and the seconds for which it keeps each node and each radio busy."""

    name: str
    latency_s: float = 0.0
    energy_j: float = 0.0
    sent_bit: float = 0.0
    compute_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    radio_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(frozen=True, eq=False)
class InferenceEvaluation:
    """What a plan of inference costs per request (classes weighted by their rates), and which limits it breaks.

    ``node_load`` and ``radio_load`` are shares of time, ``memory_bit`` the weights that nodes hold.
    """

    feasible: bool
    latency_s: float
    energy_j: float
    violations: tuple[Finding, ...]
    classes: tuple[ClassCost, ...]
    node_load: dict[str, float]
    radio_load: dict[str, float]
    memory_bit: dict[str, float]

    def objective(self, latency_weight: float, energy_weight: float) -> float:
        """Return the weighted sum of mean latency and energy."""
        return latency_weight * self.latency_s + energy_weight * self.energy_j


def check_inference_plan(inference: InferenceProblem, plan: InferencePlan) -> None:
    """Refuse a plan that is not for this problem, or not complete.

    Raises:
        InputError: with the place and the repair.
    """
    if plan.scenario.fingerprint != inference.reference.fingerprint:
        raise InputError.one(
            "scenario.fingerprint",
            f"the plan was made for scenario '{plan.scenario.name}' ({plan.scenario.fingerprint[:12]}), "
            f"not for '{inference.reference.name}' ({inference.reference.fingerprint[:12]}) as it stands now",
            "plan this scenario anew: hffm plan SCENARIO --for inference",
        )
    names = [asked.spec.name for asked in inference.classes]
    if [part.name for part in plan.classes] != names:
        raise InputError.one("classes", "not the classes of the scenario", f"list, in order: {', '.join(names)}")
    findings = []
    for i, (part, asked) in enumerate(zip(plan.classes, inference.classes, strict=True)):
        if set(part.nodes) != set(asked.chain.names):
            message, repair = "not the segments of the chain", f"place each of: {', '.join(asked.chain.names)}"
            findings.append(Finding(f"classes[{i}].nodes", message, repair))
        for segment, node in part.nodes.items():
            if node not in asked.nodes:
                message = f"'{node}' cannot serve {asked.spec.device}"
                repair = f"use one of: {', '.join(asked.nodes)}"
                findings.append(Finding(f"classes[{i}].nodes.{segment}", message, repair))
    if findings:
        raise InputError(findings)


def with_exits_of(inference: InferenceProblem, plan: InferencePlan) -> InferenceProblem:
    """Return the problem with the exits that a plan names, in place of those that it was built with."""
    classes = tuple(
        replace(asked, exits=sorted_exits(asked.chain, part.exits), open_answers=part.open_answers)
        for asked, part in zip(inference.classes, plan.classes, strict=True)
    )
    return replace(inference, classes=classes)


def class_cost(inference: InferenceProblem, asked: Asked, part: ClassPlan, shares: Floats | None = None) -> ClassCost:
    """Return what a mean request of a class costs.

    Args:
        inference: the problem.
        asked: the class.
        part: its placement.
        shares: share of requests that end behind each segment of the trunk, [J], in place of the planned one.
    """
    chain, origin, cost = asked.chain, asked.spec.device, ClassCost(asked.spec.name)
    ends = asked.shares if shares is None else np.asarray(shares, dtype=float)
    reach = reaching(ends)

    def compute(name: str, flop: float, share: float) -> float:
        node = inference.nodes[name]
        seconds = flop / node.flop_per_s
        cost.compute_s[name] += share * seconds
        cost.energy_j += share * flop * node.j_per_flop
        return seconds

    def send(source: str, target: str, bits: float, share: float) -> float:
        seconds = 0.0
        for hop in inference.route(source, target):
            seconds += hop.link.seconds(bits)
            cost.energy_j += share * hop.link.joules(bits)
            cost.radio_s[hop.radio] += share * hop.link.s_per_bit * bits
            cost.sent_bit += share * bits
        return seconds

    trunk = [part.nodes[segment.name] for segment in chain.trunk]
    held = {node: [e for e in chain.encoders if part.nodes[e.name] == node] for node in asked.nodes}
    sent_s, done_s = 0.0, dict[str, float]()
    for node in (name for name in asked.nodes if held[name]):
        if node != origin:
            sent_s += send(origin, node, sum(encoder.input_bit for encoder in held[node]), 1.0)
        arrived_s = 0.0 if node == origin else sent_s
        done_s[node] = arrived_s + sum(compute(node, encoder.flop, 1.0) for encoder in held[node])
    ready_s = 0.0
    for node, done in done_s.items():
        free_s = max(done, sent_s) if node == origin else done
        out_s = send(node, trunk[0], sum(encoder.output_bit for encoder in held[node]), 1.0)
        ready_s = max(ready_s, free_s + out_s)
    cost.latency_s = ready_s
    for j, (segment, node) in enumerate(zip(chain.trunk, trunk, strict=True)):
        cost.latency_s += reach[j] * compute(node, float(asked.trunk_flop[j]), float(reach[j]))
        cost.latency_s += ends[j] * send(node, origin, chain.answer_bit, float(ends[j]))
        if j + 1 < len(trunk):
            share = float(reach[j + 1])
            cost.latency_s += share * send(node, trunk[j + 1], segment.output_bit, share)
    cost.latency_s, cost.energy_j = float(cost.latency_s), float(cost.energy_j)
    return cost


def evaluate_inference(
    inference: InferenceProblem, plan: InferencePlan, shares: Mapping[str, Floats] | None = None
) -> InferenceEvaluation:
    """Judge a plan of inference.

    Args:
        inference: the problem; its exits are the plan's.
        plan: the plan.
        shares: per class, the shares [J] of requests that really ended behind each segment, in place of the planned.

    Raises:
        InputError: the plan is malformed or made for another scenario.
    """
    check_inference_plan(inference, plan)
    inference = with_exits_of(inference, plan)
    limit, rates = inference.section.load_limit, np.array([asked.spec.rate_per_s for asked in inference.classes])
    node_load: defaultdict[str, float] = defaultdict(float)
    radio_load: defaultdict[str, float] = defaultdict(float)
    held: defaultdict[str, dict[str, int]] = defaultdict(dict)
    costs = []
    for asked, part in zip(inference.classes, plan.classes, strict=True):
        cost = class_cost(inference, asked, part, (shares or {}).get(asked.spec.name))
        costs.append(cost)
        for total, own in ((node_load, cost.compute_s), (radio_load, cost.radio_s)):
            for name, seconds in own.items():
                total[name] += asked.spec.rate_per_s * seconds
        for segment, node in part.nodes.items():
            held[node] |= asked.blocks(segment)
    memory = {name: float(sum(blocks.values())) for name, blocks in held.items()}
    violations = [
        Finding(
            f"nodes.{name}.memory", f"its weights need {bits:g} bit", f"it has {inference.nodes[name].memory_bit:g}"
        )
        for name, bits in memory.items()
        if bits > inference.nodes[name].memory_bit * (1 + TOLERANCE)
    ]
    for kind, loads in (("nodes", node_load), ("links", radio_load)):
        violations += [
            Finding(f"{kind}.{name}.load", f"it would be busy for {load:.4g} of the time", f"the limit is {limit:g}")
            for name, load in loads.items()
            if not load <= limit * (1 + TOLERANCE)
        ]
    share = rates / rates.sum()
    return InferenceEvaluation(
        feasible=not violations,
        latency_s=float(share @ [cost.latency_s for cost in costs]),
        energy_j=float(share @ [cost.energy_j for cost in costs]),
        violations=tuple(violations),
        classes=tuple(costs),
        node_load=dict(node_load),
        radio_load=dict(radio_load),
        memory_bit=memory,
    )
