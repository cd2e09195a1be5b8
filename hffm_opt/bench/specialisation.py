"""Accuracy at equal energy: experts trained where the placement says, at random, and by everyone.

Everyone trains every expert for some rounds; what that takes in joules is the budget of the other two, who run as many
rounds as it pays for, their fetches included. All train by the same method of planning. Every device is tested at the
end of the run, after an average at the cloud: with the experts that it trains, and with those too that it fetched last.

Two settings. ``small experts`` is the built-in mixture: most of a round's energy goes into the frozen backbone and the
backhaul, over which a cell sends each expert once, however many of its devices train it. ``large experts`` is where
specialists should gain: twice as many experts of twice the width make nine tenths of what is trained, uplinks are
narrow, so that energy goes mostly into what each device sends itself, and every device has data of one task. Placements
count misfit and mixing alike; one row shows what comes of leaving mixing out.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from hffm_opt import api
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.cores import usable_cores
from hffm_opt.plan.fetching import Fetching, fetch_cost
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.placement import placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.builtin.divergence import independent_devices
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.specialise import Specialise, specialised
from hffm_opt.solvers.placement import GAP, PLACEMENT_METHODS, plan_placement
from hffm_opt.steps import pieces

if TYPE_CHECKING:
    from hffm_opt.trace import Trace

ROUNDS, QUICK_ROUNDS = 8, 2
FETCH_ROUNDS, QUICK_FETCH_ROUNDS = 4, 2
QUICK_DEVICES = (0, 3, 4, 5)  # two of each cell, which have all tasks between them
METHOD = "h-fedfm-1"
WEIGHTS = {"misfit_weight": 0.1, "mixing_weight": 0.1}
UNMIXED = "optimal, mixing free"
NARROW_HZ = 2e4
"""Uplink band of a device of ``large experts``, a fiftieth of the built-in one."""


def small_experts(seed: int, quick: bool) -> Scenario:
    """Return ``m3t`` with experts that are yet to be placed, one a device."""
    scenario = load_scenario("m3t")
    share, every = (8, QUICK_FETCH_ROUNDS) if quick else (2, FETCH_ROUNDS)
    devices = tuple(
        device.model_copy(
            update={"experts": None, "samples": {task: count // share for task, count in device.samples.items()}}
        )
        for u, device in enumerate(scenario.devices)
        if not quick or u in QUICK_DEVICES
    )
    questions = 6 if quick else 80
    return scenario.model_copy(
        update={
            "seed": seed,
            "devices": devices,
            "tasks": tuple(task.model_copy(update={"test_samples": questions}) for task in scenario.tasks),
            "specialise": Specialise(experts_per_device=1, edge_memory_bit=1e6, fetch_rounds=every, **WEIGHTS),
        }
    )


def large_experts(seed: int, quick: bool) -> Scenario:
    """Return the network with narrow uplinks, one task a device, and eight wide experts of which each trains two.

    Its quick form has the built-in experts, which need not be counted anew.
    """
    scenario = small_experts(seed, quick)
    names = [task.name for task in scenario.tasks]
    modalities = tuple(dict.fromkeys(name for task in scenario.tasks for name in task.modalities))
    devices = tuple(
        device.model_copy(
            update={
                "modalities": modalities,
                "samples": {name: (4 if quick else 30) * (name == names[u % len(names)]) for name in names},
            }
        )
        for u, device in enumerate(scenario.devices)
    )
    edges = tuple(edge.model_copy(update={"uplink_bandwidth_hz": NARROW_HZ}) for edge in scenario.edges)
    every = QUICK_FETCH_ROUNDS if quick else FETCH_ROUNDS
    section = Specialise(experts_per_device=2, edge_memory_bit=1e7, fetch_rounds=every, **WEIGHTS)
    scenario = scenario.model_copy(update={"devices": devices, "edges": edges, "specialise": section})
    return scenario if quick else _with_experts(scenario, count=8, width=32)


def _with_experts(scenario: Scenario, count: int, width: int) -> Scenario:
    """Return the scenario with a mixture of so many experts of a width, its modules counted anew."""
    from hffm_opt.learning.backbones import load_backbone
    from hffm_opt.learning.card import count_card

    assert scenario.learning.parts is not None
    parts = tuple(
        part.model_copy(update={"count": count, "width": width}) if part.part == "experts" else part
        for part in scenario.learning.parts
    )
    learning = scenario.learning.model_copy(update={"parts": parts})
    card = count_card(load_backbone(learning.backbone), learning.adapter_width, scenario.tasks, parts)
    modules = independent_devices(card.modules, len(scenario.devices) // len(scenario.edges))
    return scenario.model_copy(update={"learning": learning, "modules": modules})


SETTINGS: dict[str, Callable[[int, bool], Scenario]] = {"small experts": small_experts, "large experts": large_experts}


def run(setting: Setting, tell: Progress) -> Findings:
    """Train all placements once per setting and seed."""
    rows: list[Row] = []
    asked = [(name, seed, method) for name in SETTINGS for seed in setting.seeds for method in _methods(name, setting)]
    begin, scenarios = pieces(tell, len(asked)), dict[tuple[str, int], Scenario]()
    for name, seed, method in asked:
        begin(f"{name}: {method}, seed {seed}")
        scenario = scenarios.get((name, seed)) or SETTINGS[name](seed, setting.quick)
        scenarios[name, seed] = scenario
        budget_j = None if method == "everyone" else _budget(rows, name, seed)
        row = _row(scenario, method, seed, QUICK_ROUNDS if setting.quick else ROUNDS, budget_j)
        rows.append({"setting": name, "seed": seed, "method": method, **row})
    over = [row for row in rows if row["energy_j"] > (1 + 1e-6) * _budget(rows, row["setting"], row["seed"])]
    unproven = [row for row in rows if row["method"] in ("optimal", UNMIXED) and row["status"] != "optimal"]
    return Findings(
        rows=tuple(rows),
        stopping_rule=f"rounds until the energy of everyone's is spent; 'optimal' stops at a gap of {GAP:g}",
        targets=(
            Target("runs over the budget of energy", "none", float(len(over)), not over),
            Target("placements of 'optimal' that were not proven", "none", float(len(unproven)), not unproven),
        ),
        remarks=(
            "accuracy is the mean over tasks, of every device that owns the task, with the experts that it trains; "
            "fetched: with those too that it fetched last.",
            f"J a round is that of training and averages; fetches come every {FETCH_ROUNDS} rounds and are in "
            "the budget. 'everyone' is held against no limit; 'mixing free' leaves out which devices share an expert.",
        ),
        table=tuple(_mean(rows, name, method) for name in SETTINGS for method in _methods(name, setting)),
    )


def _row(scenario: Scenario, method: str, seed: int, rounds: int, budget_j: float | None) -> Row:
    """Place, plan and train by a method: as many rounds as the budget pays for, or ``rounds`` without one."""
    section = scenario.specialise
    assert section is not None
    if method == "everyone":
        section = section.model_copy(update={"experts_per_device": None})
    if method == UNMIXED:
        section, method = section.model_copy(update={"mixing_weight": 0.0}), "optimal"
    scenario = scenario.model_copy(update={"specialise": section})
    plan = plan_placement(placement_problem(build_problem(scenario), seed), method, seed=seed)
    placed = specialised(scenario, plan.hosts)
    training, problem, fetching = (
        api.plan(placed, method=METHOD),
        build_problem(placed),
        plan.fetching(section.fetch_rounds),
    )
    once_j = 0.0 if fetching is None else fetch_cost(problem, fetching).joules
    if budget_j is not None:
        rounds = _affordable(budget_j * (1 + 1e-9), training.energy_j, once_j, section.fetch_rounds)
    trace, accuracy, fetched = _trained(problem, training, fetching, rounds, seed)
    return {
        "status": plan.status,
        "objective": plan.objective,
        "bound": plan.bound,
        "misfit": plan.misfit,
        "mixing": plan.mixing,
        "rounds": rounds,
        "J a round": training.energy_j,
        "J a fetch": once_j,
        "energy_j": trace.ledger.total("joules"),
        "latency_s": trace.rounds[-1].end_s,
        "accuracy": fmean(accuracy.values()),
        "accuracy, fetched": fmean(fetched.values()),
        **{f"accuracy {task}": value for task, value in accuracy.items()},
        **{f"accuracy {task}, fetched": value for task, value in fetched.items()},
    }


def _affordable(budget_j: float, round_j: float, fetch_j: float, every: int) -> int:
    """Return the most rounds that a budget pays for, with a fetch after every so many.

    >>> _affordable(10.0, 1.0, 0.0, 4), _affordable(10.0, 1.0, 2.0, 4), _affordable(10.0, 1.0, 3.0, 4)
    (10, 7, 7)
    """
    rounds = 1
    while (rounds + 1) * round_j + (rounds + 1) // every * fetch_j <= budget_j:
        rounds += 1
    return rounds


def _trained(
    problem: Problem, training: Outcome, fetching: Fetching | None, rounds: int, seed: int
) -> tuple[Trace, dict[str, float], dict[str, float]]:
    """Return the trace, and the mean accuracy per task of its owners, with their own experts and with fetched ones."""
    from hffm_opt.learning.continued import Continued
    from hffm_opt.learning.modules.module import head_name
    from hffm_opt.learning.run import train_plan

    seen: list[Any] = []
    link = Continued(watch=lambda run, *_: seen.append(run))
    threads = usable_cores()
    trace = train_plan(
        problem, training.plan, rounds, seed, after_only=True, threads=threads, continued=link, fetching=fetching
    )
    assert link.left is not None
    last = seen[-1]
    served = last.served if fetching is not None and rounds >= fetching.every else last.evaluator

    def mean(evaluator: Any, task: str) -> float:
        owners = np.flatnonzero(problem.owners[:, problem.modules.index(head_name(task))]).tolist()
        return fmean(accuracy.value for accuracy in evaluator.evaluate(link.left, task, owners))

    own, all_of_them = ({task: mean(each, task) for task in last.data.tasks} for each in (last.evaluator, served))
    return trace, own, all_of_them


def _methods(name: str, setting: Setting) -> tuple[str, ...]:
    """Return the rows of a setting: all methods, and where experts are large what the term of mixing is worth."""
    others = [method for method in PLACEMENT_METHODS if method != "everyone"]
    return ("everyone", *others, *([UNMIXED] if name == "large experts" and not setting.quick else []))


def _budget(rows: list[Row], name: str, seed: int) -> float:
    same = (name, seed, "everyone")
    return next(float(row["energy_j"]) for row in rows if (row["setting"], row["seed"], row["method"]) == same)


def _mean(rows: list[Row], setting: str, method: str) -> Row:
    mine = [row for row in rows if (row["setting"], row["method"]) == (setting, method)]
    costs = ("rounds", "J a round", "J a fetch", "energy_j", "latency_s")
    figures = (*costs, "misfit", "mixing", "accuracy", "accuracy, fetched")
    return {"setting": setting, "method": method} | {name: fmean(row[name] for row in mine) for name in figures}
