"""Which closed loop a directory holds, and whether it is the one that is asked for."""

from __future__ import annotations

from pathlib import Path

from hffm_opt.errors import InputError
from hffm_opt.loop.once import begun_outcome, finished_run, resumed_directory
from hffm_opt.plan.outcome import Outcome
from hffm_opt.problem.model import Problem
from hffm_opt.report.run import Run
from hffm_opt.serial import differences
from hffm_opt.trace.model import Algorithm, Goal


def begun_loop(
    problem: Problem, directory: Path | None, overwrite: bool, rounds: int, seed: int, precision: str, goal: Goal
) -> tuple[Outcome, Run | None]:
    """Return the outcome with which a directory's loop was begun, and the run itself if it is complete.

    Raises:
        InputError: there is none, or it differs from what is asked for.
    """
    directory = resumed_directory(directory, overwrite)
    outcome = begun_outcome(problem, directory)
    finished = finished_run(directory, rounds, seed, precision, Algorithm())
    there = None if finished is None else finished.trace.header.goal
    if finished is not None and there != goal:
        kept = {} if there is None else there.model_dump(mode="json")
        other = ", ".join(differences(kept, goal.model_dump(mode="json")))
        message = f"the run there is complete, and differs in {other}"
        raise InputError.one(str(directory), message, "give what it was run with, or another directory")
    return outcome, finished
