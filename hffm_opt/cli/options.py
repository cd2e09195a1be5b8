"""Arguments and options that several commands share, and the refusal of those that have no place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from hffm_opt.errors import InputError

MOST_ROUNDS = 1_000_000
MOST_GB = 1e9
GOAL, LIMITS, STOP, EXECUTION = "What to minimise", "Limits", "When to stop", "How to run"

ObjectiveName = Literal["weighted", "latency", "energy", "time-to-accuracy", "energy-to-accuracy"]
PlanObjectiveName = Literal["weighted", "latency", "energy", "time-to-accuracy", "energy-to-accuracy", "pareto"]

Scenario = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A built-in name (see 'hffm scenarios') or a YAML or JSON file.")
]
OptionalScenario = Annotated[
    str | None,
    typer.Argument(metavar="SCENARIO", help="A built-in name (see 'hffm scenarios') or a YAML or JSON file."),
]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="A plan file, as 'hffm plan -o' writes it.")]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, everything else on standard error.")
]
Seed = Annotated[int, typer.Option(min=0, help="Root of every random stream.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what the directory holds.")]
Objective = Annotated[ObjectiveName, typer.Option(help="The figure to minimise.", rich_help_panel=GOAL)]
PlanObjective = Annotated[
    PlanObjectiveName,
    typer.Option(
        help="The figure to minimise; 'pareto': energy under one limit on latency after another.", rich_help_panel=GOAL
    ),
]
Target = Annotated[
    float | None,
    typer.Option(help="Accuracy to reach, above 0 and below 1 (with an objective to accuracy).", rich_help_panel=GOAL),
]
LatencyWeight = Annotated[
    float | None,
    typer.Option(help="Weight per second of latency (default: the scenario's).", rich_help_panel=GOAL),
]
EnergyWeight = Annotated[
    float | None, typer.Option(help="Weight per joule of energy (default: the scenario's).", rich_help_panel=GOAL)
]
MaxLatency = Annotated[float | None, typer.Option(help="Limit on latency per round, in s.", rich_help_panel=LIMITS)]
MaxEnergy = Annotated[float | None, typer.Option(help="Limit on energy per round, in J.", rich_help_panel=LIMITS)]
MaxDrift = Annotated[
    float | None,
    typer.Option(
        help="Limit on the learning penalty Phi (default: the scenario's; inf lifts it).", rich_help_panel=LIMITS
    ),
]
Gap = Annotated[
    float | None,
    typer.Option(
        help="Stop at this relative gap (default: 1e-4, or 1e-3 where bandwidth, power and CPU speed are chosen too).",
        rich_help_panel=STOP,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(help="Stop each search after so many seconds (default: 300).", rich_help_panel=STOP),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in the directory, as if it had never been stopped.")
]
CheckpointEvery = Annotated[
    int, typer.Option(min=1, help="Rounds from one checkpoint to the next.", rich_help_panel=EXECUTION)
]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="The torch device: cpu, cuda, cuda:1.", rich_help_panel=EXECUTION)
]
Precision = Annotated[Literal["fp32", "bf16"], typer.Option(help="Of matrix products.", rich_help_panel=EXECUTION)]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Write RUN/tensorboard too (extra: tensorboard).")]


def refuse(given: Mapping[str, object], reason: str) -> None:
    """Refuse the options of a mapping that have a value.

    Raises:
        InputError: there are some.
    """
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise InputError.one(" / ".join(names), reason, "leave them out" if len(names) > 1 else "leave it out")
