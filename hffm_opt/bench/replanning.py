"""Whether replanning pays: drawn changes of a network, met by a plan that stays and by one that is looked at.

Nothing is trained: what counts are seconds and joules, weighed as the scenario weighs them, for as much training: a
round in which half of the samples train counts as half a round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.loop.closed import ClosedLoop
from hffm_opt.loop.rehearsal import Rehearsal, rehearse
from hffm_opt.loop.static import StaticCourse
from hffm_opt.looping import goal_of, loop_gap, replanner
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.changes import Changes, DrawnChanges
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.request import Request, default_request
from hffm_opt.steps import Step

ROUNDS, EVERY, PER_ROUND = 64, 8, 0.1
QUICK_ROUNDS, QUICK_PER_ROUND = 24, 0.4
LASTING = 1e6
"""Mean length of a change in rounds: what happens, stays."""
LOSS_DB = 30.0
NETWORKS, QUICK_NETWORKS = ("tiny", "paper"), ("tiny",)
BETTER, TIME_LIMIT_S = 0.9, 60.0


def run(setting: Setting, tell: Progress) -> Findings:
    """Meet drawn changes, and none at all, on every network."""
    networks = (*(QUICK_NETWORKS if setting.quick else NETWORKS), *setting.scenarios)
    rows: list[Row] = []
    cases = [(name, seed) for name in networks for seed in (*setting.seeds, None)]
    for done, (name, seed) in enumerate(cases):
        tell(Step(f"{name}, {'no change' if seed is None else f'seed {seed}'}", done=done, total=len(cases)))
        rows.append(_case(name, seed, setting.quick))
    return Findings(
        rows=tuple(rows),
        stopping_rule=(
            f"{ROUNDS} rounds, a look every {EVERY}; plans to a gap of 1e-3, or 1e-2 where allocation is free, "
            f"or {TIME_LIMIT_S:g} s"
        ),
        targets=tuple(_targets(rows)),
        remarks=(
            f"{PER_ROUND:g} changes a round on average, for good: fades of up to {LOSS_DB:g} dB, failing links, slow "
            "processors, devices that leave",
            "saved: share of the weighed seconds and joules for as much training; replanning is charged to the loop",
        ),
    )


def _case(name: str, seed: int | None, quick: bool) -> Row:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    drawn = DrawnChanges(
        seed=seed or 0,
        rounds=rounds,
        per_round=QUICK_PER_ROUND if quick else PER_ROUND,
        mean_rounds=LASTING,
        loss_db=LOSS_DB,
    )
    changes = Changes(drawn=drawn if seed is not None else None)
    scenario = load_scenario(name).model_copy(update={"changes": changes})
    problem = build_problem(scenario)
    gap = loop_gap(problem)
    request = default_request(scenario, gap=gap, time_limit_s=TIME_LIMIT_S)
    plan = api.plan(scenario, gap=gap, time_limit=TIME_LIMIT_S).plan
    still = rehearse(plan, rounds, StaticCourse(problem))
    course = ClosedLoop(problem, plan, rounds, goal_of(request, EVERY), replanner("optimal", request))
    looked_at = rehearse(plan, rounds, course)
    static, loop = (_value(request, each, rounds) for each in (still, looked_at))
    return {
        "scenario": name,
        "seed": seed,
        "rounds": rounds,
        "looks": len(looked_at.looks),
        "replans": len(looked_at.revisions),
        "static": static,
        "loop": loop,
        "saved": 1.0 - loop / static,
        "cost_of_replanning": sum(look.cost for look in looked_at.looks if look.adopted),
        "predicted_saving": sum(look.saving or 0.0 for look in looked_at.looks if look.adopted),
        "static_taught": still.taught,
        "loop_taught": looked_at.taught,
    }


def _value(request: Request, rehearsal: Rehearsal, rounds: int) -> float:
    """Return the weighed cost of as much training as ``rounds`` rounds of full participation are worth."""
    weights, cost = request.weights(), rehearsal.cost
    return (weights[0] * cost.latency_s + weights[1] * cost.energy_j) * rounds / rehearsal.taught


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    changed = [row for row in rows if row["seed"] is not None]
    for name in dict.fromkeys(row["scenario"] for row in changed):
        mine = [row for row in changed if row["scenario"] == name]
        better = sum(row["loop"] < row["static"] for row in mine) / len(mine)
        yield Target(
            f"{name}: share of cases that end better than the static plan", f"{BETTER:g}", better, better >= BETTER
        )
        excess = max(row["loop"] - row["static"] - row["cost_of_replanning"] for row in mine)
        what = f"{name}: most by which a loop ends worse than the static plan, beyond the cost of replanning"
        yield Target(what, "0", excess, excess <= 1e-9)
    idle = sum(row["replans"] for row in rows if row["seed"] is None)
    yield Target("replans where nothing changes", "0", float(idle), idle == 0)
