"""Module relaying carried out: copies cross the links of their paths as bytes, and the devices go on training them.

The clock follows events: a hop begins with the first packet that reaches its sender, and ends no earlier than the hop
before it. That this equals the referee's closed form is a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hffm_opt.errors import InputError
from hffm_opt.learning.aggregation import Statistic
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State, sha256
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.transport import Post, check_arrived, cross
from hffm_opt.plan.model import Plan
from hffm_opt.plan.module_relaying import ModuleTransfer, RelayingPlan, evaluate_relaying, hop_cost
from hffm_opt.problem.model import Problem
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.ledger import Event, Ledger, LedgerEntry
from hffm_opt.trace.relaying import CopyRecord, RelayingTrace
from hffm_opt.units import bytes_to_bit


@dataclass(frozen=True, eq=False)
class Delivered:
    """The states in which every device holds the copies that it got, and what that took."""

    states: StackedStates
    trace: RelayingTrace


def deliver(
    problem: Problem,
    plan: RelayingPlan,
    training: Plan,
    modules: Mapping[str, Module],
    states: StackedStates,
    averages: Mapping[tuple[str, str], State],
    start: Mapping[str, State],
) -> Delivered:
    """Copy modules as planned.

    Args:
        problem: the scenario before the requests are granted.
        plan: the plan of this event.
        training: the training plan that was run until now.
        modules: the trainable modules by name.
        states: the copies of all U devices after the last round.
        averages: (edge server or cloud, module) to the last average there.
        start: module to its untrained state, for modules that begin from scratch.

    Raises:
        InputError: the plan breaks a limit or is for something else; a copy did not arrive as it was sent.
    """
    told = evaluate_relaying(problem, plan, training)
    if told.violations:
        raise InputError(told.violations)
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    post = Post(problem, modules, plan.round)
    copies, entries, arrived = [], list[LedgerEntry](), states
    for transfer in plan.transfers:
        row, module = rows[transfer.device], transfer.module
        if transfer.source is None:
            arrived = arrived.replace(module, [row], start[module])
            continue
        held = states.of_device(rows[transfer.source], module) if transfer.source in rows else None
        state = averages[transfer.source, module] if held is None else held
        data = post.encode(module, Statistic.of(state, 1.0))
        received, hops = _carry(problem, transfer, data, plan.round)
        check_arrived(module, data, received)
        entries += hops
        arrived = arrived.replace(module, [row], post.decode(module, received)[0])
        copies.append(
            CopyRecord(
                device=transfer.device,
                module=module,
                source=transfer.source,
                sha256=sha256(received),
                arrived_s=max(hop.start_s + hop.seconds for hop in hops),
            )
        )
    ledger = Ledger.of(entries)
    bits = dict(zip(problem.modules, problem.payload_bit.tolist(), strict=True))
    return Delivered(
        arrived,
        RelayingTrace(
            round=plan.round,
            method=plan.method,
            copies=tuple(copies),
            predicted=SpentCosts(
                latency_s=told.latency_s,
                energy_j=told.energy_j,
                bits=sum(bits[transfer.module] * len(transfer.hops) for transfer in plan.transfers),
            ),
            measured=SpentCosts(
                latency_s=max((copy.arrived_s for copy in copies), default=0.0),
                energy_j=ledger.total("joules"),
                bits=ledger.total("charged_bits"),
            ),
            ledger=ledger,
        ),
    )


def _carry(problem: Problem, transfer: ModuleTransfer, data: bytes, number: int) -> tuple[bytes, list[LedgerEntry]]:
    """Pass bytes on from hop to hop; return them as they arrive, and the ledger's entries."""
    bits = int(problem.payload_bit[problem.modules.index(transfer.module)])
    first_s, last_s, entries = 0.0, 0.0, []
    received = data
    for hop in transfer.hops:
        link, resource = hop_cost(problem, hop.source, hop.target)
        delay_s = link.delay_s if bits else 0.0
        last_s = max(first_s + bits * link.s_per_bit / hop.share, last_s) + delay_s
        received = cross(received)
        event: Event = "relay"
        what = (number, event, resource, hop.source, hop.target, transfer.module, bits, bytes_to_bit(len(received)))
        entries.append(LedgerEntry(*what, first_s, last_s - first_s, link.joules(bits)))
        first_s += delay_s
    return received, entries
