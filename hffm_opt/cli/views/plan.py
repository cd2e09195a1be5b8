"""A plan with its certificate, its calendar of averages and its routes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from hffm_opt.cli import screen
from hffm_opt.cli.figures import bits, figure, seconds
from hffm_opt.cli.views.proof import proof_of
from hffm_opt.cli.views.tables import facts, table, titled
from hffm_opt.errors import Finding
from hffm_opt.plan.accuracy import curve_of, target_out_of_reach
from hffm_opt.plan.circulation import Circulation, Tier, drift, kind_of_round, tiers, top_kind
from hffm_opt.plan.model import CellPlan, Plan, RoundPlan, Tree
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import KindCosts, evaluate_plan, kind_costs
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem.model import Problem

LONGEST_CALENDAR = 32
SHOWN_CELLS = 12
SYMBOLS = {Tier.LOCAL: ("·", "dim"), Tier.D2D: ("D", "cyan"), Tier.EDGE: ("E", "green"), Tier.CLOUD: ("C", "bold blue")}
LEGEND = "· stays local   D averaged at the cluster's head   E at the edge server   C at the cloud"


def goal_in_words(outcome: Outcome) -> str:
    """Return the objective as a formula in words."""
    if outcome.target is not None:
        unit = "seconds" if outcome.objective_name == "time-to-accuracy" else "joules"
        return f"the {unit} of all rounds to an accuracy of {outcome.target:g}"
    if outcome.objective_name != "weighted":
        return f"{outcome.objective_name} per round"
    named = zip(outcome.weights, ("latency in s", "energy in J", "Phi"), strict=True)
    return " + ".join(f"{weight:g} × {name}" for weight, name in named if weight) + " per round"


def plan_view(
    problem: Problem,
    outcome: Outcome,
    max_drift: float | None = None,
    max_latency: float | None = None,
    max_energy: float | None = None,
) -> Iterator[RenderableType]:
    """Yield what people want to know of a plan: certificate, figures, calendar, kinds of rounds, routes."""
    problem = problem_for(problem, outcome.plan)
    costs = kind_costs(problem, outcome.plan)
    yield certificate(outcome)
    if not outcome.feasible:
        yield Group(*broken_limits(problem, outcome, max_drift, max_latency, max_energy))
    yield figures(problem, outcome, max_drift)
    yield calendar(problem, outcome.plan.circulation)
    yield kinds_of_rounds(outcome.plan, costs)
    yield routes(outcome.plan, costs)


def certificate(outcome: Outcome) -> RenderableType:
    """Return what is proven about a plan, in plain words."""
    head = Text.assemble(
        (outcome.method, "bold"), f" on {outcome.plan.scenario.name}, minimising {goal_in_words(outcome)}"
    )
    if outcome.bound is not None and outcome.objective is not None:
        proof = proof_of(outcome.objective, outcome.bound, outcome.gap)
    elif outcome.feasible:
        proof = Text.assemble(
            ("No proof: ", "bold yellow"),
            f"this plan costs {figure(outcome.objective, 6)} and follows a rule; "
            "'hffm compare' holds it against a proven bound.",
        )
    else:
        proof = Text("Not feasible: this plan breaks a limit.", style="bold red")
    lines = [head, proof, Text(f"Stopped: {outcome.stop_reason}, after {seconds(outcome.seconds)}.")]
    if outcome.optimised:
        lines.append(Text(f"Optimised: {', '.join(outcome.optimised)}. Held fixed: {', '.join(outcome.fixed)}."))
    return Group(*lines)


def broken_limits(
    problem: Problem,
    outcome: Outcome,
    max_drift: float | None,
    max_latency: float | None,
    max_energy: float | None,
) -> Iterator[RenderableType]:
    """Yield the limits, of the scenario and of the request, that a plan breaks."""
    yield from map(screen.finding_text, evaluate_plan(problem, outcome.plan, max_drift).violations)
    asked = (
        ("--max-latency", "s", outcome.latency_s, max_latency),
        ("--max-energy", "J", outcome.energy_j, max_energy),
    )
    for option, unit, value, limit in asked:
        if limit is not None and value > limit:
            text = f"{figure(value, 6)} {unit} per round, above the limit of {limit:g} {unit}"
            yield screen.finding_text(Finding(option, text, "use the method 'optimal', or allow more"))
    if outcome.target is not None:
        missed = target_out_of_reach(curve_of(problem), outcome.target, outcome.drift)
        if missed is not None:
            yield screen.finding_text(missed)


def figures(problem: Problem, outcome: Outcome, max_drift: float | None) -> RenderableType:
    """Return the referee's figures per round, and those of all rounds to the target where one is aimed at."""
    verdict = evaluate_plan(problem, outcome.plan, math.inf)
    limit = problem.scenario.planning.drift_max if max_drift is None else max_drift
    within = "no limit" if limit is None or math.isinf(limit) else f"limit {figure(limit, 4)}"
    return facts(
        {
            "latency per round": f"{figure(outcome.latency_s)} s",
            "energy per round": f"{figure(outcome.energy_j)} J",
            "moved per round": bits(verdict.bits),
            "learning penalty Phi": f"{figure(drift(problem, outcome.plan.circulation), 4)} ({within})",
        }
        | to_target(outcome)
    )


