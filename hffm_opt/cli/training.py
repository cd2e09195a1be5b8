"""The command that trains as planned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hffm_opt.cli import options, screen
from hffm_opt.cli.rounds import kept_in, round_progress
from hffm_opt.errors import InputError

BASELINES = "Learning baselines"


def train(
    scenario: options.Scenario,
    plan: Annotated[Path | None, typer.Option(metavar="PLAN", help="The plan to run, from 'hffm plan -o'.")] = None,
    method: Annotated[str | None, typer.Option(help="Plan by this method instead (default: optimal).")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=options.MOST_ROUNDS, help="How many rounds to train.")] = 16,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="Evaluate every so many rounds, besides the last deepest average.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="RUN", help="Directory of the run (default: runs/SCENARIO-METHOD-SEED)."),
    ] = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = False,
    checkpoint_every: options.CheckpointEvery = 1,
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    max_memory: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=options.MOST_GB,
            metavar="GB",
            help="Most main memory to take: fewer devices run together, fewer constants are kept.",
            rich_help_panel=options.EXECUTION,
        ),
    ] = None,
    proximal: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="MU",
            help="FedProx: pull towards the last average (default: the scenario's).",
            rich_help_panel=BASELINES,
        ),
    ] = None,
    fedlama: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PHI",
            help="FedLAMA: modules whose copies differ little are averaged PHI times less often, as measured.",
            rich_help_panel=BASELINES,
        ),
    ] = None,
    centralised: Annotated[
        bool,
        typer.Option(
            "--centralised", help="Train one model on all data, as an upper bound.", rich_help_panel=BASELINES
        ),
    ] = False,
    kept_neurons: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="FedPFT: devices train on a sub-model with this share of the backbone's feed-forward neurons.",
            rich_help_panel=BASELINES,
        ),
    ] = None,
    realign_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="ROUNDS",
            help="With --kept-neurons: realign neurons with the trained modules every so many rounds, and send them.",
            rich_help_panel=BASELINES,
        ),
    ] = None,
    tensorboard: options.TensorBoard = False,
    relaying: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="With requests: who gives devices the modules that they lack (default: optimal).",
            rich_help_panel=options.EXECUTION,
        ),
    ] = None,
    placement: Annotated[
        str | None,
        typer.Option(
            metavar="PLAN",
            help="With specialise: a file of 'hffm plan --for specialise', or its method (default: optimal).",
            rich_help_panel=options.EXECUTION,
        ),
    ] = None,
    walk: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD|PLAN",
            help="Let modules walk over D2D links instead: fastest-mixing, minimal-kemeny, "
            "metropolis-hastings, or a file of 'hffm plan --for walks'.",
            rich_help_panel=BASELINES,
        ),
    ] = None,
    max_drift: options.MaxDrift = None,
    gap: options.Gap = None,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> int:
    """Train the real modules exactly as planned; measure accuracy, latency and energy beside the prediction.

    The run directory holds all that 'hffm report' needs, and the trained weights. Ctrl-C keeps the rounds that are
    complete; the same command with --resume goes on from there, also after a crash.
    """
    from hffm_opt.scenario.read import load_scenario

    plain = {
        "--resume": resume or None,
        "--checkpoint-every": None if checkpoint_every == 1 else checkpoint_every,
        "--device": None if device == "cpu" else device,
        "--precision": None if precision == "fp32" else precision,
        "--max-memory": max_memory,
        "--proximal": proximal,
        "--fedlama": fedlama,
        "--centralised": centralised or None,
        "--kept-neurons": kept_neurons,
        "--realign-every": realign_every,
    }
    if walk is not None:
        from hffm_opt.cli.walks import train_by_walks

        planning = {"--plan": plan, "--method": method, "--relaying": relaying, "--placement": placement}
        stops = {"--max-drift": max_drift, "--gap": gap, "--time-limit": time_limit}
        return train_by_walks(
            scenario,
            walk,
            rounds=rounds,
            evaluate_every=evaluate_every,
            seed=seed,
            out=out,
            overwrite=overwrite,
            idle={**planning, **plain, "--tensorboard": tensorboard or None, **stops},
            json=json,
        )
    given = load_scenario(scenario)
    if given.requests is not None:
        from hffm_opt.cli.training_requests import train_on

        limits = {"max_drift": max_drift, "gap": gap, "time_limit": time_limit, "evaluate_every": evaluate_every}
        directory = out or Path("runs") / f"{given.name}-{method or 'optimal'}-{seed}"
        steps = {"rounds": rounds, "method": method or "optimal", "seed": seed, "overwrite": overwrite, **limits}
        others = {**plain, "--placement": placement, "--tensorboard": tensorboard or None}
        return train_on(given, plan, relaying, directory, steps, others, json)
    if relaying is not None:
        raise InputError.one(
            "--relaying", "the scenario has no requests", "leave it out, or add the section 'requests'"
        )
    if plan is not None and method is not None:
        raise InputError.one("--plan / --method", "both are given", "give one: --plan runs a plan as it is")
    asked = {"--max-drift": max_drift, "--gap": gap, "--time-limit": time_limit}
    if plan is not None:
        options.refuse(asked, "these steer planning, but --plan gives the plan")
    if centralised and method is not None:
        raise InputError.one("--method / --centralised", "with all data in one place nothing is planned", "give one")
    from hffm_opt import api, loop
    from hffm_opt.cli.views import train as view

    made = plan if plan is None else api.load_outcome(plan) or api.load_plan(plan)
    default = "centralised" if centralised else "optimal" if fedlama is None else "fedlama"
    way = method or (default if made is None else made.method)
    directory = out or Path("runs") / f"{given.name}-{way}-{seed}"
    if not resume:
        loop.claim_directory(directory, overwrite)
    elif method is not None and method != (begun := loop.begun_method(directory)):
        raise InputError.one("--method", f"the run there was begun as '{begun}' plans", "leave --method out")
    with round_progress(f"Training {way}", rounds) as (say, on_round):
        run = api.train(
            scenario,
            made,
            rounds=rounds,
            method=way if made is None else "optimal",
            seed=seed,
            evaluate_every=evaluate_every,
            max_drift=max_drift,
            gap=gap,
            time_limit=time_limit,
            out=directory,
            overwrite=overwrite,
            resume=resume,
            checkpoint_every=checkpoint_every,
            device=device,
            precision=precision,
            max_memory_bytes=None if max_memory is None else int(max_memory * 1e9),
            tell=screen.note,
            proximal=proximal,
            fedlama=fedlama,
            centralised=centralised,
            kept_neurons=kept_neurons,
            realign_every=realign_every,
            placement=placement,
            tensorboard=tensorboard,
            progress=say,
            on_round=on_round,
        )
    if json:
        screen.document(run.measurement.model_dump(mode="json") | {"run": str(directory)})
    else:
        screen.show(*view.run_view(run), kept_in(directory, run.trace.complete))
    return 0 if run.trace.complete else screen.INTERRUPTED
