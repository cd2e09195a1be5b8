"""From a directory of answers to what its section shows: where the chains ran, what the answers achieved and took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hffm_opt.plan.inference import ClassPlan
from hffm_opt.plan.inference.network import Asked
from hffm_opt.report import numbers
from hffm_opt.report.answer_times import PART_NAMES, PARTS, mean_joules, mean_seconds
from hffm_opt.report.answered import Answered
from hffm_opt.report.costs import off
from hffm_opt.report.figures.answer_bars import ANSWER_LOOKS, answer_bars
from hffm_opt.report.figures.chain import Lane, Message, Piece, chain_figure
from hffm_opt.report.lead import Lead, Tile
from hffm_opt.report.proof import proof_words
from hffm_opt.report.svg import Drawing
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.inference import ClassResult

_UNIT = "which weighs seconds and joules of a mean request"


@dataclass(frozen=True)
class AnswerRow:
    """A class of requests, as finished texts."""

    name: str
    requests: int
    accuracy: str
    unsplit: str
    identical: str
    latency: tuple[str, str, str]
    energy: tuple[str, str, str]


@dataclass(frozen=True)
class ChainView:
    """Where a class ran, and where its requests ended: segment, share that ended, share that was planned to.

    ``least_px`` is the width below which the drawing is scrolled, not made smaller.
    """

    name: str
    task: str
    device: str
    rate: str
    drawing: Drawing
    least_px: int
    ends: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class AnswersView:
    """The section of a directory of answers."""

    label: str
    method: str
    stop_reason: str
    verdict: str
    proof: str
    chains: tuple[ChainView, ...]
    rows: tuple[AnswerRow, ...]
    parts: tuple[tuple[str, float, str, tuple[str, ...]], ...]
    seconds_drawing: Drawing
    joules_drawing: Drawing
    lead: Lead
    figures: tuple[tuple[str, Drawing], ...]
    provenance: tuple[tuple[str, str], ...]


def answers_view(answered: Answered, identity: str, several: bool) -> AnswersView:
    """Return what is shown of answers; of ``several``, each is named after its directory."""
    seconds, joules = mean_seconds(answered), mean_joules(answered)
    classes = zip(answered.problem.classes, answered.plan.classes, answered.trace.classes, strict=True)
    chains = tuple(_chain(answered, *found, f"{identity}-chain-{i}") for i, found in enumerate(classes))
    drawings = (
        answer_bars(seconds, "seconds", f"{identity}-seconds"),
        answer_bars(joules, "joules", f"{identity}-joules"),
    )
    verdict, proof = _proof(answered)
    prefix = f"answers-{answered.name}" if several else "answers"
    return AnswersView(
        label=answered.name if several else "",
        method=answered.plan.method,
        stop_reason="" if answered.outcome is None else answered.outcome.stop_reason,
        verdict=verdict,
        proof=proof,
        chains=chains,
        rows=tuple(map(_row, answered.trace.classes)),
        parts=tuple(
            (
                ANSWER_LOOKS[part]["ink"],
                ANSWER_LOOKS[part].get("opacity", 1.0),
                PART_NAMES[part],
                tuple(_seconds(found.get(part, 0.0)) for found in seconds.values()),
            )
            for part in PARTS
            if any(found.get(part, 0.0) > 0 for found in seconds.values())
        ),
        seconds_drawing=drawings[0],
        joules_drawing=drawings[1],
        lead=_lead(answered, verdict),
        figures=(
            *((f"{prefix}-chain-{chain.name}", chain.drawing) for chain in chains),
            (f"{prefix}-time", drawings[0]),
            (f"{prefix}-energy", drawings[1]),
        ),
        provenance=tuple(_provenance(answered)),
    )


def _row(found: ClassResult) -> AnswerRow:
    told, measured = found.predicted, found.measured
    return AnswerRow(
        name=found.name,
        requests=found.requests,
        accuracy=numbers.percent(found.accuracy),
        unsplit=numbers.percent(found.accuracy_full),
        identical=f"{found.identical} of {found.unsplit}" if found.unsplit else "all ended early",
        latency=(
            numbers.seconds(measured.latency_s),
            numbers.seconds(told.latency_s),
            off(told.latency_s, measured.latency_s),
        ),
        energy=(
            numbers.joules(measured.energy_j),
            numbers.joules(told.energy_j),
            off(told.energy_j, measured.energy_j),
        ),
    )


def _seconds(value: float) -> str:
    return numbers.seconds(value) if value else "—"


def _proof(answered: Answered) -> tuple[str, str]:
    if answered.outcome is None:
        return "No certificate kept", "The plan was given by itself, without its certificate."
    return proof_words(answered.outcome, _UNIT, "placement")


def _chain(answered: Answered, asked: Asked, part: ClassPlan, result: ClassResult, identity: str) -> ChainView:
    chain, device, where = asked.chain, asked.spec.device, part.nodes
    pieces, encoders = pieces_of(asked, part, result.ended)
    used = {piece.node for piece in pieces}
    cell = next(c for c in answered.problem.problem.cells if device in c.names)
    peers = [name for name in cell.names if name in used and name != device]
    nodes = (CLOUD, cell.edge.name, *peers, device)
    lanes = [Lane(node, answered.tier(node, device)) for node in nodes]
    drawing, least_px = chain_figure(
        asked.spec.name, lanes, encoders, pieces, messages_of(asked, part, pieces, encoders), identity
    )
    planned = dict(zip((segment.name for segment in chain.trunk), asked.shares.tolist(), strict=True))
    return ChainView(
        name=asked.spec.name,
        task=asked.spec.task,
        device=device,
        rate=f"{numbers.number(asked.spec.rate_per_s)}\u202f/s",
        drawing=drawing,
        least_px=least_px,
        ends=tuple(
            (f"{name}, on {where[name]}", numbers.percent(result.ended.get(name, 0.0)), numbers.percent(share))
            for name, share in planned.items()
            if share > 0 or result.ended.get(name, 0.0) > 0
        ),
    )


def pieces_of(asked: Asked, part: ClassPlan, ended: dict[str, float]) -> tuple[list[Piece], int]:
    """Return the pieces of a chain, encoders first, and how many of them are encoders.

    Encoders of one node are one piece, segments of the trunk up to an exit or another node too.
    """
    chain, where = asked.chain, part.nodes
    exits = {place.after for place in asked.exits}
    by_node: dict[str, list[str]] = {}
    for encoder in chain.encoders:
        by_node.setdefault(where[encoder.name], []).append(encoder.name)
    pieces = [Piece(tuple(names), node) for node, names in by_node.items()]
    run: list[str] = []
    names = [segment.name for segment in chain.trunk]
    for name, following in zip(names, [*names[1:], None], strict=True):
        run.append(name)
        if following is None or name in exits or where[following] != where[name]:
            pieces.append(Piece(tuple(run), where[name], ended.get(name, 0.0), name in exits))
            run = []
    return pieces, len(by_node)


def messages_of(asked: Asked, part: ClassPlan, pieces: list[Piece], encoders: int) -> list[Message]:
    """Return what pieces on different nodes send each other, the raw input and the answer included."""
    chain, device = asked.chain, asked.spec.device
    found = []
    for i, piece in enumerate(pieces[:encoders]):
        mine = [encoder for encoder in chain.encoders if encoder.name in piece.segments]
        if piece.node != device:
            found.append(Message(-1, i, sum(encoder.input_bit for encoder in mine)))
        if piece.node != pieces[encoders].node:
            found.append(Message(i, encoders, sum(encoder.output_bit for encoder in mine)))
    bits = {segment.name: segment.output_bit for segment in chain.trunk}
    found += [
        Message(i, i + 1, bits[pieces[i].segments[-1]])
        for i in range(encoders, len(pieces) - 1)
        if pieces[i].node != pieces[i + 1].node
    ]
    if part.nodes[chain.trunk[-1].name] != device:
        found.append(Message(len(pieces) - 1, len(pieces), chain.answer_bit))
    return found


def _lead(answered: Answered, verdict: str) -> Lead:
    results, scenario = answered.trace.classes, answered.problem.problem.scenario
    rates = [asked.spec.rate_per_s for asked in answered.problem.classes]
    weighted = list(zip(rates, results, strict=True))
    latency = sum(rate * found.measured.latency_s for rate, found in weighted) / sum(rates)
    energy = sum(rate * found.measured.energy_j for rate, found in weighted) / sum(rates)
    count = sum(found.requests for found in results)
    mean = "mean request, classes by their rates"
    tiles = [
        Tile("Latency", numbers.scaled(latency, "s"), (mean,)),
        Tile("Energy", numbers.scaled(energy, "J"), (mean,)),
    ]
    for found in results:
        notes = (f"unsplit {numbers.percent(found.accuracy_full)}, {found.requests} requests",)
        share = found.accuracy
        tiles.append(Tile(f"Accuracy, {found.name}", numbers.percent(share), notes, share, found.accuracy_full))
    gap = None if answered.outcome is None else answered.outcome.gap
    tiles.append(Tile("Plan", verdict, ("no bound" if gap is None else f"gap {numbers.gap(gap)}",), words=True))
    whole = sum(found.unsplit for found in results)
    different = whole - sum(found.identical for found in results)
    same = "Whatever went through the whole chain was answered as by the unsplit model, to the last bit."
    broken = answered.outcome is not None and not answered.outcome.feasible
    return Lead(
        scenario=scenario.name,
        description=scenario.description,
        claim=f"{count} requests answered, {numbers.scaled(latency, 's')} each on average",
        tiles=tuple(tiles),
        notes=(same,) if whole and not different else (),
        warnings=(
            *((f"{different} answers differ from the unsplit model's.",) if different else ()),
            *(("The plan breaks limits of the nodes or links.",) if broken else ()),
        ),
    )


def _provenance(answered: Answered) -> Iterator[tuple[str, str]]:
    trace = answered.trace
    yield "Answers", f"{trace.method} ({answered.name})"
    yield "Scenario", f"{trace.scenario.name}, fingerprint {trace.scenario.fingerprint}"
    yield "Seed", str(trace.seed)
    yield "Weights", trace.weights
    packages = "".join(f", {name} {version}" for name, version in trace.provenance.packages.items())
    yield "Software", f"Python {trace.provenance.python}{packages}; {trace.provenance.machine}"
    yield "Commit", trace.provenance.commit or "not from a source tree"