def to_target(outcome: Outcome) -> dict[str, str]:
    """Return the rounds to the target and what they take in all; nothing where no accuracy is aimed at."""
    if outcome.target is None:
        return {}
    rounds = outcome.rounds_to_target
    told = {f"rounds to accuracy {outcome.target:g}": "never" if rounds is None else figure(rounds, 4)}
    if rounds is None:
        return told
    return told | {"in all": f"{figure(rounds * outcome.latency_s)} s, {figure(rounds * outcome.energy_j)} J"}


def calendar(problem: Problem, circulation: Circulation) -> RenderableType:
    """Return where each module is averaged in each round of a cycle."""
    top = top_kind(circulation)
    length = 1 << top
    made = table("averages of", right=("size",))
    rounds = range(1, length + 1) if length <= LONGEST_CALENDAR else [1 << kind for kind in range(top + 1)]
    for number in rounds:
        made.add_column(str(number), justify="center", no_wrap=True)
    for index, item in enumerate(circulation):
        levels = (Tier(int(tiers(circulation, kind_of_round(number, top))[index])) for number in rounds)
        cells = [Text(*SYMBOLS[level]) for level in levels]
        made.add_row(item.module, bits(float(problem.payload_bit[index])), *cells)
    return titled(
        f"Averages in each of the {length} rounds of a cycle" if top else "Averages in every round", made, LEGEND
    )


def kinds_of_rounds(plan: Plan, costs: KindCosts) -> RenderableType:
    """Return what each kind of round does and costs."""
    made = table("rounds", "what moves", right=("slowest cell s", "energy J", "moved"))
    for kind in range(costs.top + 1):
        level = tiers(plan.circulation, kind)
        moves = [
            f"{item.module} {SYMBOLS[Tier(int(tier))][0]}"
            for item, tier in zip(plan.circulation, level, strict=True)
            if tier != Tier.LOCAL
        ]
        made.add_row(
            _which_rounds(kind, costs.top),
            ", ".join(moves) or "nothing",
            figure(float((costs.before_s[kind] + costs.after_s[kind]).max())),
            figure(float(costs.energy_j[kind].sum())),
            bits(float(costs.bits[kind].sum())),
        )
    return titled("Kinds of rounds", made)


def _which_rounds(kind: int, top: int) -> str:
    step = 1 << kind
    if kind == top:
        return f"{step}, {2 * step}, {3 * step}, ..."
    return f"{step}, {3 * step}, {5 * step}, ..."


def routes(plan: Plan, costs: KindCosts) -> RenderableType:
    """Return how the devices of each cell, or of the slowest of many, reach the head, the edge or the cloud."""
    made = table("cell", "devices", "to the head", "to the edge or cloud")
    slowest_first = np.argsort(-(costs.before_s + costs.after_s).max(axis=0), kind="stable")
    shown = sorted(slowest_first[:SHOWN_CELLS])
    for cell in (plan.cells[c] for c in shown):
        at_head = _distinct(_gathering(item) for item in cell.rounds)
        above = _distinct(_uplink(cell, item) for item in cell.rounds)
        made.add_row(cell.edge, str(len(cell.devices)), at_head, above)
    left = len(plan.cells) - len(shown)
    more = f"the slowest cells; {left} more are in the plan: -o FILE, or --json" if left else None
    return titled("Routes", made, more)


def _distinct(texts: Iterator[str | None]) -> str:
    return "\n".join(Counter(text for text in texts if text is not None)) or "-"


def _gathering(item: RoundPlan) -> str | None:
    return None if item.gather is None else f"{item.head}, {_shape(item.gather)}"


def _uplink(cell: CellPlan, item: RoundPlan) -> str | None:
    if item.uplink is None:
        return None
    last = [arc.source for arc in item.uplink.arcs if arc.target not in cell.devices]
    relayed = len(item.uplink.arcs) - len(last)
    if not relayed:
        return f"{len(last)} uplinks" if len(last) > 1 else f"uplink of {last[0]}"
    return f"through {', '.join(last)}; {_shape(item.uplink)}"


def _shape(tree: Tree) -> str:
    """Return how many transmissions a tree has, and how many of its devices relay."""
    relays = {arc.target for arc in tree.arcs} & {arc.source for arc in tree.arcs}
    links = f"{len(tree.arcs)} link{'s' if len(tree.arcs) != 1 else ''}"
    if not relays:
        return links
    way = "summing" if tree.relay == "sum" else "forwarding"
    return f"{links}, {len(relays)} {way} relay{'s' if len(relays) != 1 else ''}"
