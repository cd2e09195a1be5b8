r"""What a run has shown of its network and its modules, as conditions that the next plan can be made for.

Devices report their speed and their presence, and pilots tell the mean gain of every link of a cell. What fading does
to transfers is measured: over the window of rounds, a link that moved ``L`` bits in ``S`` seconds at bandwidth ``B``
and power ``p`` had the effective gain

    g = (2^{L / (S B)} - 1) N0 B / p

and the geometric mean of ``g / g_believed`` over a band's links is what is believed of all its links. Divergences are
the means of those measured so far, scaled so that all modules together weigh as much in Phi as the scenario's do:
only their shares are known, the scale is for the learning curve to fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hffm_opt.plan.circulation import kind_of_round, top_kind
from hffm_opt.plan.model import TREES, Arc, Plan
from hffm_opt.plan.nominal import band_of, gain_of
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.conditions import Conditions, ModuleDivergence, factor_of_link, gains_of
from hffm_opt.scenario.model import CLOUD, Scenario
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.trace.model import RoundRecord

Gains = Mapping[tuple[str, str], tuple[str, float]]
"""Band and gain of links, by (source, target)."""
STEADY = 1e-6
"""Relative difference of gains that is rounding, and no fading."""


def link_gains(problem: Problem, plan: Plan, entries: Iterable[LedgerEntry]) -> Gains:
    """Return band and effective gain of every radio link over which a plan's transfers went, by (source, target).

    Args:
        problem: the network, for payloads and noise.
        plan: the plan that was carried out in all the rounds of the entries.
        entries: ledger entries.
    """
    top = top_kind(plan.circulation)
    cells = {cell.edge.name: (cell, cell_plan) for cell, cell_plan in zip(problem.cells, plan.cells, strict=True)}
    payload = dict(zip(problem.modules, problem.payload_bit, strict=True))
    sums: defaultdict[tuple[str, str, str, float, float], list[float]] = defaultdict(lambda: [0.0, 0.0])
    arcs: dict[tuple[str, str, int], Mapping[tuple[str, str], Arc]] = {}
    for entry in entries:
        if entry.event not in TREES or CLOUD in (entry.source, entry.target) or entry.seconds <= 0:
            continue
        cell, cell_plan = cells[entry.cell]
        key = (entry.cell, entry.event, kind_of_round(entry.round, top))
        if key not in arcs:
            tree = getattr(cell_plan.rounds[key[2]], entry.event)
            own = tree is not None and tree.uplink_charge == "own"
            arcs[key] = {(arc.source, arc.target): arc for arc in tree.arcs} if own else {}
        arc = arcs[key].get((entry.source, entry.target))
        if arc is None or arc.bandwidth_hz is None or arc.power_w is None:
            continue
        queued = sum(payload.get(name, 0.0) for name in entry.modules.split())
        bits = queued if problem.published else entry.charged_bits
        place = sums[band_of(cell, arc.source, arc.target), arc.source, arc.target, arc.bandwidth_hz, arc.power_w]
        place[0] += bits
        place[1] += entry.seconds
    found: defaultdict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for (band, source, target, width, power), (bits, seconds) in sums.items():
        gain = float(np.expm1(bits / (seconds * width) * np.log(2))) * problem.noise_w_per_hz * width / power
        found[source, target].append((band, gain))
    return {link: (each[0][0], float(np.mean([gain for _, gain in each]))) for link, each in found.items()}


def fading_of_bands(problem: Problem, gains: Gains) -> dict[str, float]:
    """Return per band the geometric mean of effective over believed gains; 1 where they agree up to rounding."""
    cells = {name: cell for cell in problem.cells for name in cell.names}
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    for (source, target), (band, gain) in gains.items():
        cell = cells[source if source in cells else target]
        believed = gain_of(cell, source, target)
        if believed > 0 and gain > 0:
            ratios[band].append(float(np.log(gain / believed)))
    means = {band: float(np.exp(np.mean(each))) for band, each in ratios.items()}
    return {band: 1.0 if abs(mean - 1.0) < STEADY else mean for band, mean in means.items()}


def with_fading(problem: Problem, conditions: Conditions, factors: Mapping[str, float]) -> Conditions:
    """Return conditions with all links of each band scaled."""
    if all(factor == 1.0 for factor in factors.values()):
        return conditions
    gains = factor_of_link(conditions.gains)
    for cell in problem.cells:
        nodes = (*cell.names, cell.edge.name)
        for source in nodes:
            for target in nodes:
                if source != target:
                    factor = factors.get(band_of(cell, source, target), 1.0)
                    gains[source, target] = gains.get((source, target), 1.0) * factor
    return conditions.model_copy(update={"gains": gains_of(dict(sorted(gains.items())))})


def measured_divergence(scenario: Scenario, rounds: Sequence[RoundRecord]) -> tuple[ModuleDivergence, ...]:
    """Return the modules' divergences as measured so far, on the scenario's scale; none before they were measured."""
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for record in rounds:
        for module, measured in record.divergence.items():
            found[module].append((measured.within, measured.between))
    squares = {module: np.mean(each, axis=0) for module, each in found.items()}
    given = {module.name: module for module in scenario.modules if module.name in squares}
    stated = sum(m.divergence_within**2 + m.divergence_between**2 for m in given.values())
    seen = float(sum(pair.sum() for pair in squares.values()))
    if stated <= 0 or seen <= 0:
        return ()
    scale = stated / seen
    return tuple(
        ModuleDivergence(
            module=module.name,
            within=float(np.sqrt(scale * squares[module.name][0])),
            between=float(np.sqrt(scale * squares[module.name][1])),
        )
        for module in scenario.modules
        if module.name in squares
    )
