"""Walking modules carried out: visited devices train, copies cross links as bytes, and merge where they meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from math import fsum

from hffm_opt.learning.aggregation import Statistic, total
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.transport import Post
from hffm_opt.plan.walk_referee import check_walk
from hffm_opt.plan.walks import WalkPlan, WalkRound, hop_of, walk
from hffm_opt.problem.model import Problem
from hffm_opt.trace.ledger import Ledger, LedgerColumns, LedgerEntry
from hffm_opt.units import bytes_to_bit

Train = Callable[[StackedStates, "tuple[int, ...]", int], StackedStates]


@dataclass(frozen=True)
class Walk:
    """A complete round of a walk, with the clock in s and the joules of the run at its end."""

    part: WalkRound
    clock_s: float
    energy_j: float


@dataclass(frozen=True, eq=False)
class Walked:
    """The copies of all devices after a walk, its complete rounds, and its ledger."""

    states: StackedStates
    rounds: tuple[Walk, ...]
    ledger: Ledger

    @property
    def clock_s(self) -> float:
        """The clock at the end."""
        return self.rounds[-1].clock_s if self.rounds else 0.0


def run_walk(
    problem: Problem,
    plan: WalkPlan,
    modules: dict[str, Module],
    start: StackedStates,
    train: Train,
    rounds: int,
    seed: int,
    watch: Callable[[Walk, StackedStates], None] | None = None,
) -> Walked:
    """Let modules walk for some rounds. An interrupt (Ctrl-C) ends the walk after its last complete round.

    Args:
        problem: the problem.
        plan: how they walk.
        modules: the trainable modules by name.
        start: the copies of all U devices.
        train: called with (states, rows, round) to train the devices at some rows; see
            :class:`~hffm_opt.learning.local.LocalTrainer`.
        rounds: how many rounds.
        seed: of the walk.
        watch: told after each round what it was, and the copies.

    Raises:
        InputError: the plan is faulty or for another scenario, or a copy is not finite.
        KeyboardInterrupt: interrupted before any round was complete.
    """
    check_walk(problem, plan)
    columns, ran = LedgerColumns(), list[Walk]()
    whole = (start, 0, 0)
    try:
        for part in walk(problem, plan, rounds, seed):
            now, joules = (ran[-1].clock_s, ran[-1].energy_j) if ran else (0.0, 0.0)
            trained, ready = _training(problem, part, now)
            after, hops, now = _moves(problem, modules, part, train(whole[0], part.training, part.number), ready)
            columns.extend((*trained, *hops))
            ran.append(Walk(part, now, joules + fsum(entry.joules for entry in (*trained, *hops))))
            # One name: an interrupt finds all of a round here, or nothing.
            whole = (after, len(ran), len(columns))
            if watch is not None:
                watch(ran[-1], after)
    except KeyboardInterrupt:
        if not whole[1]:
            raise
    columns.truncate(whole[2])
    return Walked(whole[0], tuple(ran[: whole[1]]), columns.ledger())


def _training(problem: Problem, part: WalkRound, now: float) -> tuple[list[LedgerEntry], float]:
    """Return the entries of a round's training, and when the last device is done."""
    cells = {int(u): cell.edge.name for cell in problem.cells for u in cell.members}
    entries = []
    for u in part.training:
        cycles, speed = float(problem.cycles[u]), float(problem.cpu_max_hz[u])
        owned = " ".join(name for name, own in zip(problem.modules, problem.owners[u], strict=True) if own)
        cost = (now, cycles / speed, float(problem.capacitance_j_s2[u]) * speed**2 * cycles)
        name = problem.scenario.devices[u].name
        entries.append(LedgerEntry(part.number, "train", cells[u], name, "", owned, 0, 0, *cost))
    return entries, max((entry.start_s + entry.seconds for entry in entries), default=now)


def _moves(
    problem: Problem, modules: dict[str, Module], part: WalkRound, states: StackedStates, start_s: float
) -> tuple[StackedStates, list[LedgerEntry], float]:
    """Carry a round's copies over their links, one after another in each band, and merge those that meet."""
    post = Post(problem, modules, part.number)
    names = [device.name for device in problem.scenario.devices]
    free: dict[str, float] = {}
    entries, received = list[LedgerEntry](), dict[tuple[int, int, int], Statistic]()
    for step in part.hops:
        module, (link, band) = problem.modules[step.module], hop_of(problem, step)
        data = post.encode(module, Statistic.of(states.of_device(step.source, module), 1.0))
        bits = int(problem.payload_bit[step.module])
        begin = free.get(band, start_s)
        free[band] = begin + bits * link.s_per_bit
        ends = (names[step.source], names[step.target], module, bits, bytes_to_bit(len(data)))
        entries.append(LedgerEntry(part.number, "relay", band, *ends, begin, free[band] - begin, link.j_per_bit * bits))
        if step.arrived:
            key = (step.module, step.target, step.source)
            received[key] = Statistic.of(*post.decode(module, data))
    after = states
    for (m, v), group in groupby(sorted(received), key=lambda key: key[:2]):
        module = problem.modules[m]
        weight = dict(part.meetings.get((m, v), ()))
        copies = {u: received[m, v, u].mean() for _, _, u in group}
        if v in weight:
            copies[v] = states.of_device(v, module)
        # A copy that was never trained counts as little as any number can make it, and not for nothing.
        merged = total([Statistic.of(copy, max(float(weight.get(u, 1)), 1e-9)) for u, copy in sorted(copies.items())])
        after = after.replace(module, [v], merged.mean())
    return after, entries, max(free.values(), default=start_s)
