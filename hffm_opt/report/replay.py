"""What moved where, round by round: the ledger boiled down to what the page's slider needs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hffm_opt.plan.circulation import Tier, top_kind
from hffm_opt.report import numbers
from hffm_opt.report.groups import REST_INK, ModuleGroup, bits_by_group, bits_by_module
from hffm_opt.report.in_force import InForce, in_force_at
from hffm_opt.report.round_words import rounds_of, tier_words
from hffm_opt.report.run import Run
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.trace.model import RoundRecord

MOST_TRANSFERS = 30_000
"""Transfers that are kept in a page, equal rounds counted once: about a megabyte."""
MOST_ROUNDS = 5_000
OTHERS = ModuleGroup("other messages", (), REST_INK)
STEPS = ("gather", "scatter", "uplink", "backhaul-up", "backhaul-down", "downlink")
STEP_NAMES = {
    "gather": "to the heads",
    "scatter": "back from the heads",
    "uplink": "up to the edges",
    "backhaul-up": "edges to the cloud",
    "backhaul-down": "cloud to the edges",
    "downlink": "back from the edges",
}
FETCH, FETCH_NAME = "relay", "experts fetched"
UPWARD = ("gather", "uplink", "backhaul-up")


@dataclass(frozen=True)
class ReplayMove:
    """A transfer of a round: step, ends, milliseconds, and kilobits of each group of modules."""

    step: str
    source: str
    target: str
    ms: float
    kilobits: tuple[float, ...]


@dataclass(frozen=True)
class ReplayRound:
    """A round as the slider tells it; ``moves`` may be shared by rounds that are alike."""

    number: int
    moves: tuple[ReplayMove, ...]
    end: str
    took: str
    energy: str
    moved: str
    kind: str
    tiers: str
    accuracy: str
    sat_out: tuple[str, ...]
    plan: str

    def steps(self) -> list[tuple[str, str, str, str]]:
        """Return for each step of the round: its name, number of transfers, MB, and the longest one's seconds."""
        found = []
        for step in (*STEPS, FETCH):
            mine = [move for move in self.moves if move.step == step]
            if mine:
                bits = 1e3 * sum(sum(move.kilobits) for move in mine)
                longest = max(move.ms for move in mine) / 1e3
                found.append(
                    (
                        STEP_NAMES.get(step, FETCH_NAME),
                        str(len(mine)),
                        numbers.megabytes(bits),
                        numbers.seconds(longest),
                    )
                )
        return found


@dataclass(frozen=True)
class Replay:
    """The rounds that are kept of a run, at an odd ``stride`` so that all kinds of round stay among them."""

    rounds: tuple[ReplayRound, ...]
    groups: tuple[ModuleGroup, ...]
    stride: int
    of: int
    transfers: int

    def data(self, places: dict[str, tuple[float, float]], identity: str) -> str:
        """Return the rounds as JSON, each name, text and set of equal moves once.

        Args:
            places: where each node is in the drawing.
            identity: begins the identifiers inside the drawing.
        """
        names, texts = _Index(), _Index()
        patterns: dict[tuple[ReplayMove, ...], int] = {}
        rounds = []
        steps = (*STEPS, *([FETCH] if any(m.step == FETCH for item in self.rounds for m in item.moves) else []))
        for item in self.rounds:
            pattern = patterns.setdefault(item.moves, len(patterns))
            told = (item.end, item.took, item.energy, item.moved, item.kind, item.tiers, item.accuracy, item.plan)
            rounds.append([item.number, pattern, [names[n] for n in item.sat_out], *(texts[text] for text in told)])
        moves = [
            [[steps.index(m.step), names[m.source], names[m.target], m.ms, *m.kilobits] for m in pattern]
            for pattern in patterns
        ]
        document = {
            "identity": identity,
            "groups": [[group.name, group.ink] for group in self.groups],
            "steps": [[STEP_NAMES.get(step, FETCH_NAME), step in UPWARD] for step in steps],
            "nodes": [[name, *places.get(name, ())] for name in names],
            "texts": list(texts),
            "patterns": moves,
            "rounds": rounds,
        }
        # Inside a page, an end of a script element must not stand in the data.
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


