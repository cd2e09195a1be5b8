"""The placement of experts that a run of a scenario with the section ``specialise`` keeps in its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hffm_opt.plan.placement import PlacementPlan
from hffm_opt.report.run import Run
from hffm_opt.report.whole import refuse_strangers
from hffm_opt.serial import read_model
from hffm_opt.trace.files import PLACEMENT


@dataclass(frozen=True, eq=False)
class Placed:
    """A run whose devices train the experts that a placement gave them."""

    run: Run
    plan: PlacementPlan


def read_placed(directory: Path, run: Run) -> Placed | None:
    """Read the placement beside a run, if there is one.

    Raises:
        InputError: it is broken, or not that of the run.
    """
    path = directory / PLACEMENT
    if not path.is_file():
        return None
    plan = read_model(path, PlacementPlan, "placement")
    scenario = run.problem.scenario
    unplaced = tuple(device.model_copy(update={"experts": None}) for device in scenario.devices)
    kept = {device.name: set(device.experts or ()) for device in scenario.devices}
    given = {name: {module for module, nodes in plan.hosts.items() if name in nodes} for name in kept}
    was = scenario.model_copy(update={"devices": unplaced}).fingerprint()
    fits = plan.scenario.fingerprint == was and given == kept and not _strange(plan, run)
    refuse_strangers(directory, {PLACEMENT: fits}, "hffm train")
    return Placed(run, plan)


def _strange(plan: PlacementPlan, run: Run) -> bool:
    """Say whether a placement names nodes or modules that its run does not have."""
    scenario, copies = run.problem.scenario, (*plan.caches, *plan.fetches)
    nodes = {e.name for e in scenario.edges} | {d.name for d in scenario.devices}
    named = {name for copy in copies for name in (copy.device, copy.host, copy.edge) if name is not None}
    return bool(named - nodes or {*plan.hosts, *(copy.module for copy in copies)} - set(run.problem.modules))
