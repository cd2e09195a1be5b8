"""Specialisation as one call: place experts, and train the scenario in which every device trains what it hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hffm_opt.asked import ScenarioLike, check_seed, problem_of
from hffm_opt.errors import InputError
from hffm_opt.plan.placement import PlacementPlan, evaluate_placement, placement_problem
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.specialise import specialised
from hffm_opt.serial import parse_text, read_text, validate

GAP = 1e-3


def plan_specialisation(
    scenario: ScenarioLike,
    *,
    method: str = "optimal",
    gap: float | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> PlacementPlan:
    """Place the experts of a scenario's mixture on its devices and edge servers.

    Args:
        scenario: a scenario with the section ``specialise``, or a path.
        method: ``optimal``, ``everyone`` or ``random-specialists``.
        gap, time_limit: when ``optimal`` may stop.
        seed: for the method that draws, and that of the training, for the devices' laws of answers.
        progress: told what is being done.

    Raises:
        InputError: bad scenario or argument.
        InfeasibleError: no placement keeps the limits.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> from hffm_opt.scenario.specialise import Specialise
        >>> m3t = load_scenario("m3t")
        >>> free = tuple(device.model_copy(update={"experts": None}) for device in m3t.devices)
        >>> section = Specialise(experts_per_device=1, misfit_weight=0.1)
        >>> plan_specialisation(m3t.model_copy(update={"devices": free, "specialise": section}), gap=0.05).status
        'optimal'
    """
    from hffm_opt.solvers.placement import plan_placement
    from hffm_opt.solvers.request import Request

    check_seed(seed)
    problem = problem_of(scenario)
    if progress is not None:
        progress("placement of experts")
    limit = Request.time_limit_s if time_limit is None else time_limit
    placing = placement_problem(problem, seed)
    return plan_placement(placing, method, seed=seed, gap=GAP if gap is None else gap, time_limit_s=limit)


def load_placement(path: str | Path) -> PlacementPlan:
    """Read the placement that ``hffm plan S --for specialise -o`` wrote.

    Raises:
        InputError: missing file, broken JSON, or a plan with faults.
    """
    return validate(parse_text(read_text(Path(path), "plan"), str(path)), PlacementPlan, "placement", str(path))


def placed_scenario(scenario: Scenario, placement: str | Path | PlacementPlan = "optimal", seed: int = 0) -> Scenario:
    """Return the scenario in which every device trains the experts that it hosts; one without the section as it is.

    Args:
        scenario: any scenario.
        placement: a placement, the file of one, or the method that makes one.
        seed: as for :func:`plan_specialisation`.

    Raises:
        InputError: the placement breaks a limit, or is for another scenario.
        InfeasibleError: no placement keeps the limits.
    """
    from hffm_opt.solvers.placement import PLACEMENT_METHODS

    if scenario.specialise is None:
        return scenario
    if isinstance(placement, str) and placement in PLACEMENT_METHODS:
        plan = plan_specialisation(scenario, method=placement, seed=seed)
    else:
        plan = placement if isinstance(placement, PlacementPlan) else load_placement(placement)
    told = evaluate_placement(placement_problem(build_problem(scenario), seed), plan)
    if told.violations:
        raise InputError(told.violations)
    return specialised(scenario, plan.hosts)
