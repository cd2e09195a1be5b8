"""The command that closes the loop: plan, train, measure, revise, and plan again where that pays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hffm_opt.cli import options, screen
from hffm_opt.cli.rounds import kept_in, round_progress


def loop(
    scenario: options.Scenario,
    rounds: Annotated[int, typer.Option(min=1, max=options.MOST_ROUNDS, help="How many rounds to train.")] = 32,
    replan_every: Annotated[
        int, typer.Option(min=1, metavar="K", help="Look at the plan every K rounds, and when devices come or go.")
    ] = 8,
    method: Annotated[str, typer.Option(help="Plan by this method, at first and anew.")] = "optimal",
    objective: options.Objective = "weighted",
    target: options.Target = None,
    latency_weight: options.LatencyWeight = None,
    energy_weight: options.EnergyWeight = None,
    max_drift: options.MaxDrift = None,
    gap: Annotated[
        float | None,
        typer.Option(
            help="Each search stops at this relative gap (default: 1e-3, or 1e-2 where allocation is chosen too).",
            rich_help_panel=options.STOP,
        ),
    ] = None,
    time_limit: options.TimeLimit = None,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="Evaluate every so many rounds, besides at looks and at the end.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="RUN", help="Directory of the run (default: runs/SCENARIO-loop-SEED)."),
    ] = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = False,
    checkpoint_every: options.CheckpointEvery = 1,
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    tensorboard: options.TensorBoard = False,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> int:
    """Train while the network changes, look at the plan now and then, and change it where that pays.

    What happens to the network stands in the scenario's 'changes'; 'hffm train' meets it too, with its plan as it is.
    Every look is kept with its cause, and every change of plan with what it was to save and what it saved.
    """
    from hffm_opt import api
    from hffm_opt.cli.views import loop as view
    from hffm_opt.scenario.read import load_scenario

    given = load_scenario(scenario)
    directory = out or Path("runs") / f"{given.name}-loop-{seed}"
    with round_progress("Closed loop", rounds) as (say, on_round):
        run = api.run_loop(
            given,
            rounds=rounds,
            replan_every=replan_every,
            method=method,
            objective=objective,
            target=target,
            latency_weight=latency_weight,
            energy_weight=energy_weight,
            max_drift=max_drift,
            gap=gap,
            time_limit=time_limit,
            seed=seed,
            evaluate_every=evaluate_every,
            out=directory,
            overwrite=overwrite,
            resume=resume,
            checkpoint_every=checkpoint_every,
            device=device,
            precision=precision,
            tensorboard=tensorboard,
            progress=say,
            on_round=on_round,
            tell=screen.note,
        )
    if json:
        screen.document(view.loop_json(run, target) | {"run": str(directory)})
    else:
        screen.show(*view.loop_view(run, target), kept_in(directory, run.trace.complete))
    return 0 if run.trace.complete else screen.INTERRUPTED
