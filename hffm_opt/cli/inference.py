"""Inference on the command line: place the chains, choose exits, answer requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hffm_opt.cli import options, screen
from hffm_opt.cli.planning_for import Asked, Made
from hffm_opt.errors import InputError

_WEIGHTS = {"latency": (1.0, 0.0), "energy": (0.0, 1.0)}


def plan_inference(asked: Asked, progress: Callable[[str], None]) -> Made:
    """Plan where the pieces of the model answer a scenario's requests."""
    from hffm_opt import inference
    from hffm_opt.asked import check_weights
    from hffm_opt.cli.views import inference as view
    from hffm_opt.scenario.read import load_scenario

    check_weights(asked.objective, asked.latency_weight, asked.energy_weight)
    latency, energy = _WEIGHTS.get(asked.objective, (asked.latency_weight, asked.energy_weight))
    given = load_scenario(asked.scenario)
    progress("placement of the model's pieces")
    outcome = inference.plan_inference(
        given,
        method=asked.method,
        exits=asked.exits,
        latency_weight=latency,
        energy_weight=energy,
        gap=asked.gap,
        time_limit=asked.time_limit,
    )
    more = () if asked.exits is None else ("--exits", asked.exits)
    use = ("infer", asked.scenario, "--plan", asked.out, *more)
    return Made(outcome, view.placement_view(given, outcome), use, outcome.feasible)


def infer(
    scenario: options.Scenario,
    plan: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="The plan to run, from 'hffm plan --for inference -o'.")
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Choose early exits instead, and keep them in this directory for planning."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run whose trained modules answer (default: modules as training starts)."),
    ] = None,
    exits: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The early exits that the plan was made with.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Requests of each class to answer (default: all test samples).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Keep trace, ledger, scenario and plan here, for 'hffm report'."
        ),
    ] = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Answer requests by the split model as planned: every piece on its node, what it makes over the links as bytes.

    The answers are held against those of the unsplit model, the ledger against the prediction. With --calibrate:
    fit early exits and choose their thresholds, so that easy samples end early.
    """
    from hffm_opt import inference
    from hffm_opt.cli.views import inference as view

    if (plan is None) == (calibrate is None):
        message = "both are given" if plan is not None else "neither is given"
        raise InputError.one("--plan / --calibrate", message, "give one: --plan PLAN answers, --calibrate DIR prepares")
    if calibrate is not None:
        idle = {"--exits": exits, "--samples": samples, "-o": out}
        options.refuse(idle, "this belongs to answering, not to --calibrate")
        with screen.waiting("Calibrating") as progress:
            found = inference.calibrate(scenario, run=run, seed=seed, out=calibrate, progress=progress)
        if json:
            screen.document(found.calibration.model_dump(mode="json") | {"path": str(calibrate)})
        else:
            next_call = screen.command("plan", scenario, "--for", "inference", "--exits", calibrate)
            screen.show(*view.calibration_view(found.calibration), f"Kept in {calibrate}. Next: {next_call}")
        return
    assert plan is not None
    with screen.waiting("Answering") as progress:
        done = inference.infer(
            scenario, plan, run=run, exits=exits, samples=samples, seed=seed, out=out, progress=progress
        )
    if json:
        screen.document(done.trace.model_dump(mode="json") | {"path": None if out is None else str(out)})
    else:
        kept = [] if out is None else [f"Kept in {out}. Next: {screen.command('report', out)}"]
        screen.show(*view.answers_view(done.trace), *kept)
    if run is None:
        screen.note("These modules are as training starts, so accuracies say little; --run RUN takes trained ones.")
