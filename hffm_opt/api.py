"""The functions of the top level: the stages of the pipeline, one call each.

Heavy libraries load inside the call that needs them: planning never imports torch, evaluating never a solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from hffm_opt.asked import ScenarioLike, check_numbers, problem_of, request_of
from hffm_opt.comparison import Comparison, Own, Row, compare_methods
from hffm_opt.errors import InputError
from hffm_opt.looping import run_loop
from hffm_opt.placed import PlacementLike, placed
from hffm_opt.plan.files import PlanLike, load_outcome, load_plan, plan_of
from hffm_opt.plan.outcome import Objective, Outcome
from hffm_opt.plan.referee import Evaluation, evaluate_plan
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.training import train

if TYPE_CHECKING:
    from hffm_opt.plan.front import ParetoFront

Progress = Callable[[str], None]
LEAST_POINTS, MOST_POINTS = 2, 50

__all__ = [
    "Comparison",
    "Row",
    "compare",
    "evaluate",
    "load_outcome",
    "load_plan",
    "pareto",
    "plan",
    "run_loop",
    "train",
]


def plan(
    scenario: ScenarioLike,
    *,
    method: str = "optimal",
    objective: Objective = "weighted",
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    max_latency: float | None = None,
    max_energy: float | None = None,
    max_drift: float | None = None,
    circulation: str | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    target: float | None = None,
    curve: LearningCurve | None = None,
    placement: PlacementLike | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Plan a scenario and return the plan with its certificate.

    Args:
        scenario: a scenario, a built-in name or a path.
        method: a baseline's name or ``optimal``.
        objective: ``weighted`` (weights per round, the scenario's where not given), ``latency`` or ``energy`` per
            round; ``time-to-accuracy`` or ``energy-to-accuracy``: in all, for the rounds to the target.
        latency_weight: weight per second of latency per round.
        energy_weight: weight per joule of energy per round.
        max_latency: limit on the latency per round in s.
        max_energy: limit on the energy per round in J.
        max_drift: limit on the learning penalty Phi in place of the scenario's (``math.inf`` lifts it).
        circulation: a baseline's name, to hold its circulation fixed.
        gap: relative gap at which the search may stop.
        time_limit: wall-clock limit in s.
        seed: for the methods that draw, here and for ``placement``.
        target: accuracy in (0, 1) that the last two objectives aim at.
        curve: gives the rounds to the target at a plan's Phi; the scenario's where not given, else the default.
        placement: where the scenario asks for specialisation, plan it as it is once its experts are placed so (a
            placement, its file, or the method that makes one); as it stands where not given.
        progress: told what a long search is doing.

    Raises:
        InputError: bad scenario or argument.
        InfeasibleError: no plan keeps the limits, or none gets to the target; says which binds and what would be
            feasible.
        LimitReachedError: the time limit came before any plan.

    Example:
        >>> outcome = plan("tiny", objective="energy")
        >>> outcome.status, outcome.gap <= 1e-4
        ('optimal', True)
    """
    from hffm_opt.solvers.registry import solve

    problem = problem_of(scenario)
    if placement is not None:
        problem = problem_of(placed(problem.scenario, placement, seed).scenario)
    request = request_of(
        problem,
        objective=objective,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        max_latency=max_latency,
        max_energy=max_energy,
        max_drift=max_drift,
        circulation=circulation,
        gap=gap,
        time_limit=time_limit,
        seed=seed,
        target=target,
        curve=curve,
    )
    return solve(problem, method, request, progress)


