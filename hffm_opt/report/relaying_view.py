"""From an event of module relaying to what its section shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hffm_opt.plan.module_relaying import ModuleTransfer
from hffm_opt.report import numbers
from hffm_opt.report.costs import CostRow, cost_rows
from hffm_opt.report.figures.copies import CopyHop, copies_map
from hffm_opt.report.groups import ModuleGroup, grouped
from hffm_opt.report.lead import Lead, Tile
from hffm_opt.report.proof import proof_words
from hffm_opt.report.relayed import Relaying
from hffm_opt.report.svg import Drawing
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.ledger import LedgerEntry

_UNIT = "which weighs seconds until the last copy has come, joules and misfit"
_COSTS = ("Until the last copy has come", "Energy", "Data moved, over all hops")


@dataclass(frozen=True)
class CopyRow:
    """A module that a device got, as finished texts."""

    device: str
    module: str
    source: str
    path: str
    arrived: str
    energy: str
    size: str
    misfit: str


@dataclass(frozen=True)
class RelayingView:
    """The section of one event."""

    round: int
    label: str
    method: str
    verdict: str
    proof: str
    rows: tuple[CopyRow, ...]
    costs: tuple[CostRow, ...]
    groups: tuple[ModuleGroup, ...]
    drawing: Drawing | None
    lead: Lead
    figures: tuple[tuple[str, Drawing], ...]
    provenance: tuple[tuple[str, str], ...] = ()


def relaying_view(event: Relaying, identity: str, several: bool) -> RelayingView:
    """Return what is shown of an event; ``several`` runs or events need the name of theirs in the title."""
    problem = event.phase.problem
    carried = _hops(event)
    hops = [hop for path in carried for hop in path]
    ways: dict[str, list[object]] = {}
    for path in carried:
        ways.setdefault(path[0].modules, []).append([(hop.source, hop.target) for hop in path])
    # Modules that took the same paths share a colour.
    groups = grouped(problem, {module: str(sorted(map(str, paths))) for module, paths in ways.items()})
    drawing = None
    if hops:
        shown = [CopyHop(hop.source, hop.target, hop.modules, hop.charged_bits) for hop in hops]
        receivers = {copy.device for copy in event.trace.copies}
        drawing = copies_map(problem, shown, receivers, groups, "copies of modules", f"{identity}-map")
    verdict, proof = _proof(event)
    return RelayingView(
        round=event.trace.round,
        label=event.name if several else "",
        method=event.trace.method,
        verdict=verdict,
        proof=proof,
        rows=tuple(_rows(event, carried)),
        costs=cost_rows(event.trace.predicted, event.trace.measured, _COSTS),
        groups=groups,
        drawing=drawing,
        lead=_lead(event),
        figures=() if drawing is None else ((f"copies-round-{event.trace.round}", drawing),),
    )


def _hops(event: Relaying) -> list[list[LedgerEntry]]:
    """Return the hops of each copy, in the order of the copies: the ledger has them one behind the other."""
    entries, found = event.trace.ledger.entries(), list[list[LedgerEntry]]()
    for copy in event.trace.copies:
        path = [next(entries)]
        while path[-1].target != copy.device:
            path.append(next(entries))
        found.append(path)
    return found


def _rows(event: Relaying, carried: Sequence[Sequence[LedgerEntry]]) -> list[CopyRow]:
    rows, done = [], iter(zip(event.trace.copies, carried, strict=True))
    copies = [ModuleTransfer(device=c.device, module=c.module, source=c.source) for c in event.trace.copies]
    for transfer in copies if event.plan is None else event.plan.transfers:
        misfit = "—" if transfer.misfit is None else numbers.number(transfer.misfit)
        if transfer.source is None:
            rows.append(CopyRow(transfer.device, transfer.module, "nobody: from scratch", "—", "—", "—", "—", misfit))
            continue
        copy, path = next(done)
        rows.append(
            CopyRow(
                device=copy.device,
                module=copy.module,
                source=_holder(event, copy.source),
                path=" → ".join([path[0].source, *(hop.target for hop in path)]),
                arrived=numbers.seconds(copy.arrived_s),
                energy=numbers.joules(sum(hop.joules for hop in path)),
                size=numbers.megabytes(path[0].charged_bits),
                misfit=misfit,
            )
        )
    return rows


def _holder(event: Relaying, source: str) -> str:
    edges = {edge.name for edge in event.phase.problem.scenario.edges}
    return f"{source}’s average" if source == CLOUD or source in edges else source


def _proof(event: Relaying) -> tuple[str, str]:
    if event.plan is None:
        return "No certificate kept", "An earlier version of the package ran this, and kept no plan of the copies."
    return proof_words(event.plan, _UNIT, "choice of holders and paths")


def _lead(event: Relaying) -> Lead:
    """Return the headline about the whole run."""
    training, copied = [phase.measurement.measured for phase in event.phases], [r.measured for r in event.relayings]
    copying = sum(part.latency_s for part in copied)
    seconds = sum(part.latency_s for part in training) + copying
    joules = sum(part.energy_j for part in training) + sum(part.energy_j for part in copied)
    rounds, copies = sum(phase.rounds for phase in event.phases), sum(len(r.copies) for r in event.relayings)
    last, scenario = event.phases[-1], event.phase.problem.scenario
    stopped = f"The run stopped early: {rounds} rounds are complete."
    tiles = [
        Tile("Simulated time", numbers.seconds(seconds), (f"of which {numbers.seconds(copying)} copying",)),
        Tile("Energy", numbers.joules(joules), (f"{len(event.phases)} phases and what was copied between them",)),
    ]
    for task, share in last.measurement.accuracy.items():
        chance = last.measurement.baseline.get(task)
        notes = () if chance is None else (f"majority answer {numbers.percent(chance)}",)
        tiles.append(Tile(f"Accuracy, {task}", numbers.percent(share), notes, share, chance))
    after = ", ".join(str(relaying.round) for relaying in event.relayings)
    claim = f"{rounds} rounds, {copies} module{'s' * (copies != 1)} copied after round {after}"
    return Lead(
        scenario=last.measurement.scenario,
        description=scenario.description,
        claim=claim,
        tiles=tuple(tiles),
        notes=("Accuracies are those at the end of the last phase. Each phase is a run with a plan of its own.",),
        warnings=() if last.trace.complete and len(event.phases) > len(event.relayings) else (stopped,),
    )
