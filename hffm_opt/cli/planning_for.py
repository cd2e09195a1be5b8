"""What ``hffm plan`` plans for besides training: each purpose has a planner, and options that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hffm_opt.cli import screen
from hffm_opt.errors import Finding, InputError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from hffm_opt.scenario.model import Scenario

Purpose = Literal["training", "inference", "requests", "specialise", "walks"]


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a planner; null where an option is not given."""

    scenario: str
    method: str
    objective: str
    latency_weight: float | None
    energy_weight: float | None
    gap: float | None
    time_limit: float | None
    seed: int
    exits: Path | None
    out: Path | None
    json: bool

    def options(self) -> dict[str, object]:
        """Return the options that not every purpose knows, null where not given."""
        return {
            "--objective": None if self.objective == "weighted" else self.objective,
            "--latency-weight": self.latency_weight,
            "--energy-weight": self.energy_weight,
            "--gap": self.gap,
            "--time-limit": self.time_limit,
            "--exits": self.exits,
        }


@dataclass(frozen=True)
class Made:
    """A plan, as it is shown, and the words of the call that uses its file.

    ``further`` is what the JSON document on the screen holds besides the plan.
    """

    plan: BaseModel
    shown: Iterable[RenderableType]
    use: Sequence[object]
    feasible: bool = True
    further: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Planner:
    """Where ``planner(asked, progress) -> Made`` is, and the options of :meth:`Asked.options` that it knows."""

    place: str
    knows: frozenset[str]


_WEIGHED = frozenset({"--objective", "--latency-weight", "--energy-weight"})
_STOPS = frozenset({"--gap", "--time-limit"})
PLANNERS: dict[str, Planner] = {
    "inference": Planner("hffm_opt.cli.inference:plan_inference", _WEIGHED | _STOPS | {"--exits"}),
    "requests": Planner("hffm_opt.cli.other_plans:plan_requests", _STOPS),
    "specialise": Planner("hffm_opt.cli.other_plans:plan_specialisation", _STOPS),
    "walks": Planner("hffm_opt.cli.walks:plan_walks", frozenset()),
}


def plan_for(purpose: str, asked: Asked, of_training: Mapping[str, object]) -> int:
    """Plan for a purpose, write and show the plan as asked, and return the exit code.

    Args:
        purpose: a key of :data:`PLANNERS`.
        asked: what the command line asks.
        of_training: options that only plans of training have, null where not given.

    Raises:
        InputError: an option does not belong to this purpose, or the plan cannot be written.
    """
    from hffm_opt.serial import check_writable, dump_json, write_text

    planner = PLANNERS[purpose]
    _refuse_idle(purpose, planner, asked, of_training)
    if asked.out is not None:
        check_writable(asked.out, asked.scenario)
    module, _, name = planner.place.partition(":")
    make: Callable[[Asked, Callable[[str], None]], Made] = getattr(import_module(module), name)
    with screen.waiting(f"Planning {asked.scenario} for {purpose}") as progress:
        made = make(asked, progress)
    if asked.out is not None:
        write_text(asked.out, dump_json(made.plan))
    if asked.json:
        screen.document(made.plan.model_dump(mode="json") | dict(made.further or {}))
    else:
        screen.show(*made.shown)
        if asked.out is not None:
            then = f" Next: {screen.command(*made.use)}" if made.feasible else ""
            screen.note(f"Written to {asked.out}.{then}")
    return 0 if made.feasible else screen.INFEASIBLE


def _refuse_idle(purpose: str, planner: Planner, asked: Asked, of_training: Mapping[str, object]) -> None:
    weighed = "--objective" in planner.knows
    if asked.objective not in ("weighted", "latency", "energy"):
        message = f"{asked.objective} belongs to plans of training, not to --for {purpose}"
        raise InputError.one("--objective", message, "use weighted, latency or energy" if weighed else "leave it out")
    idle = [(name, "plans of training") for name, value in of_training.items() if value is not None]
    others = ((name, value) for name, value in asked.options().items() if name not in planner.knows)
    idle += [(name, "other plans") for name, value in others if value is not None]
    if idle:
        raise InputError(
            Finding(name, f"this belongs to {plans}, not to --for {purpose}", "leave it out") for name, plans in idle
        )


def next_of(given: Scenario, named: str, out: Path, with_it: Sequence[object]) -> str:
    """Return what to do with a plan of training; ``with_it`` are options that its training needs too."""
    if given.requests is not None:
        call = screen.command("plan", named, "--for", "requests")
        return f" It leaves 'requests' aside: with that section 'hffm train' plans by itself. Next: {call}"
    if given.specialise is not None:
        call = screen.command("plan", named, "--placement", "optimal", "-o", out)
        return f" It leaves 'specialise' aside, and 'hffm train' does not. Next: {call}"
    return f" Next: {screen.command('train', named, '--plan', out, *with_it, '--rounds', 16)}"
