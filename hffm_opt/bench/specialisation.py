"""Accuracy at equal energy: experts trained where the placement says, at random, and by everyone.

Everyone trains every expert for some rounds; what that takes in joules is the budget of the other two, who run as many
rounds as it pays for. All train by the same method of planning. Every device is tested after an average at the cloud:
with the experts that it trains, and with all after it has fetched the others once.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.cores import usable_cores
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.placement import PlacementPlan, placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.solvers.placement import PLACEMENT_METHODS, plan_placement
from hffm_opt.steps import pieces

if TYPE_CHECKING:
    from hffm_opt.trace import Trace

ROUNDS, QUICK_ROUNDS = 9, 2
METHOD = "h-fedfm-1"
GAP = 1e-3


def network(seed: int, quick: bool) -> Scenario:
    """Return ``m3t`` with experts that are yet to be placed, one a device."""
    scenario = load_scenario("m3t")
    share = 4 if quick else 2
    devices = tuple(
        device.model_copy(
            update={"experts": None, "samples": {task: count // share for task, count in device.samples.items()}}
        )
        for device in scenario.devices
    )
    questions = 12 if quick else 80
    return scenario.model_copy(
        update={
            "seed": seed,
            "devices": devices,
            "tasks": tuple(task.model_copy(update={"test_samples": questions}) for task in scenario.tasks),
            "specialise": Specialise(experts_per_device=1, edge_memory_bit=1e6, misfit_weight=0.1),
        }
    )


def run(setting: Setting, tell: Progress) -> Findings:
    """Train all placements once per seed."""
    rows: list[Row] = []
    begin = pieces(tell, len(setting.seeds) * len(PLACEMENT_METHODS))
    for seed in setting.seeds:
        scenario = network(seed, setting.quick)
        assert scenario.specialise is not None
        placing = placement_problem(build_problem(scenario), seed)
        free = scenario.specialise.model_copy(update={"experts_per_device": None})
        whole = placement_problem(build_problem(scenario.model_copy(update={"specialise": free})), seed)
        budget_j = None
        for method in ("everyone", *(name for name in PLACEMENT_METHODS if name != "everyone")):
            begin(f"{method}, seed {seed}")
            plan = plan_placement(whole if method == "everyone" else placing, method, seed=seed, gap=GAP)
            placed = specialised(scenario, plan.hosts)
            training = api.plan(placed, method=METHOD)
            rounds = QUICK_ROUNDS if setting.quick else ROUNDS
            if budget_j is None:
                budget_j = training.energy_j * rounds
            rounds = int(budget_j / training.energy_j * (1 + 1e-9))
            problem = build_problem(placed)
            trace, accuracy, fetched = _trained(problem, training, plan, rounds, seed)
            rows.append(
                {
                    "seed": seed,
                    "method": method,
                    "status": plan.status,
                    "objective": plan.objective,
                    "bound": plan.bound,
                    "misfit": plan.misfit,
                    "rounds": rounds,
                    "J a round": training.energy_j,
                    "energy_j": trace.ledger.total("joules"),
                    "latency_s": trace.rounds[-1].end_s,
                    "accuracy": fmean(accuracy.values()),
                    "accuracy, fetched": fmean(fetched.values()),
                    "price of fetches a round": plan.transfer,
                    **{f"accuracy {task}": value for task, value in accuracy.items()},
                }
            )
    over = [row for row in rows if row["energy_j"] > (1 + 1e-6) * _budget(rows, row["seed"])]
    unproven = [row for row in rows if row["method"] == "optimal" and row["status"] != "optimal"]
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"rounds until the energy of everyone's is spent; 'optimal' stops at a gap of {GAP:g}",
        targets=(
            Target("runs over the budget of energy", "none", float(len(over)), not over),
            Target("placements of 'optimal' that were not proven", "none", float(len(unproven)), not unproven),
        ),
        remarks=(
            "accuracy is the mean over tasks, of every device that owns the task, with the experts that it trains; "
            "with fetches: with all, after one fetch, whose energy is not in the budget.",
        ),
        table=tuple(_mean(rows, method) for method in dict.fromkeys(row["method"] for row in rows)),
    )


def _trained(
    problem: Problem, training: Outcome, plan: PlacementPlan, rounds: int, seed: int
) -> tuple[Trace, dict[str, float], dict[str, float]]:
    """Return the trace, and the mean accuracy per task of its owners, with their own experts and with all of them."""
    from hffm_opt.learning.backbones import load_backbone
    from hffm_opt.learning.continued import Continued
    from hffm_opt.learning.evaluate import Evaluator
    from hffm_opt.learning.fetching import fetch
    from hffm_opt.learning.modules.module import head_name
    from hffm_opt.learning.run import train_plan

    seen: list[Any] = []
    link = Continued(watch=lambda run, *_: seen.append(run))
    trace = train_plan(problem, training.plan, rounds, seed, threads=usable_cores(), continued=link)
    assert link.left is not None
    done = fetch(problem, plan, link.modules, link.left, rounds)
    backbone, data = load_backbone(problem.scenario.learning.backbone), seen[-1].data
    whole = Evaluator(backbone, data, link.modules, owners=done.owners, threads=usable_cores())

    def mean(evaluator: Evaluator, states: Any, task: str) -> float:
        owners = np.flatnonzero(problem.owners[:, problem.modules.index(head_name(task))]).tolist()
        return fmean(accuracy.value for accuracy in evaluator.evaluate(states, task, owners))

    own = {task: mean(seen[-1].evaluator, link.left, task) for task in data.tasks}
    return trace, own, {task: mean(whole, done.states, task) for task in data.tasks}


def _budget(rows: list[Row], seed: int) -> float:
    return next(float(row["energy_j"]) for row in rows if row["seed"] == seed and row["method"] == "everyone")


def _mean(rows: list[Row], method: str) -> Row:
    mine = [row for row in rows if row["method"] == method]
    return {"method": method} | {
        name: fmean(row[name] for row in mine)
        for name in ("rounds", "J a round", "energy_j", "latency_s", "misfit", "accuracy", "accuracy, fetched")
    }
