"""Accuracy at equal energy: experts trained where the placement says, at random, and by everyone.

Everyone trains every expert for some rounds; what that takes in joules is the budget of the other two, who run as many
rounds as it pays for. All train by the same method of planning, and every device is tested with the experts that it
trains, right after an average at the cloud.
"""

from __future__ import annotations

from statistics import fmean

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.plan.placement import placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.solvers.placement import PLACEMENT_METHODS, plan_placement

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
    for seed in setting.seeds:
        scenario = network(seed, setting.quick)
        assert scenario.specialise is not None
        placing = placement_problem(build_problem(scenario), seed)
        free = scenario.specialise.model_copy(update={"experts_per_device": None})
        whole = placement_problem(build_problem(scenario.model_copy(update={"specialise": free})), seed)
        budget_j = None
        for method in ("everyone", *(name for name in PLACEMENT_METHODS if name != "everyone")):
            tell(f"{method}, seed {seed}")
            plan = plan_placement(whole if method == "everyone" else placing, method, seed=seed, gap=GAP)
            placed = specialised(scenario, plan.hosts)
            training = api.plan(placed, method=METHOD)
            rounds = QUICK_ROUNDS if setting.quick else ROUNDS
            if budget_j is None:
                budget_j = training.energy_j * rounds
            rounds = int(budget_j / training.energy_j * (1 + 1e-9))
            run = api.train(placed, training, rounds=rounds, seed=seed)
            accuracy = run.measurement.accuracy
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
                    "energy_j": run.measurement.measured.energy_j,
                    "latency_s": run.measurement.measured.latency_s,
                    "accuracy": fmean(accuracy.values()),
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
            "accuracy is the mean over tasks, of every device that owns the task, with the experts that it trains.",
        ),
        table=tuple(_mean(rows, method) for method in dict.fromkeys(row["method"] for row in rows)),
    )


def _budget(rows: list[Row], seed: int) -> float:
    return next(float(row["energy_j"]) for row in rows if row["seed"] == seed and row["method"] == "everyone")


def _mean(rows: list[Row], method: str) -> Row:
    mine = [row for row in rows if row["method"] == method]
    return {"method": method} | {
        name: fmean(row[name] for row in mine)
        for name in ("rounds", "J a round", "energy_j", "latency_s", "misfit", "accuracy")
    }