def pareto(
    scenario: ScenarioLike,
    points: int = 9,
    *,
    max_latency: float | None = None,
    max_energy: float | None = None,
    max_drift: float | None = None,
    circulation: str | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
) -> ParetoFront:
    """Return the latency-energy front of a scenario: plans of least energy under limits on latency, each proven.

    Args:
        scenario: a scenario, a built-in name or a path.
        points: how many points at most, 2 to 50.
        max_latency, max_energy, max_drift, circulation, gap, progress: as :func:`plan`.
        time_limit: wall-clock limit in s of each search; there are at most ``points + 3``.

    Raises:
        InputError, InfeasibleError, LimitReachedError: as :func:`plan`.

    Example:
        >>> front = pareto("tiny", 3)
        >>> [point.status for point in front.points]
        ['optimal', 'optimal', 'optimal']
        >>> front.points[0].latency_s < front.points[2].latency_s, front.points[0].energy_j > front.points[2].energy_j
        (True, True)
    """
    from hffm_opt.solvers.pareto import pareto_front

    if not LEAST_POINTS <= points <= MOST_POINTS:
        repair = f"give {LEAST_POINTS} to {MOST_POINTS}"
        raise InputError.one("--points", f"a front of {points} points cannot be asked for", repair)
    problem = problem_of(scenario)
    request = request_of(
        problem,
        objective="energy",
        max_latency=max_latency,
        max_energy=max_energy,
        max_drift=max_drift,
        circulation=circulation,
        gap=gap,
        time_limit=time_limit,
    )
    return pareto_front(problem, request, points, progress)


def evaluate(scenario: ScenarioLike, plan: PlanLike, *, max_drift: float | None = None) -> Evaluation:
    """Let the referee judge a plan.

    Args:
        scenario: a scenario, a built-in name or a path.
        plan: a plan, an outcome, or the path of a file with either.
        max_drift: limit on the learning penalty Phi in place of the scenario's (``math.inf`` lifts it).

    Raises:
        InputError: the plan is malformed or made for another scenario.

    Example:
        >>> evaluate("tiny", globals()["plan"]("tiny", method="star")).feasible
        True
    """
    check_numbers({"--max-drift": max_drift})
    return evaluate_plan(problem_of(scenario), plan_of(plan), max_drift)


def compare(
    scenario: ScenarioLike,
    methods: Sequence[str] | str | None = None,
    *,
    objective: Objective = "weighted",
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    max_drift: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    draws: int | Mapping[str, int] = 0,
    target: float | None = None,
    curve: LearningCurve | None = None,
    own: Mapping[str, Own] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run methods on one scenario and hold each against the best proven bound.

    Args:
        scenario: a scenario, a built-in name or a path.
        methods: names, or a single one; all where not given.
        objective, latency_weight, energy_weight, max_drift, gap, time_limit, seed, target, curve,
            progress: as :func:`plan`.
        draws: how many seeds to try with each method that draws at random, for median and range; or by method.
        own: methods of yours by name: plans (or files of them), or functions that plan the
            :class:`~hffm_opt.problem.model.Problem` as the :class:`~hffm_opt.solvers.request.Request` asks. They are
            judged by the same referee against the same bound.

    Returns:
        One row per method; a method that cannot plan this scenario has a row that says why.

    Raises:
        InputError: bad scenario, argument or method name.

    Example:
        >>> rows = compare("tiny", ["star", "optimal"]).rows
        >>> rows[1].objective <= rows[0].objective
        True
        >>> mine = globals()["plan"]("tiny", method="h-fedfm-4")
        >>> [row.method for row in compare("tiny", ["optimal"], own={"mine": mine}).rows]
        ['optimal', 'mine']
    """
    from hffm_opt.solvers.registry import METHODS

    problem = problem_of(scenario)
    least = draws if isinstance(draws, int) else min(draws.values(), default=0)
    if least < 0:
        raise InputError.one("--draws", f"{least} is below 0", "give 0 for none, or how many seeds to try")
    request = request_of(
        problem,
        objective=objective,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        max_drift=max_drift,
        gap=gap,
        time_limit=time_limit,
        seed=seed,
        target=target,
        curve=curve,
    )
    names = (methods,) if isinstance(methods, str) else tuple(METHODS) if methods is None else methods
    return compare_methods(problem, names, request, draws, progress, own)
