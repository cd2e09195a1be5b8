"""The referee: latency, energy, learning penalty and feasibility of any plan, whoever made it.

No solver's word is taken: heuristics, exact methods and the execution ledger are all held against this evaluation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.circulation import Tier, drift, hands_in, kind_of_round, tiers, top_kind
from hffm_opt.plan.limits import limit_violations
from hffm_opt.plan.model import Plan
from hffm_opt.plan.rounds import RoundCost, round_cost
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats


@dataclass(frozen=True)
class Breakdown:
    """Per-round energies in J by cell, by band (with ``compute``) and by module, bits by band, busy seconds by cell."""

    energy_by_cell_j: dict[str, float]
    energy_by_band_j: dict[str, float]
    energy_by_module_j: dict[str, float]
    bits_by_band: dict[str, float]
    busy_by_cell_s: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What a plan costs per round (cycle value / rounds of the cycle) and which limits it breaks."""

    feasible: bool
    latency_s: float
    energy_j: float
    drift: float
    bits: float
    cycle_rounds: int
    violations: tuple[Finding, ...]
    breakdown: Breakdown


@dataclass(frozen=True, eq=False)
class KindCosts:
    """Costs of every kind of round (rows 0..K, one more for a collection) in every cell (columns)."""

    top: int
    before_s: Floats
    after_s: Floats
    energy_j: Floats
    bits: Floats
    meets: tuple[bool, ...]
    rounds: tuple[tuple[RoundCost, ...], ...]


def check_plan(problem: Problem, plan: Plan) -> None:
    """Refuse a plan that is not for this problem, or not complete.

    Raises:
        InputError: with the place and the repair.
    """
    if plan.scenario.fingerprint != problem.fingerprint:
        raise InputError.one(
            "scenario.fingerprint",
            f"the plan was made for scenario '{plan.scenario.name}' ({plan.scenario.fingerprint[:12]}), "
            f"not for '{problem.scenario.name}' ({problem.fingerprint[:12]}) as it stands now",
            "plan this scenario anew, or give the scenario that the plan was made for",
        )
    named = [c.module for c in plan.circulation]
    if named != list(problem.modules):
        unknown = sorted(set(named) - set(problem.modules))
        what = f"unknown module '{unknown[0]}'" if unknown else "a module is missing, doubled or out of order"
        raise InputError.one("circulation", what, f"list these modules in this order: {', '.join(problem.modules)}")
    if [c.edge for c in plan.cells] != [c.edge.name for c in problem.cells]:
        raise InputError.one(
            "cells",
            "the plan's cells are not the scenario's",
            f"list: {', '.join(c.edge.name for c in problem.cells)}",
        )
    kinds = top_kind(plan.circulation) + 1
    for i, (cell_plan, cell) in enumerate(zip(plan.cells, problem.cells, strict=True)):
        if set(cell_plan.devices) != set(cell.names) or len(cell_plan.devices) != cell.size:
            raise InputError.one(f"cells[{i}].devices", "not the devices that this edge serves", "list them all, once")
        if len(cell_plan.rounds) != kinds:
            raise InputError.one(
                f"cells[{i}].rounds",
                f"{len(cell_plan.rounds)} kinds of round, the periods make {kinds}",
                "give each",
            )
        if not hands_in(problem, plan.circulation) and cell_plan.collection is not None:
            raise InputError.one(
                f"cells[{i}].collection",
                "only the published arithmetic, for a plan that never reaches the cloud, has a collection",
                "remove it",
            )
        if hands_in(problem, plan.circulation) and cell_plan.collection is None:
            raise InputError.one(
                f"cells[{i}].collection",
                "the published arithmetic ends a run that never reaches the cloud with a collection",
                "give the round that hands in the result",
            )


def kind_costs(problem: Problem, plan: Plan) -> KindCosts:
    """Return what every kind of round costs every cell."""
    problem = problem_for(problem, plan)
    check_plan(problem, plan)
    top = top_kind(plan.circulation)
    levels = [tiers(plan.circulation, kind) for kind in range(top + 1)]
    rows = []
    for kind, level in enumerate(levels):
        rows.append(
            tuple(
                round_cost(problem, cell, cell_plan.rounds[kind], level, f"cells[{i}].rounds[{kind}]")
                for i, (cell, cell_plan) in enumerate(zip(problem.cells, plan.cells, strict=True))
            )
        )
    meets = [bool((level == Tier.CLOUD).any()) for level in levels]
    if hands_in(problem, plan.circulation):
        handed_in = np.full(len(problem.modules), int(Tier.CLOUD))
        last = []
        for i, (cell, cell_plan) in enumerate(zip(problem.cells, plan.cells, strict=True)):
            assert cell_plan.collection is not None
            last.append(round_cost(problem, cell, cell_plan.collection, handed_in, f"cells[{i}].collection", True))
        rows.append(tuple(last))
        meets.append(True)
    return KindCosts(
        top=top,
        before_s=np.array([[c.before_s for c in row] for row in rows]),
        after_s=np.array([[c.after_s for c in row] for row in rows]),
        energy_j=np.array([[sum(c.tally.energies()) for c in row] for row in rows]),
        bits=np.array([[sum(c.tally.bits_by_band.values()) for c in row] for row in rows]),
        meets=tuple(meets),
        rounds=tuple(rows),
    )


