"""The pipeline from a problem to a run, once or in a closed loop. Planner and executor come in as callables."""

from hffm_opt.loop.once import (
    Executor,
    Planner,
    adopt_outcome,
    adopt_plan,
    begin_run,
    begun_method,
    begun_outcome,
    claim_directory,
    clear_run,
    finished_run,
    refuse_impossible,
    resumed_directory,
    run_once,
    save_run,
)

__all__ = [
    "Executor",
    "Planner",
    "adopt_outcome",
    "adopt_plan",
    "begin_run",
    "begun_method",
    "begun_outcome",
    "claim_directory",
    "clear_run",
    "finished_run",
    "refuse_impossible",
    "resumed_directory",
    "run_once",
    "save_run",
]
