"""A newcomer's start: one network trains, then each method's modules are copied and the newcomer trains alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hffm_opt.bench.model import Row
from hffm_opt.cores import usable_cores
from hffm_opt.plan.holders import relaying_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.heterogeneity import device_law
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests, granted
from hffm_opt.solvers.module_relaying import RELAYING_METHODS, plan_relaying
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request

if TYPE_CHECKING:
    from hffm_opt.learning.continued import Watch

NEWCOMER, TASK = 1, "shapes"
SHARE_OF_BEST = 0.9


def network(seed: int, quick: bool) -> Scenario:
    """Return ``tiny`` with a device that holds nothing and starts a task, of few answers each and unevenly spread.

    Edge servers average every round and the cloud every fourth, so that edge servers hold their cell's average of the
    last round, and the cloud one that is three rounds old.
    """
    scenario = load_scenario("tiny").model_copy(update={"seed": seed})
    more = 1 if quick else 2
    devices = [
        device.model_copy(update={"samples": {task: count * more for task, count in device.samples.items()}})
        for device in scenario.devices
    ]
    devices[NEWCOMER] = devices[NEWCOMER].model_copy(update={"samples": dict.fromkeys(devices[NEWCOMER].samples, 0)})
    asked = ModuleRequest(
        device=devices[NEWCOMER].name, task=TASK, samples=32, round=5 if quick else 7, deadline_s=10.0
    )
    questions = 24 if quick else 150
    return scenario.model_copy(
        update={
            "devices": tuple(devices),
            "tasks": tuple(
                task.model_copy(update={"test_samples": questions, "dirichlet_alpha": 0.3}) for task in scenario.tasks
            ),
            "requests": Requests(asked=(asked,), misfit_weight=10.0, stale_weight=0.02),
        }
    )


def _following(curve: list[float], accuracy: Callable[[Any], float]) -> Watch:
    """Return what appends every round's accuracy to a curve."""

    def watch(_run: object, _number: int, states: Any, _result: object) -> None:
        curve.append(accuracy(states))

    return watch


def start_rows(seed: int, quick: bool) -> Iterator[Row]:
    """Yield one row a method: accuracy at once and at the end, and what it took to the target."""
    from hffm_opt.learning.continued import Continued, data_before
    from hffm_opt.learning.modules import initial_model
    from hffm_opt.learning.relaying import deliver
    from hffm_opt.learning.run import train_plan

    scenario = network(seed, quick)
    assert scenario.requests is not None
    (request,) = scenario.requests.asked
    final = granted(scenario, [request])
    data_of = data_before(final)
    seen: list[Any] = []
    before = Continued(data_of=data_of, watch=lambda run, *_: seen.append(run))
    problem = build_problem(scenario)
    training = solve(problem, "h-fedfm-4", default_request(scenario)).plan
    train_plan(problem, training, request.round, seed, threads=usable_cores(), continued=before)
    evaluator, test = seen[-1].evaluator, seen[-1].data.tasks[TASK].test
    law = device_law(seed, TASK, NEWCOMER, final.tasks[1].answers, final.tasks[1].dirichlet_alpha)
    weight = law[test.answers] / np.bincount(test.answers, minlength=len(law))[test.answers]
    weight /= weight.sum()

    def accuracy(states: Any) -> float:
        return float(evaluator.worth(states, TASK, NEWCOMER) @ weight)

    # The others rest: what the newcomer learns alone tells starts apart, and what they do changes nothing of it.
    resting = [
        device if u == NEWCOMER else device.model_copy(update={"samples": dict.fromkeys(device.samples, 0)})
        for u, device in enumerate(final.devices)
    ]
    alone = build_problem(final.model_copy(update={"devices": tuple(resting)}))
    local = solve(alone, "local", default_request(alone.scenario)).plan
    wanted = relaying_problem(problem, training, request.round, seed)
    found = []
    for method in RELAYING_METHODS:
        plan = plan_relaying(wanted, training, method, seed=seed)
        start = initial_model(before.modules, seed)
        assert before.left is not None
        done = deliver(problem, plan, training, before.modules, before.left, before.averages, start)
        curve = [accuracy(done.states)]
        after = Continued(data_of, done.states, 1, watch=_following(curve, accuracy))
        trace = train_plan(alone, local, 2 if quick else 8, seed, threads=usable_cores(), continued=after)
        told, measured = done.trace.predicted, done.trace.measured
        off = max(abs(measured.latency_s - told.latency_s), abs(measured.energy_j - told.energy_j))
        found.append((method, plan, curve, trace, off))
    target = SHARE_OF_BEST * max(max(curve) for _, _, curve, _, _ in found)
    for method, plan, curve, trace, off in found:
        rounds = next((k for k, value in enumerate(curve) if value >= target), None)
        spent = [(0.0, 0.0), *((r.end_s, r.energy_j) for r in trace.rounds)]
        sources = ", ".join(f"{t.module} from {t.source or 'scratch'}" for t in plan.transfers)
        yield {
            "part": "start",
            "seed": seed,
            "method": method,
            "sources": sources,
            "target": target,
            "at_once": curve[0],
            "at_end": curve[-1],
            "rounds": rounds,
            "s": None if rounds is None else plan.latency_s + spent[rounds][0],
            "J": None if rounds is None else plan.energy_j + sum(joules for _, joules in spent[: rounds + 1]),
            "copied_s": plan.latency_s,
            "copied_J": plan.energy_j,
            "ledger_off": off / max(plan.latency_s, plan.energy_j, 1e-300),
        }
