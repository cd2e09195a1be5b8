"""Specialisation as one call: place experts, and train the scenario in which every device trains what it hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hffm_opt.asked import ScenarioLike, check_seed, problem_of
from hffm_opt.errors import InputError
from hffm_opt.plan.fetching import Fetching
from hffm_opt.plan.placement import PlacementPlan, placement_problem
from hffm_opt.plan.placement_referee import evaluate_placement
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.specialise import sound_specialisation, specialised
from hffm_opt.serial import read_model
from hffm_opt.trace.files import PLACEMENT

PlacementLike = PlacementPlan | str | Path
"""A placement, the file of one, or the name of the method that makes one."""


@dataclass(frozen=True)
class Placed:
    """A scenario in which every device trains what it hosts, and whose placement says so; null where nothing is."""

    scenario: Scenario
    plan: PlacementPlan | None = None
    fetching: Fetching | None = None


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
    from hffm_opt.solvers.placement import GAP, plan_placement
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
        InputError: missing file, broken JSON, another kind of file, or a plan with faults; all faults at once.
    """
    return read_model(Path(path), PlacementPlan, "placement")


def placed(
    scenario: Scenario, placement: PlacementLike | None = None, seed: int = 0, begun: Path | None = None
) -> Placed:
    """Place the experts of a scenario that asks for it; any other is returned as it is.

    Args:
        scenario: any scenario.
        placement: what is given in place of ``optimal``.
        seed: as for :func:`plan_specialisation`.
        begun: the directory of a run that goes on, whose placement is taken.

    Raises:
        InputError: the placement breaks a limit, is for another scenario, or not that of the run that goes on; a
            placement is given for a scenario that asks for none; the scenario asks for what does not go with one.
        InfeasibleError: no placement keeps the limits.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> placed(load_scenario("tiny")).plan is None
        True
    """
    if scenario.specialise is None:
        if placement is not None:
            repair = "leave it out, or add the section 'specialise'"
            raise InputError.one("--placement", "the scenario has no experts to place", repair)
        return Placed(scenario)
    from hffm_opt.solvers.placement import PLACEMENT_METHODS

    faults = list(sound_specialisation(scenario))
    if faults:
        raise InputError(faults)
    method = placement if isinstance(placement, str) and placement in PLACEMENT_METHODS else None
    given = None if placement is None or method else _read(placement)
    kept = None if begun is None or not (begun / PLACEMENT).is_file() else load_placement(begun / PLACEMENT)
    if kept is not None and (given not in (None, kept) or method not in (None, kept.method)):
        message = f"the run there was begun with another placement ('{kept.method}')"
        raise InputError.one(str(begun), message, "leave --placement out, or give another directory")
    plan = kept or given or plan_specialisation(scenario, method=method or "optimal", seed=seed)
    told = evaluate_placement(placement_problem(build_problem(scenario), seed), plan)
    if told.violations:
        raise InputError(told.violations)
    return Placed(specialised(scenario, plan.hosts), plan, plan.fetching(scenario.specialise.fetch_rounds))


def placed_scenario(scenario: Scenario, placement: PlacementLike = "optimal", seed: int = 0) -> Scenario:
    """Return the scenario in which every device trains the experts that it hosts; one without the section as it is.

    Args:
        scenario, seed: as for :func:`placed`.
        placement: a placement, the file of one, or the method that makes one.

    Raises:
        InputError, InfeasibleError: as :func:`placed`.

    Example:
        >>> from hffm_opt.scenario.read import load_scenario
        >>> from hffm_opt.scenario.specialise import Specialise
        >>> m3t = load_scenario("m3t")
        >>> free = tuple(device.model_copy(update={"experts": None}) for device in m3t.devices)
        >>> asking = m3t.model_copy(update={"devices": free, "specialise": Specialise(experts_per_device=1)})
        >>> {len(device.experts) for device in placed_scenario(asking, "random-specialists").devices}
        {1}
    """
    return placed(scenario, None if scenario.specialise is None else placement, seed).scenario


def _read(placement: PlacementLike) -> PlacementPlan:
    return placement if isinstance(placement, PlacementPlan) else load_placement(placement)
