"""One request on its way: its simulated clock, and messages that cross links as bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hffm_opt.errors import InputError
from hffm_opt.learning.inference.segments import Message, from_bytes, to_bytes
from hffm_opt.plan.inference import InferenceProblem
from hffm_opt.trace.inference import InferenceEntry
from hffm_opt.units import bytes_to_bit


@dataclass(eq=False)
class RequestLedger:
    """One request on its way: simulated time since it arose, joules, ledger entries."""

    inference: InferenceProblem
    name: str
    number: int
    arrived_s: float
    entries: list[InferenceEntry] = field(default_factory=list)

    def compute(self, node: str, segments: str, flop: float, start_s: float) -> float:
        """Record a computation and return when it is done."""
        seconds, joules = flop / self.inference.nodes[node].flop_per_s, flop * self.inference.nodes[node].j_per_flop
        self._note("compute", segments, node, node, 0, 0, start_s, seconds, joules)
        return start_s + seconds

    def send(
        self, messages: list[Message], charged: int, segments: str, ends: tuple[str, str], start_s: float
    ) -> float:
        """Let messages cross the links from one node to another as bytes, in place; return when they are there.

        Raises:
            InputError: they do not weigh what the chain says.
        """
        if ends[0] == ends[1]:
            return start_s
        data = [to_bytes(message) for message in messages]
        weight = int(bytes_to_bit(sum(map(len, data))))
        if weight != charged:
            message = f"behind '{segments}' {weight} bit cross the link, where the chain says {charged}"
            raise InputError.one("inference.chains", message, "count the chains anew from this model")
        for hop in self.inference.route(*ends):
            seconds, joules = hop.link.seconds(charged), hop.link.joules(charged)
            self._note("send", segments, hop.source, hop.target, charged, weight, start_s, seconds, joules)
            start_s += seconds
        messages[:] = [from_bytes(part) for part in data]
        return start_s

    def _note(
        self,
        event: Literal["compute", "send"],
        segments: str,
        source: str,
        target: str,
        charged: int,
        weight: int,
        start_s: float,
        seconds: float,
        joules: float,
    ) -> None:
        when = self.arrived_s + start_s
        self.entries.append(
            InferenceEntry(
                self.name, self.number, event, segments, source, target, charged, weight, when, seconds, joules
            )
        )
