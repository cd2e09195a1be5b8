"""The embedded tasks as the planner sees them (the data themselves are made in the learning layer)."""

from __future__ import annotations

from hffm_opt.scenario.model import Task

EMBEDDED_TASKS = (
    Task(name="digits", answers=18, dirichlet_alpha=0.5, test_samples=400),
    Task(name="shapes", answers=19, dirichlet_alpha=0.5, test_samples=400),
)
