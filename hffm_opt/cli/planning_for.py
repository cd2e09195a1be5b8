"""What ``hffm plan`` plans for besides training: each purpose has a planner with options of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hffm_opt.cli import screen
from hffm_opt.errors import Finding, InputError

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario

Purpose = Literal["training", "inference", "requests", "specialise", "walks"]


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a planner; null where an option is not given."""

    scenario: str
    method: str
    objective: Literal["weighted", "latency", "energy"]
    latency_weight: float | None
    energy_weight: float | None
    gap: float | None
    time_limit: float | None
    seed: int
    exits: Path | None
    out: Path | None
    json: bool


PLANNERS: dict[str, str] = {
    "inference": "hffm_opt.cli.inference:plan_inference",
    "requests": "hffm_opt.cli.other_plans:plan_requests",
    "specialise": "hffm_opt.cli.other_plans:plan_specialisation",
    "walks": "hffm_opt.cli.walks:plan_walks",
}
"""Purpose to the place of ``planner(asked) -> exit code``."""


def plan_for(purpose: str, asked: Asked, idle: Mapping[str, object]) -> int:
    """Plan for a purpose and return the exit code; ``idle`` are options that belong to training alone.

    Raises:
        InputError: an option does not belong to this purpose.
    """
    given = [name for name, value in idle.items() if value is not None]
    if given:
        message = f"this belongs to plans of training, not to --for {purpose}"
        raise InputError(Finding(name, message, "leave it out") for name in given)
    module, _, name = PLANNERS[purpose].partition(":")
    planner: Callable[[Asked], int] = getattr(import_module(module), name)
    return planner(asked)


def next_of(given: Scenario, named: str, out: Path, with_it: Sequence[object]) -> str:
    """Return what to do with a plan of training; ``with_it`` are options that its training needs too."""
    if given.requests is not None:
        call = screen.command("plan", named, "--for", "requests")
        return f" It leaves 'requests' aside: with that section 'hffm train' plans by itself. Next: {call}"
    if given.specialise is not None:
        call = screen.command("plan", named, "--placement", "optimal", "-o", out)
        return f" It leaves 'specialise' aside, and 'hffm train' does not. Next: {call}"
    return f" Next: {screen.command('train', named, '--plan', out, *with_it, '--rounds', 16)}"
