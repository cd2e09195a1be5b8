"""Where every segment of every request class runs: a mixed-integer program (Pyomo, any engine).

Of class c with rate lambda_c and weight a_c = lambda_c / sum lambda; segments s are encoders k and trunk 0..J; share
pi_j of requests reaches trunk segment j, q_j end behind it; t, e, h are the seconds, joules and busy seconds of one
message of b bits from n to m:

    x_csn in {0, 1}     segment s runs on node n
    y_cjnm in [0, 1]    trunk segment j runs on n and j + 1 on m
    u_cknm in [0, 1]    encoder k runs on n and trunk segment 0 on m
    g_cn, v_cnm         a message goes from the origin to n, from n to m (for its fixed delay)
    z_bn                node n holds the block of weights b
    F_c                 when the tokens of all encoders are at trunk segment 0

minimise     sum_c a_c (w_T T_c + w_E E_c)
runs         sum_n x_csn = 1                                              for every segment
leaves       sum_m y_cjnm = x_cjn,  sum_n y_cjnm = x_c(j+1)m              and u likewise
sends        g_cn >= x_ckn,  v_cnm >= u_cknm
sent         S_cn = sum over nodes i up to n, the origin left out, of delay_i g_ci + sum_k t_i x_cki
encoded      F_c >= S_cn + sum_k flop_k / F_n x_ckn + sum_m [delay_nm v_cnm + sum_k t_nm u_cknm]   for n not the origin
             F_c >= the same with 0, and with the last S and no computation, in place of S_cn          for the origin
holds        z_bn >= x_csn   for every segment s that needs block b
memory       sum_b bits_b z_bn <= M_n
compute      sum_cs lambda_c pi_s flop_s / F_n x_csn <= load_limit        for every node
link         sum_c lambda_c sum pi h_r y (and u, x) <= load_limit         for every radio r
T_c = F_c + sum_j pi_j flop_j / F_n x_cjn + sum_j pi_(j+1) t(b_j) y_cjnm + sum_j q_j t_n(answer) x_cjn

y and u are whole where x is, since one unit of flow between two unit vectors can go one way only; that form has the
bound of the shortest path through the layers of nodes, so that the program is tight where no capacity binds. The cost
is that of :mod:`hffm_opt.plan.inference.referee`, which judges what is found.

Units: seconds by that of a request answered where it arises, memory by the node's, loads in shares of time.
Source: docs/inference.md; flows through layered networks, Magnanti and Wolsey, Handbooks in OR 7 (1995) 503-615.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyomo.environ as pyo

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.inference.model import ClassPlan
from hffm_opt.plan.inference.network import Asked, InferenceProblem, reaching
from hffm_opt.plan.inference.referee import class_cost

Limit = Literal["memory", "compute", "link"]
LIMITS: tuple[Limit, ...] = ("memory", "compute", "link")


@dataclass(frozen=True, eq=False)
class ChainProgram:
    """The Pyomo model; its objective is the weighted mean cost of a request divided by ``unit``."""

    model: pyo.ConcreteModel
    inference: InferenceProblem
    unit: float


@dataclass(frozen=True, eq=False)
class _Message:
    """A message of some bits along a route: fixed delay, seconds and joules beyond it, busy seconds by radio."""

    delay_s: float
    seconds: float
    joules: float
    busy: dict[str, float]


def _message(inference: InferenceProblem, source: str, target: str, bits: float) -> _Message:
    hops = inference.route(source, target) if bits else ()
    return _Message(
        sum(hop.link.delay_s for hop in hops),
        sum(hop.link.s_per_bit for hop in hops) * bits,
        sum(hop.link.joules(bits) for hop in hops),
        {hop.radio: hop.link.s_per_bit * bits for hop in hops},
    )


class _Builder:
    """Collects cost and the rows that classes share, while one class after another is added."""

    def __init__(self, inference: InferenceProblem, weights: tuple[float, float], limits: Collection[Limit]) -> None:
        self.inference, self.weights, self.limits = inference, weights, limits
        self.model = pyo.ConcreteModel(name="inference")
        for name in ("x", "y", "u", "sent", "holds", "done"):
            kind = {"domain": pyo.Binary} if name == "x" else {"bounds": (0, None if name == "done" else 1)}
            setattr(self.model, name, pyo.Var(pyo.Any, dense=False, **kind))
        for name in ("runs", "leaves", "sends", "encoded", "needs", "memory", "compute", "link"):
            setattr(self.model, name, pyo.ConstraintList())
        self.cost: list[Any] = []
        self.compute: defaultdict[str, list[Any]] = defaultdict(list)
        self.link: defaultdict[str, list[Any]] = defaultdict(list)
        self.held: dict[tuple[str, str], tuple[int, set[Any]]] = {}
        total = sum(asked.spec.rate_per_s for asked in inference.classes)
        alone = [class_cost(inference, asked, _at_origin(asked)) for asked in inference.classes]
        self.share = {asked.spec.name: asked.spec.rate_per_s / total for asked in inference.classes}
        self.time_s = max((cost.latency_s for cost in alone), default=1.0) or 1.0
        value = sum(
            self.share[asked.spec.name] * (weights[0] * cost.latency_s + weights[1] * cost.energy_j)
            for asked, cost in zip(inference.classes, alone, strict=True)
        )
        self.unit = value or 1.0

    def charge(self, asked: Asked, seconds: float, joules: float, variable: Any) -> None:
        """Add an expected cost per request to the objective."""
        price = self.share[asked.spec.name] * (self.weights[0] * seconds + self.weights[1] * joules) / self.unit
        if price:
            self.cost.append(price * variable)

    def occupy(self, asked: Asked, busy: dict[str, float], share: float, variable: Any) -> None:
        """Add busy seconds per request to the radios."""
        for radio, seconds in busy.items():
            if load := asked.spec.rate_per_s * share * seconds:
                self.link[radio].append(load * variable)

    def run(self, asked: Asked, segment: str, flop: float, share: float, waits: bool) -> None:
        """Add a segment: it runs once, somewhere; ``waits`` charges its seconds to the objective here."""
        model, name = self.model, asked.spec.name
        blocks = asked.blocks(segment)
        able = []
        for node_name in asked.nodes:
            node = self.inference.nodes[node_name]
            seconds, x = flop / node.flop_per_s, model.x[name, segment, node_name]
            load = asked.spec.rate_per_s * share * seconds
            fits = "memory" not in self.limits or sum(blocks.values()) <= node.memory_bit
            keeps_up = "compute" not in self.limits or load <= self.inference.section.load_limit
            if not (fits and keeps_up):
                x.fix(0)
                continue
            able.append(x)
            self.charge(asked, share * seconds if waits else 0.0, share * flop * node.j_per_flop, x)
            if load:
                self.compute[node_name].append(load * x)
            for block, bits in blocks.items():
                if np.isfinite(node.memory_bit):
                    self.held.setdefault((block, node_name), (bits, set()))[1].add(x.index())
        if not able:
            raise InfeasibleError.one(
                f"inference.classes.{name}",
                f"no node has memory and speed for '{segment}' ({sum(blocks.values()):g} bit, {flop:g} FLOP, "
                f"{asked.spec.rate_per_s * share:g} times a second)",
                f"give one of {', '.join(asked.nodes)} more memory_bit or flop_per_s, or lower rate_per_s",
            )
        model.runs.add(sum(able) == 1)

    def follow(self, flow: Any, asked: Asked, first: str, second: str) -> None:
        """Tie a flow variable [class, first segment, n, m] to where its two segments run."""
        model, name = self.model, asked.spec.name
        for node in asked.nodes:
            model.leaves.add(sum(flow[name, first, node, m] for m in asked.nodes) == model.x[name, first, node])
            model.leaves.add(sum(flow[name, first, n, node] for n in asked.nodes) == model.x[name, second, node])

    def encoders(self, asked: Asked) -> None:
        """Add the encoders of a class, the messages to and from them, and when all tokens have arrived."""
        model, name, origin = self.model, asked.spec.name, asked.spec.device
        first, done = asked.chain.trunk[0].name, model.done[asked.spec.name]
        came_s: dict[str, list[Any]] = {node: [] for node in asked.nodes}
        busy_s: dict[str, list[Any]] = {node: [] for node in asked.nodes}
        went_s: dict[str, list[Any]] = {node: [] for node in asked.nodes}
        for encoder in asked.chain.encoders:
            self.run(asked, encoder.name, encoder.flop, 1.0, waits=False)
            self.follow(model.u, asked, encoder.name, first)
            for n in asked.nodes:
                x, came = model.x[name, encoder.name, n], _message(self.inference, origin, n, encoder.input_bit)
                self.charge(asked, 0.0, came.joules, x)
                self.occupy(asked, came.busy, 1.0, x)
                came_s[n].append(came.seconds * x)
                busy_s[n].append(encoder.flop / self.inference.nodes[n].flop_per_s * x)
                if came.delay_s:
                    model.sends.add(model.sent[name, "in", n] >= x)
                for m in asked.nodes:
                    u, went = model.u[name, encoder.name, n, m], _message(self.inference, n, m, encoder.output_bit)
                    self.charge(asked, 0.0, went.joules, u)
                    self.occupy(asked, went.busy, 1.0, u)
                    went_s[n].append(went.seconds * u)
                    if went.delay_s:
                        model.sends.add(model.sent[name, n, m] >= u)
        for n in asked.nodes:
            came_s[n].append(_message(self.inference, origin, n, 1.0).delay_s * model.sent[name, "in", n])
            for m in asked.nodes:
                went_s[n].append(_message(self.inference, n, m, 1.0).delay_s * model.sent[name, n, m])
        sent_s = list[Any]()
        for n in (node for node in asked.nodes if node != origin):
            sent_s = [*sent_s, *came_s[n]]
            model.encoded.add(done >= sum(sent_s + busy_s[n] + went_s[n]) / self.time_s)
        model.encoded.add(done >= sum(busy_s[origin] + went_s[origin]) / self.time_s)
        model.encoded.add(done >= sum(sent_s + went_s[origin]) / self.time_s)
        self.charge(asked, self.time_s, 0.0, done)

    def trunk(self, asked: Asked) -> None:
        """Add the trunk of a class, the messages between its segments, and the answers that go back."""
        model, name, chain = self.model, asked.spec.name, asked.chain
        reach = reaching(asked.shares)
        for j, segment in enumerate(chain.trunk):
            self.run(asked, segment.name, float(asked.trunk_flop[j]), float(reach[j]), waits=True)
            for n in asked.nodes:
                back = _message(self.inference, n, asked.spec.device, chain.answer_bit)
                x, ending = model.x[name, segment.name, n], float(asked.shares[j])
                self.charge(asked, ending * (back.delay_s + back.seconds), ending * back.joules, x)
                self.occupy(asked, back.busy, ending, x)
        for j, (segment, following) in enumerate(zip(chain.trunk, chain.trunk[1:], strict=False)):
            self.follow(model.y, asked, segment.name, following.name)
            share = float(reach[j + 1])
            for n in asked.nodes:
                for m in asked.nodes:
                    y, went = model.y[name, segment.name, n, m], _message(self.inference, n, m, segment.output_bit)
                    self.charge(asked, share * (went.delay_s + went.seconds), share * went.joules, y)
                    self.occupy(asked, went.busy, share, y)

    def finish(self) -> ChainProgram:
        """Add the rows that classes share and the objective."""
        model, limit = self.model, self.inference.section.load_limit
        rooms: defaultdict[str, list[Any]] = defaultdict(list)
        if "memory" in self.limits:
            for (block, node), (bits, users) in self.held.items():
                for index in sorted(users):
                    model.needs.add(model.holds[block, node] >= model.x[index])
                rooms[node].append(bits / self.inference.nodes[node].memory_bit * model.holds[block, node])
        for terms in rooms.values():
            model.memory.add(sum(terms) <= 1)
        for kind, rows, terms_of in (
            ("compute", model.compute, self.compute),
            ("link", model.link, self.link),
        ):
            for terms in terms_of.values() if kind in self.limits else ():
                rows.add(sum(terms) <= limit)
        model.cost = pyo.Objective(expr=sum(self.cost))
        return ChainProgram(model, self.inference, self.unit)


def _at_origin(asked: Asked) -> ClassPlan:
    return ClassPlan(name=asked.spec.name, nodes=dict.fromkeys(asked.chain.names, asked.spec.device))


def build(
    inference: InferenceProblem, weights: tuple[float, float], limits: Collection[Limit] = LIMITS
) -> ChainProgram:
    """Build the program.

    Args:
        inference: the problem.
        weights: w_T per second and w_E per joule of a mean request.
        limits: which kinds of limits count; fewer tell which of them binds.

    Raises:
        InfeasibleError: a segment that no node of its class can run even alone.
    """
    builder = _Builder(inference, weights, limits)
    for asked in inference.classes:
        builder.encoders(asked)
        builder.trunk(asked)
    return builder.finish()
