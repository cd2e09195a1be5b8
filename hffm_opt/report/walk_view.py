"""From a training by walks to what its section shows: accuracies, chains and visits, hops, and the whole's costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hffm_opt.plan.walks import Island
from hffm_opt.report import numbers
from hffm_opt.report.costs import CostRow, cost_rows
from hffm_opt.report.figures.series import Series, series
from hffm_opt.report.figures.walks import MOST_DEVICES, chain_map, visit_bars, walk_curve
from hffm_opt.report.lead import Lead, Tile
from hffm_opt.report.svg import Drawing
from hffm_opt.report.walked import Walked

MOST_ISLANDS = 8  # that are shown one by one


@dataclass(frozen=True)
class IslandView:
    """An island: its devices, the certificate in words, and drawings of chain and visits where it is small enough."""

    devices: str
    certificate: str
    chain: Drawing | None
    visits: Drawing | None


@dataclass(frozen=True)
class WalkView:
    """The section of a training by walks; ``left_out`` islands are not shown."""

    label: str
    method: str
    how: str
    accuracies: tuple[tuple[Series, str, str, str], ...]
    when: str
    curves: tuple[Drawing, ...]
    islands: tuple[IslandView, ...]
    left_out: int
    lone: str
    counts: tuple[tuple[str, str], ...]
    costs: tuple[CostRow, ...]
    lead: Lead
    figures: tuple[tuple[str, Drawing], ...]
    provenance: tuple[tuple[str, str], ...]


def walk_view(walked: Walked, identity: str, several: bool) -> WalkView:
    """Return what is shown of a training by walks; of ``several``, each is named after its directory."""
    plan, trace, head = walked.plan, walked.trace, walked.trace.header
    several_devices = [island for island in plan.islands if len(island.devices) > 1]
    shown = several_devices[:MOST_ISLANDS]
    islands = tuple(_island(walked, island, f"{identity}-i{k}") for k, island in enumerate(shown))
    drawn = {
        "accuracy-seconds": walk_curve(trace.curve, head.baseline, "clock_s", f"{identity}-s"),
        "accuracy-joules": walk_curve(trace.curve, head.baseline, "energy_j", f"{identity}-j"),
    }
    figures = list(drawn.items()) if trace.curve else []
    for k, island in enumerate(islands):
        figures += [(f"chain-{k + 1}", island.chain)] if island.chain else []
        figures += [(f"visits-{k + 1}", island.visits)] if island.visits else []
    end = f"-{walked.name}" if several else ""
    return WalkView(
        label=walked.name if several else "",
        method=plan.method,
        how=_how(walked),
        accuracies=tuple(
            (series(i), task, numbers.percent(share), numbers.percent(head.baseline[task]))
            for i, (task, share) in enumerate(trace.accuracy.items())
        ),
        when=f"after round {trace.curve[-1].round}" if trace.curve else "never evaluated",
        curves=tuple(drawn.values()) if trace.curve else (),
        islands=islands,
        left_out=len(several_devices) - len(shown),
        lone=", ".join(island.devices[0] for island in plan.islands if len(island.devices) == 1),
        counts=tuple(_counts(walked)),
        costs=cost_rows(trace.predicted, trace.measured),
        lead=_lead(walked),
        figures=tuple((f"walks-{name}{end}", drawing) for name, drawing in figures),
        provenance=tuple(_provenance(walked)),
    )


def visit_shares(walked: Walked, island: Island) -> list[float] | None:
    """Return the share of a copy's rounds on an island that it stood on each device; None where none ever stood."""
    stood = Counter(device for record in walked.trace.rounds for devices in record.stood.values() for device in devices)
    total = sum(stood[name] for name in island.devices)
    return [stood[name] / total for name in island.devices] if total else None


def _island(walked: Walked, island: Island, identity: str) -> IslandView:
    usual = f"Metropolis-Hastings’ is {_modulus(island.slem_metropolis_hastings)}"
    proven = (
        "nothing is proven" if island.bound is None else f"no chain with this law is below {_modulus(island.bound)}"
    )
    words = f"Second largest eigenvalue modulus {_modulus(island.slem)}: {proven}; {usual}."
    if (kemeny := island.kemeny) is not None:
        words += (
            f" Kemeny’s constant {_modulus(kemeny.constant)} steps: no reversible chain with this law is below "
            f"{_modulus(kemeny.bound)}; Metropolis-Hastings’ is {_modulus(kemeny.metropolis_hastings)}."
        )
    small, visits = len(island.devices) <= MOST_DEVICES, visit_shares(walked, island)
    return IslandView(
        devices=", ".join(island.devices) if small else f"{len(island.devices)} devices",
        certificate=words,
        chain=chain_map(island, f"{identity}-chain") if small else None,
        visits=visit_bars(island, visits, f"{identity}-visits") if small and visits else None,
    )


def _modulus(value: float) -> str:
    """Return a modulus; what rounding leaves of nothing is nothing."""
    return numbers.number(round(value, 9))


def _how(walked: Walked) -> str:
    plan = walked.plan
    copies = "One copy" if plan.walkers == 1 else f"{plan.walkers} copies"
    late = "never" if plan.late is None else f"once a device has waited for more than {plan.late} rounds"
    return (
        f"{copies} of each module began on every island of links. Where a copy stands, the device trains; then "
        f"the copy takes a step of the island’s chain. A hop is lost with probability {plan.loss:g}; a copy is made "
        f"anew {late}."
    )


def _counts(walked: Walked) -> Iterator[tuple[str, str]]:
    found = walked.trace.summary()
    yield "Hops", str(found["hops"])
    yield "Lost on the way", str(found["lost"])
    yield "Copies that met another", str(found["met"])
    yield "Made anew", str(found["created"])
    rounds = max(1, len(walked.trace.rounds))
    trained = sum(len(record.trained) for record in walked.trace.rounds) / rounds
    yield "Devices that train in a round", f"{numbers.number(trained)} of {len(walked.problem.scenario.devices)}"


def _lead(walked: Walked) -> Lead:
    trace, scenario = walked.trace, walked.problem.scenario
    hops = trace.summary()["hops"]
    tiles = [
        Tile("Simulated time", numbers.seconds(trace.measured.latency_s)),
        Tile("Energy", numbers.joules(trace.measured.energy_j), (f"{numbers.megabytes(trace.measured.bits)} moved",)),
    ]
    for task, share in trace.accuracy.items():
        chance = trace.header.baseline[task]
        notes = (f"majority answer {numbers.percent(chance)}",)
        tiles.append(Tile(f"Accuracy, {task}", numbers.percent(share), notes, share, chance))
    rounds = len(trace.rounds)
    stopped = f"The run stopped early: {rounds} of {trace.header.rounds} rounds are complete."
    return Lead(
        scenario=scenario.name,
        description=scenario.description,
        claim=f"{rounds} round{'s' * (rounds != 1)}, {hops} hop{'s' * (hops != 1)} over D2D links, no server",
        tiles=tuple(tiles),
        notes=("Devices answer with the copies that they last had.",),
        warnings=() if trace.complete else (stopped,),
    )


def _provenance(walked: Walked) -> Iterator[tuple[str, str]]:
    head = walked.trace.header
    yield "Walks", f"{walked.name}, {head.method}, seed {head.seed}"
    yield "Scenario", f"{head.scenario}, SHA-256 {head.fingerprint[:12]}"
    packages = ", ".join(f"{name} {version}" for name, version in head.provenance.packages.items())
    yield "Software", f"Python {head.provenance.python}, {packages}, {head.provenance.machine}"
    yield "Commit", head.provenance.commit or "not from a source tree"
