"""Where a run's joules went: by band and by cell, from the ledger, beside what the referee predicts for the bands."""

from __future__ import annotations

from collections import Counter, defaultdict

from hffm_opt.plan.broadcast import broadcast_costs
from hffm_opt.plan.circulation import kind_of_round
from hffm_opt.plan.fetching import fetch_cost
from hffm_opt.plan.notice import notices
from hffm_opt.plan.referee import kind_costs
from hffm_opt.report.in_force import plans_in_force
from hffm_opt.report.run import Run
from hffm_opt.scenario.model import CLOUD
from hffm_opt.trace.ledger import LedgerEntry

BANDS = ("d2d", "uplink", "downlink", "direct", "backhaul", "compute")
BAND_NAMES = {
    "d2d": "device to device",
    "uplink": "uplink to the edge",
    "downlink": "downlink from the edge",
    "direct": "direct link to the cloud",
    "backhaul": "backhaul edge to cloud",
    "compute": "training on devices",
}


def band_of(entry: LedgerEntry) -> str:
    """Return the band (or ``compute``) that a ledger entry belongs to.

    >>> band_of(LedgerEntry(1, "uplink", "edge-0", "device-0", "edge-0", "adapters", 8, 8, 0.0, 0.5, 0.1))
    'uplink'
    """
    if entry.event == "train":
        return "compute"
    if entry.event in ("backhaul-up", "backhaul-down"):
        return "backhaul"
    if CLOUD in (entry.source, entry.target):
        return "backhaul" if entry.cell in (entry.source, entry.target) else "direct"
    if entry.target == entry.cell:
        return "uplink"
    return "downlink" if entry.source == entry.cell else "d2d"


def measured_energy(run: Run) -> dict[str, dict[str, float]]:
    """Return the joules of the whole run, by cell and then by band."""
    found: dict[str, defaultdict[str, float]] = {c.edge.name: defaultdict(float) for c in run.problem.cells}
    for entry in run.trace.ledger.entries():
        found.setdefault(entry.cell, defaultdict(float))[band_of(entry)] += entry.joules
    return {cell: dict(bands) for cell, bands in found.items()}


def predicted_energy(run: Run) -> dict[str, float]:
    """Return the joules that the referee predicts for as many rounds as were run, by band."""
    plans = plans_in_force(run)
    found: defaultdict[str, float] = defaultdict(float)
    for each in plans:
        costs = kind_costs(each.problem, each.plan)
        times = Counter(kind_of_round(number, costs.top) for number in range(each.first, each.last + 1))
        for kind, count in times.items():
            for cost in costs.rounds[kind]:
                for band, joules in cost.tally.energy_by_band.items():
                    found[band] += count * joules
    sent = [(each.round, each.bits) for each in run.trace.broadcasts]
    for broadcast in broadcast_costs(run.problem, run.trace.plans(run.plan), sent).values():
        for band, joules in broadcast.joules_by_band.items():
            found[band] += joules
    fetching = run.trace.header.fetching
    if fetching is not None:
        fetched = sum(fetching.due(record.round) for record in run.trace.rounds)
        for band, joules in fetch_cost(run.problem, fetching).joules_by_band.items():
            found[band] += fetched * joules
    for revision, before in zip(run.trace.revisions, plans, strict=False):
        for notice in notices(before.problem, revision.notice_bits) if revision.notice_bits else ():
            found["backhaul"] += notice.backhaul.joules(notice.bits)
            found["downlink"] += notice.downlink.joules(notice.bits) if notice.downlink else 0.0
    return dict(found)
