"""The closed loop as one call: plan, train, measure, revise, and plan again where that pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hffm_opt.asked import ScenarioLike, check_seed, check_target, problem_of, request_of
from hffm_opt.cores import usable_cores
from hffm_opt.errors import InputError
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Objective, Outcome
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.training import execution_of, followers_of

if TYPE_CHECKING:
    from hffm_opt.loop.left import WhatIsLeft
    from hffm_opt.report.run import Run
    from hffm_opt.solvers.request import Request
    from hffm_opt.trace import AccuracyRecord, RoundRecord, Trace
    from hffm_opt.trace.metrics import Follower
    from hffm_opt.trace.model import Goal

Progress = Callable[[str], None]
GAP_FIXED, GAP_ALLOCATED = 1e-3, 1e-2
"""Gaps at which plans of a loop stop by default, where links are given and where they are chosen."""


def run_loop(
    scenario: ScenarioLike,
    *,
    rounds: int,
    replan_every: int = 8,
    method: str = "optimal",
    objective: Objective = "weighted",
    target: float | None = None,
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    max_drift: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    evaluate_every: int | None = None,
    after_only: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    checkpoint_every: int = 1,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    max_memory_bytes: int | None = None,
    progress: Progress | None = None,
    on_round: Callable[[RoundRecord, tuple[AccuracyRecord, ...]], None] | None = None,
    tensorboard: bool = False,
    tell: Progress | None = None,
) -> Run:
    """Train as planned while the network changes, look at the plan now and then, and change it where that pays.

    What happens to the network is the scenario's ``changes``. A look compares what is left of the run under the plan in
    force with what would be left under the best plan for what is known by then; the new plan takes over if it saves
    more than telling the devices of it costs (see docs/closed-loop.md).

    Args:
        scenario: a scenario, a built-in name or a path.
        rounds: how many rounds to train.
        replan_every: rounds from one look to the next; devices that come, go, are cut off or change speed bring
            one forward.
        method: makes the first plan and all that follow.
        objective: as :func:`hffm_opt.plan`; what is left of a run is weighed by it.
        target: the mean accuracy over tasks that ``time-to-accuracy`` and ``energy-to-accuracy`` aim at. The learning
            curve that they need is refitted to the run's own accuracies at every look.
        latency_weight, energy_weight, max_drift, gap, time_limit, progress: for planning, as :func:`hffm_opt.plan`.
        seed, evaluate_every, after_only, out, overwrite, resume, checkpoint_every, device, precision, max_memory_bytes,
            tensorboard, on_round: for training, as :func:`hffm_opt.train`. Every look evaluates.
        tell: told what looks find, and before the start how much memory the run will take.

    Returns:
        The run: its trace has every look, its measurement every change of plan with what it saved.

    Raises:
        InputError, InfeasibleError, LimitReachedError: as :func:`hffm_opt.train`. A look that finds no plan keeps the
            one in force.

    Example:
        >>> run = run_loop("tiny", rounds=4, replan_every=2, method="star")
        >>> [(look.round, look.adopted) for look in run.trace.looks]
        [(3, False)]
    """
    from hffm_opt import loop
    from hffm_opt.loop.closed import ClosedLoop
    from hffm_opt.loop.resume import begun_loop
    from hffm_opt.placed import placed

    check_seed(seed)
    check_target(objective, target)
    if replan_every < 1:
        raise InputError.one("--replan-every", f"{replan_every} is below 1", "give a whole number of at least 1")
    execution = execution_of(device, precision, tensorboard, out)
    problem, directory = problem_of(scenario), None if out is None else Path(out)
    where = placed(problem.scenario, None, seed, directory if resume else None)
    problem = problem_of(where.scenario) if where.plan else problem
    _refuse_unfit(problem.scenario)
    request = request_of(
        problem,
        objective=objective,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        max_drift=max_drift,
        gap=loop_gap(problem) if gap is None else gap,
        time_limit=time_limit,
        seed=seed,
        target=target,
    )
    goal = goal_of(request, replan_every)
    begun = None
    if resume:
        begun, finished = begun_loop(problem, directory, overwrite, rounds, seed, precision, goal)
        if finished is not None:
            return finished
    elif directory is not None:
        loop.claim_directory(directory, overwrite)

    def planner(problem: Problem) -> Outcome:
        from hffm_opt.solvers.registry import solve

        return begun if begun is not None else solve(problem, method, request, progress)

    def executor(
        problem: Problem, plan: Plan, *, begin: Callable[[], None] | None, followers: tuple[Follower, ...] = ()
    ) -> Trace:
        from hffm_opt.learning.run import train_plan

        again = replanner(method, request, progress)
        return train_plan(
            problem,
            plan,
            rounds=rounds,
            seed=seed,
            evaluate_every=evaluate_every,
            after_only=after_only,
            progress=on_round,
            threads=usable_cores(),
            directory=directory,
            resume=resume,
            checkpoint_every=checkpoint_every,
            execution=execution,
            max_memory_bytes=max_memory_bytes,
            tell=tell,
            course=ClosedLoop(problem, plan, rounds, goal, again, tell or (lambda _: None)),
            fetching=where.fetching,
            begin=begin,
            followers=followers,
        )

    with followers_of(directory, tensorboard) as followers:
        return loop.run_once(problem, planner, partial(executor, followers=followers), directory, resume, where.plan)


def _refuse_unfit(scenario: Scenario) -> None:
    """Raise :class:`InputError` where a scenario asks for what goes by one plan only."""
    one_plan = "leave it out, or train with one plan: hffm train"
    if scenario.learning.realign_every is not None:
        message = "neurons are realigned in rounds in which all adapters meet, and plans of a loop may move these"
        raise InputError.one("learning.realign_every", message, one_plan)
    if scenario.requests is not None:
        raise InputError.one("requests", "they change who trains what during the run", one_plan)


def loop_gap(problem: Problem) -> float:
    """Return the gap at which plans of a loop stop by default."""
    return GAP_FIXED if problem.fixed_allocation else GAP_ALLOCATED


def goal_of(request: Request, replan_every: int) -> Goal:
    """Return the goal of a loop that plans by a request."""
    from hffm_opt.trace.model import Goal

    return Goal(
        objective=request.objective,
        weights=request.weights(),
        target=request.target if request.aims_at_accuracy else None,
        looks_every=replan_every,
    )


def replanner(
    method: str, request: Request, progress: Progress | None = None
) -> Callable[[Problem, Plan, WhatIsLeft], Outcome]:
    """Return what plans a network anew by a method, for what is left of a run.

    Args:
        method: the method's name.
        request: what the first plan was asked for; circulations are searched from that of the plan in force on.
        progress: told what a search is doing.
    """

    def replan(problem: Problem, plan: Plan, left: WhatIsLeft) -> Outcome:
        from hffm_opt.solvers.registry import solve

        # Devices stay with their edges during a run.
        planning = problem.scenario.planning.model_copy(update={"association": None})
        held = replace(problem, scenario=problem.scenario.model_copy(update={"planning": planning}))
        asked = replace(request, start=plan.circulation)
        if request.aims_at_accuracy:
            per_round: Objective = "latency" if request.objective == "time-to-accuracy" else "energy"
            asked = (
                replace(asked, curve=left.curve)
                if left.curve is not None
                else replace(asked, objective=per_round, target=None, curve=None)
            )
        return solve(held, method, asked, progress)

    return replan
