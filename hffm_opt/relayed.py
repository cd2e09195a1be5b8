"""Training while devices start tasks: plan, train, copy the modules that are lacking, plan anew, train on.

A run is a sequence of phases, each an ordinary run with a plan and a measurement of its own. Between two phases the
requests of that round are granted: their modules are copied as a relaying plan says, and nobody trains until the last
copy has come.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hffm_opt.asked import ScenarioLike, check_seed, problem_of, request_of
from hffm_opt.cores import usable_cores
from hffm_opt.errors import InputError
from hffm_opt.plan.holders import relaying_problem
from hffm_opt.plan.model import Plan, ScenarioReference
from hffm_opt.plan.module_relaying import RelayingPlan, RelayingPlans, evaluate_relaying
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.serving import problem_for
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.requests import asked_after, granted, request_rounds
from hffm_opt.serial import dump_json, read_model, write_text
from hffm_opt.trace.relaying import RELAYING, RELAYING_PLAN, RelayingTrace

if TYPE_CHECKING:
    from hffm_opt.learning.continued import Continued, Watch
    from hffm_opt.measurement import Measurement
    from hffm_opt.report.run import Run
    from hffm_opt.trace import AccuracyRecord, RoundRecord


@dataclass(frozen=True)
class RelayedRun:
    """The phases of a run, and the relaying between each two of them: its plan, and what it did."""

    phases: tuple[Run, ...]
    plans: tuple[RelayingPlan, ...]
    relayings: tuple[RelayingTrace, ...]

    def summary(self) -> dict[str, Any]:
        """Return the accuracies at the end and the costs of the whole, as JSON values."""
        last = self.phases[-1].measurement
        parts: list[Measurement | RelayingTrace] = [run.measurement for run in self.phases]
        parts += self.relayings
        costs = ("latency_s", "energy_j", "bits")
        return {
            "accuracy": last.accuracy,
            "baseline": last.baseline,
            "predicted": {name: sum(getattr(part.predicted, name) for part in parts) for name in costs},
            "measured": {name: sum(getattr(part.measured, name) for part in parts) for name in costs},
            "phases": [run.measurement.model_dump(mode="json") for run in self.phases],
            "relaying": [
                trace.model_dump(mode="json", exclude={"ledger"})
                | {"transfers": plan.model_dump(mode="json")["transfers"]}
                for plan, trace in zip(self.plans, self.relayings, strict=True)
            ],
        }


def states_of(scenario: Scenario) -> list[tuple[int, Scenario]]:
    """Return the rounds after which requests are granted, each with the scenario just before, requests included.

    Raises:
        InputError: the scenario has no requests.
    """
    if scenario.requests is None:
        raise InputError.one("requests", "the scenario has no requests", "add the section 'requests'")
    found, now = [], scenario
    for number in request_rounds(scenario):
        found.append((number, now))
        now = granted(now, asked_after(scenario, number)).model_copy(update={"requests": scenario.requests})
    return found


def plan_requests(
    scenario: ScenarioLike,
    *,
    method: str = "optimal",
    training: str = "optimal",
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> RelayingPlans:
    """Plan the copying of all modules that a scenario's requests ask for.

    Args:
        scenario: a scenario with requests, or a path.
        method: a method of relaying (``optimal``, ``best-fit``, ``nearest-holder``, ``cloud-global``,
            ``random-neighbour``, ``scratch``).
        training: the method whose training plan runs until then; it decides which averages are held where.
        gap, time_limit: when ``optimal`` may stop, for each event.
        seed: for methods that draw, and that of the training, for the devices' laws of answers.
        progress: told what the planning of the training is doing.

    Raises:
        InputError: bad scenario or argument.
        InfeasibleError: nobody holds a module, or no path brings it in time; says what would.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> from hffm_opt.scenario.requests import ModuleRequest, Requests
        >>> asked = ModuleRequest(device="device-0-1", task="shapes", samples=16, round=2, deadline_s=1.0)
        >>> tiny = load_scenario("tiny").model_copy(update={"requests": Requests(asked=(asked,))})
        >>> plan_requests(tiny, training="h-fedfm-2").events[0].status
        'optimal'
    """
    from hffm_opt.solvers.module_relaying import GAP, plan_relaying
    from hffm_opt.solvers.registry import solve
    from hffm_opt.solvers.request import Request

    check_seed(seed)
    given = problem_of(scenario).scenario
    events, before = [], 0
    for number, now in states_of(given):
        problem = build_problem(now)
        plan = solve(problem, training, request_of(problem, time_limit=time_limit, seed=seed), progress).plan
        wanted = relaying_problem(problem, plan, number, seed, ran=number - before)
        before = number
        limit = Request.time_limit_s if time_limit is None else time_limit
        events.append(
            plan_relaying(wanted, plan, method, seed=seed, gap=GAP if gap is None else gap, time_limit_s=limit)
        )
    feasible = all(event.status != "infeasible" for event in events)
    reference = ScenarioReference(name=given.name, fingerprint=given.fingerprint())
    return RelayingPlans(scenario=reference, method=method, feasible=feasible, events=tuple(events))


def load_relaying(path: str | Path) -> RelayingPlans:
    """Read the relaying plans that ``hffm plan S --for requests -o`` wrote.

    Raises:
        InputError: missing file, broken JSON, another kind of file, or a plan with faults; all faults at once.
    """
    return read_model(Path(path), RelayingPlans, "relaying plan")


def train_requests(
    scenario: ScenarioLike,
    *,
    rounds: int,
    method: str = "optimal",
    relaying: str | RelayingPlans = "optimal",
    seed: int = 0,
    evaluate_every: int | None = None,
    max_drift: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
    on_round: Callable[[RoundRecord, tuple[AccuracyRecord, ...]], None] | None = None,
    watch: Watch | None = None,
) -> RelayedRun:
    """Train a scenario with requests: really copy the modules that devices lack, and train on.

    Args:
        scenario: a scenario with requests, or a path.
        rounds: how many rounds in all; more than the round of the last request.
        method: plans the training of every phase.
        relaying: plans the copying, or the plans to run.
        seed: root of every random stream.
        evaluate_every, max_drift, gap, time_limit, overwrite, progress, on_round: as :func:`hffm_opt.train`.
        out: directory to keep ``phase-0``, ``phase-1``, ... in, each a run directory, with ``relaying-plan.json`` and
            ``relaying.json`` in those that a relaying ends.
        watch: told of every round what training and the averages have left.

    Raises:
        InputError, InfeasibleError, LimitReachedError: as :func:`hffm_opt.train` and :func:`plan_requests`.

    Example:
        >>> from hffm_opt.bench.overhead import with_samples
        >>> from hffm_opt.scenario.read import load_scenario
        >>> from hffm_opt.scenario.requests import ModuleRequest, Requests
        >>> asked = ModuleRequest(device="device-0-1", task="shapes", samples=4, round=1, deadline_s=1.0)
        >>> tiny = with_samples(load_scenario("tiny"), 4, 4).model_copy(update={"requests": Requests(asked=(asked,))})
        >>> (copied,) = train_requests(tiny, rounds=2, method="h-fedfm-2").relayings
        >>> [copy.module for copy in copied.copies], copied.measured.bits == copied.predicted.bits
        (['head-shapes'], True)
    """
    from hffm_opt import loop
    from hffm_opt.learning.continued import Continued, data_before
    from hffm_opt.learning.execution import Execution
    from hffm_opt.learning.run import train_plan
    from hffm_opt.solvers.module_relaying import check_method
    from hffm_opt.solvers.registry import solve

    check_seed(seed)
    if isinstance(relaying, str):
        check_method(relaying, "--relaying")
    given = problem_of(scenario).scenario
    stops = states_of(given)
    ends = [number for number, _ in stops]
    _refuse(given, rounds, ends[-1])
    assert given.requests is not None
    final = granted(given, given.requests.asked)
    lengths = [b - a for a, b in zip([0, *ends], [*ends, rounds], strict=True)]
    scenarios = [now.model_copy(update={"requests": None}) for _, now in stops] + [final]
    directories = [None if out is None else Path(out) / f"phase-{k}" for k in range(len(scenarios))]
    for directory in sorted({*filter(None, directories), *(() if out is None else Path(out).glob("phase-*"))}):
        loop.claim_directory(directory, overwrite)

    def planner(problem: Problem) -> Outcome:
        asked = request_of(problem, max_drift=max_drift, gap=gap, time_limit=time_limit, seed=seed)
        return solve(problem, method, asked, progress)

    # All is planned before anything is trained: what cannot be is told before a run is overwritten.
    problems = [build_problem(phase) for phase in scenarios]
    outcomes = [planner(problem) for problem in problems]
    for problem, outcome in zip(problems, outcomes, strict=True):
        loop.refuse_impossible(problem_for(problem, outcome.plan), outcome.plan)
    plans = [
        _relaying_of(build_problem(now), outcome.plan, number, length, relaying, seed)
        for (number, now), outcome, length in zip(stops, outcomes, lengths, strict=False)
    ]
    phases: list[Run] = []
    traces: list[RelayingTrace] = []
    link = Continued(data_of=data_before(final), watch=watch)
    for k, (problem, length, directory) in enumerate(zip(problems, lengths, directories, strict=True)):
        link.phase = k
        executor = partial(
            train_plan,
            rounds=length,
            seed=seed,
            evaluate_every=evaluate_every,
            progress=on_round,
            threads=usable_cores(),
            directory=directory,
            execution=Execution(),
            continued=link,
        )
        run = loop.run_once(problem, partial(_planned, outcomes[k]), executor, directory)
        if out is not None and k == 0:
            _forget(Path(out), directories)
        phases.append(run)
        if not run.trace.complete or k == len(stops):
            break
        traces.append(_carry_out(build_problem(stops[k][1]), plans[k], run.plan, link, seed))
        if directory is not None:
            write_text(directory / RELAYING_PLAN, dump_json(plans[k]))
            write_text(directory / RELAYING, dump_json(traces[k]))
    return RelayedRun(tuple(phases), tuple(plans[: len(traces)]), tuple(traces))


def _planned(outcome: Outcome, _problem: Problem) -> Outcome:
    return outcome


def _refuse(scenario: Scenario, rounds: int, last: int) -> None:
    """Raise :class:`InputError` where a run in phases cannot be; requests are granted up to round ``last``."""
    if scenario.changes is not None:
        message = "rounds begin anew after each request, and changes count them throughout"
        raise InputError.one("changes", message, "leave the changes or the requests out")
    if rounds <= last:
        message = f"requests are granted after round {last}, which is not before round {rounds}, the last"
        raise InputError.one("--rounds", message, f"give at least {last + 1}")


def _forget(out: Path, directories: Sequence[Path | None]) -> None:
    """Remove what an overwritten run has left behind the first phase, so that no report takes it for this run's."""
    for old in out.glob("phase-*"):
        if old == directories[0]:
            for name in (RELAYING, RELAYING_PLAN):
                (old / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(old, ignore_errors=True)


def _relaying_of(
    problem: Problem, training: Plan, number: int, length: int, relaying: str | RelayingPlans, seed: int
) -> RelayingPlan:
    """Return the plan of the requests after a round, which is round ``length`` of the training plan in force.

    Raises:
        InputError: the plan that is given breaks a limit, or is for something else.
        InfeasibleError, LimitReachedError: as :func:`plan_requests`.
    """
    from hffm_opt.solvers.module_relaying import plan_relaying

    if isinstance(relaying, RelayingPlans):
        plan = relaying.after(number)
        if plan is None:
            message = f"the plan says nothing about the requests after round {number}"
            raise InputError.one("--plan", message, "plan anew: hffm plan S --for requests")
        broken = evaluate_relaying(problem, plan, training).violations
        if broken:
            raise InputError(broken)
        return plan
    return plan_relaying(relaying_problem(problem, training, number, seed, ran=length), training, relaying, seed=seed)


def _carry_out(problem: Problem, plan: RelayingPlan, training: Plan, link: Continued, seed: int) -> RelayingTrace:
    """Copy the modules, and leave the states for the next phase to start with."""
    from hffm_opt.learning.modules import initial_model
    from hffm_opt.learning.relaying import deliver

    assert link.left is not None
    done = deliver(problem, plan, training, link.modules, link.left, link.averages, initial_model(link.modules, seed))
    link.start = done.states
    return done.trace
