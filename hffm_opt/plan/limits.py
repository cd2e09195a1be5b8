"""Every limit that a plan must keep, checked in physical units: links, powers, bands, CPU ranges, relaying, drift."""

from __future__ import annotations

from collections.abc import Iterator

from hffm_opt.errors import Finding
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import OUTWARD, TREES, Arc, Plan, RoundPlan, Tree
from hffm_opt.plan.nominal import band_of, gain_of, power_cap_w
from hffm_opt.plan.relaying import relaying_violations
from hffm_opt.problem.model import Cell, Problem
from hffm_opt.scenario.model import CLOUD

TOLERANCE = 1e-6


def _above(value: float, limit: float) -> bool:
    return value > limit * (1 + TOLERANCE)


def _differs(value: float, given: float) -> bool:
    return abs(value - given) > TOLERANCE * given


def limit_violations(problem: Problem, plan: Plan, max_drift: float | None = None) -> Iterator[Finding]:
    """Yield every violated limit of a well-formed plan with its place and repair."""
    limit = problem.scenario.planning.drift_max if max_drift is None else max_drift
    penalty = drift(problem, plan.circulation)
    if limit is not None and _above(penalty, limit):
        yield Finding(
            "circulation",
            f"drift Phi = {penalty:.6g} exceeds drift_max = {limit:.6g}",
            "average modules more often, or raise drift_max",
        )
    for i, (cell, cell_plan) in enumerate(zip(problem.cells, plan.cells, strict=True)):
        rounds = [(f"rounds[{k}]", r) for k, r in enumerate(cell_plan.rounds)]
        if cell_plan.collection is not None:
            rounds.append(("collection", cell_plan.collection))
        for name, round_plan in rounds:
            yield from _round_violations(problem, cell, round_plan, f"cells[{i}].{name}")


def _round_violations(problem: Problem, cell: Cell, plan: RoundPlan, path: str) -> Iterator[Finding]:
    for j, name in zip(cell.members, cell.names, strict=True):
        frequency = plan.cpu_hz[name]
        low, high = float(problem.cpu_min_hz[j]), float(problem.cpu_max_hz[j])
        fixed = problem.fixed_allocation and _differs(frequency, high)
        if frequency < low * (1 - TOLERANCE) or _above(frequency, high) or fixed:
            allowed = f"{high:.6g}" if problem.fixed_allocation else f"{low:.6g} to {high:.6g}"
            yield Finding(f"{path}.cpu_hz.{name}", f"{frequency:.6g} Hz", f"allowed: {allowed} Hz")
    for kind in TREES:
        tree: Tree | None = getattr(plan, kind)
        if tree is not None:
            yield from _tree_violations(problem, cell, tree, f"{path}.{kind}")
            yield from relaying_violations(problem, cell, tree, kind in OUTWARD, f"{path}.{kind}")


def link_limits(problem: Problem, cell: Cell, arc: Arc) -> tuple[str, float, float, float]:
    """Return band, gain, power cap in W and bandwidth in Hz of an arc."""
    band = band_of(cell, arc.source, arc.target)
    gain = gain_of(cell, arc.source, arc.target)
    cap = power_cap_w(problem, cell, arc.source, arc.target)
    return band, gain, cap, float(getattr(cell.edge, f"{band}_bandwidth_hz"))


def _tree_violations(problem: Problem, cell: Cell, tree: Tree, path: str) -> Iterator[Finding]:
    physics = problem.scenario.physics
    if tree.uplink_charge == "mean" and not problem.published:
        yield Finding(f"{path}.uplink_charge", "'mean' is the published arithmetic's alone", "use 'own'")
    used: dict[str, float] = {}
    for i, arc in enumerate(tree.arcs):
        where = f"{path}.arcs[{i}]"
        if CLOUD in (arc.source, arc.target):
            if arc.bandwidth_hz is not None or arc.power_w is not None:
                yield Finding(where, "the direct link's band and power are given, not chosen", "set both to null")
            continue
        band, gain, cap, width = link_limits(problem, cell, arc)
        assert arc.bandwidth_hz is not None and arc.power_w is not None  # `index_tree` refuses such an arc.
        if gain <= 0:
            yield Finding(where, f"no link from {arc.source} to {arc.target}", "relay through another device")
        if _above(arc.power_w, cap) or (problem.fixed_allocation and _differs(arc.power_w, cap)):
            word = "fixed at" if problem.fixed_allocation else "at most"
            yield Finding(f"{where}.power_w", f"{arc.power_w:.6g} W", f"{word} {cap:.6g} W")
        if problem.fixed_allocation and _differs(arc.bandwidth_hz, width):
            yield Finding(f"{where}.bandwidth_hz", f"{arc.bandwidth_hz:.6g} Hz", f"fixed at {width:.6g} Hz")
        if getattr(physics, f"{band}_sharing") == "shared":
            used[band] = used.get(band, 0.0) + arc.bandwidth_hz
        elif _above(arc.bandwidth_hz, width):
            yield Finding(f"{where}.bandwidth_hz", f"{arc.bandwidth_hz:.6g} Hz", f"at most {width:.6g} Hz")
    for band, total in used.items():
        budget = getattr(cell.edge, f"{band}_bandwidth_hz")
        if _above(total, budget):
            yield Finding(f"{path}.arcs", f"{total:.6g} Hz of the {band} band", f"use at most {budget:.6g} Hz in all")