def cycle_kinds(problem: Problem, plan: Plan) -> list[int]:
    """Return the kinds of the rounds of one cycle, in order (the collection's kind is K + 1)."""
    top = top_kind(plan.circulation)
    if hands_in(problem, plan.circulation):
        assert problem.scenario.physics.reference is not None
        length = problem.scenario.physics.reference.collection_rounds
        return [*(kind_of_round(k, top) for k in range(1, length)), top + 1]
    return [kind_of_round(k, top) for k in range(1, (1 << top) + 1)]


def walk(
    rounds: Sequence[tuple[KindCosts, int]],
    afterwards: Mapping[int, Floats] | None = None,
    together: Mapping[int, float] | None = None,
) -> float:
    """Return the seconds of a sequence of rounds, each with its costs and kind: cells meet at cloud events only.

    ``afterwards`` maps a round (from 1) to the seconds [cells] that each cell spends after it, ``together`` to those
    for which all cells meet right after its averages.
    """
    if not rounds:
        return 0.0
    total, elapsed = 0.0, np.zeros(rounds[0][0].before_s.shape[1])
    for number, (costs, kind) in enumerate(rounds, start=1):
        elapsed = elapsed + costs.before_s[kind]
        if costs.meets[kind]:
            total += float(elapsed.max()) + float(costs.after_s[kind].max())
            elapsed = np.zeros_like(elapsed)
        if together and number in together:
            total += float(elapsed.max()) + together[number]
            elapsed = np.zeros_like(elapsed)
        if afterwards and number in afterwards:
            elapsed = elapsed + afterwards[number]
    return total + float(elapsed.max())


def evaluate_plan(problem: Problem, plan: Plan, max_drift: float | None = None) -> Evaluation:
    """Judge a plan: latency and energy per round, their breakdown, and every violated limit.

    Args:
        problem: the compiled scenario.
        plan: any plan made for it.
        max_drift: limit on Phi in place of the scenario's ``drift_max`` (``inf`` lifts it).

    Returns:
        The evaluation. ``feasible`` is false when a limit is violated by more than 1e-6 relative.

    Raises:
        InputError: the plan is malformed or made for another scenario.

    Example:
        >>> import hffm_opt
        >>> round(hffm_opt.evaluate("paper", hffm_opt.plan("paper", method="star").plan).latency_s, 4)
        12.1
    """
    problem = problem_for(problem, plan)
    costs = kind_costs(problem, plan)
    kinds = cycle_kinds(problem, plan)
    length = len(kinds)
    counts = Counter(kinds)
    violations = tuple(limit_violations(problem, plan, max_drift))
    return Evaluation(
        feasible=not violations,
        latency_s=walk([(costs, kind) for kind in kinds]) / length,
        energy_j=float(sum(n * costs.energy_j[k].sum() for k, n in counts.items())) / length,
        drift=drift(problem, plan.circulation),
        bits=float(sum(n * costs.bits[k].sum() for k, n in counts.items())) / length,
        cycle_rounds=length,
        violations=violations,
        breakdown=_breakdown(problem, costs, counts, length),
    )


def _breakdown(problem: Problem, costs: KindCosts, counts: Counter[int], length: int) -> Breakdown:
    bands: defaultdict[str, float] = defaultdict(float)
    bits: defaultdict[str, float] = defaultdict(float)
    modules = np.zeros(len(problem.modules))
    cells = np.zeros(len(problem.cells))
    busy = np.zeros(len(problem.cells))
    for kind, times in counts.items():
        share = times / length
        cells += share * costs.energy_j[kind]
        busy += share * (costs.before_s[kind] + costs.after_s[kind])
        for cost in costs.rounds[kind]:
            modules += share * cost.tally.energy_by_module
            for band, value in cost.tally.energy_by_band.items():
                bands[band] += share * value
            for band, value in cost.tally.bits_by_band.items():
                bits[band] += share * value
    names = [cell.edge.name for cell in problem.cells]
    return Breakdown(
        energy_by_cell_j=dict(zip(names, cells.tolist(), strict=True)),
        energy_by_band_j=dict(bands),
        energy_by_module_j=dict(zip(problem.modules, modules.tolist(), strict=True)),
        bits_by_band={band: value for band, value in bits.items() if band != "compute"},
        busy_by_cell_s=dict(zip(names, busy.tolist(), strict=True)),
    )