class _Index(dict[str, int]):
    """Numbers for texts, in the order in which they are first asked for."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]


def replay(run: Run, plans: Sequence[InForce], groups: Sequence[ModuleGroup], most: int = MOST_TRANSFERS) -> Replay:
    """Return what a run's rounds moved, as many of them as fit.

    Args:
        run: the run.
        plans: its plans in force.
        groups: the groups of modules that are told apart.
        most: transfers to keep at most, equal rounds counted once.
    """
    known = set(run.problem.modules)
    if any(event != "train" and not known.issuperset(names.split() or "?") for event, names in _messages(run)):
        groups = (*groups, OTHERS)
    moves = _moves(run, groups)
    stride = 1
    while True:
        kept = _kept(run, plans, stride)
        count = sum(map(len, {moves[record.round] for record in kept}))
        if len(kept) == 1 or (count <= most and len(kept) <= MOST_ROUNDS):
            break
        stride += 2
    told = _accuracies(run)
    ends = {record.round: record.end_s for record in run.trace.rounds} | {0: 0.0}
    rounds = tuple(
        _told(record, record.end_s - ends[record.round - 1], moves[record.round], plans, told.get(record.round, ""))
        for record in kept
    )
    return Replay(rounds, tuple(groups), stride, run.rounds, count)


def _messages(run: Run) -> set[tuple[str, str]]:
    return set(zip(run.trace.ledger.event, run.trace.ledger.modules, strict=True))


def _kept(run: Run, plans: Sequence[InForce], stride: int) -> list[RoundRecord]:
    begun = {plan.first for plan in plans}
    return [r for r in run.trace.rounds if (r.round - 1) % stride == 0 or (r.round in begun and len(begun) < 50)]


def _moves(run: Run, groups: Sequence[ModuleGroup]) -> dict[int, tuple[ReplayMove, ...]]:
    found: dict[int, list[ReplayMove]] = {record.round: [] for record in run.trace.rounds}
    shares: dict[tuple[str, int], tuple[float, ...]] = {}
    for entry in run.trace.ledger.entries():
        if entry.event == "train":
            continue
        key = entry.modules, entry.charged_bits
        if key not in shares:
            shares[key] = _kilobits(run, entry, groups)
        found[entry.round].append(
            ReplayMove(entry.event, entry.source, entry.target, _short(1e3 * entry.seconds), shares[key])
        )
    return {number: tuple(moves) for number, moves in found.items()}


def _kilobits(run: Run, entry: LedgerEntry, groups: Sequence[ModuleGroup]) -> tuple[float, ...]:
    modules = entry.modules.split()
    if not modules or not set(run.problem.modules).issuperset(modules):
        found = [float(entry.charged_bits) * (group is OTHERS) for group in groups]
    else:
        found = list(bits_by_group(groups, bits_by_module(run.problem, modules, entry.charged_bits)))
    return tuple(_short(bits / 1e3) for bits in found)


def _short(value: float) -> float | int:
    """Return a value with four significant digits, whole if it is whole, so that equal rounds are found equal."""
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded


def _accuracies(run: Run) -> dict[int, str]:
    """Return the last accuracies that were evaluated in each round, in words."""
    last: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for record in run.trace.accuracy:
        last[record.round][record.task] = record.accuracy
    return {
        number: ", ".join(f"{task} {numbers.percent(share)}" for task, share in found.items())
        for number, found in last.items()
    }


def _told(
    record: RoundRecord, took_s: float, moves: tuple[ReplayMove, ...], plans: Sequence[InForce], accuracy: str
) -> ReplayRound:
    plan = in_force_at(plans, record.round)
    tiers: dict[str, Tier] = plan.tiers(record.round)
    return ReplayRound(
        number=record.round,
        moves=moves,
        end=numbers.seconds(record.end_s),
        took=numbers.seconds(took_s),
        energy=numbers.joules(record.energy_j),
        moved=numbers.megabytes(record.bits),
        kind=rounds_of((plan.kind(record.round),), top_kind(plan.plan.circulation)),
        tiers=tier_words(tiers),
        accuracy=accuracy or "not evaluated",
        sat_out=record.sat_out,
        plan=" ".join(_plan_words(record.round, plan, plans)),
    )


def _plan_words(number: int, plan: InForce, plans: Sequence[InForce]) -> Iterator[str]:
    if len(plans) > 1:
        yield f"plan {plans.index(plan) + 1} of {len(plans)}, {plan.title}"
        if number == plan.first > 1:
            yield "(new with this round)"
