"""The command that plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hffm_opt.cli import options, screen
from hffm_opt.cli.fronts import show_front
from hffm_opt.cli.planning_for import Asked, Purpose, next_of, plan_for
from hffm_opt.errors import InputError

if TYPE_CHECKING:
    from hffm_opt.plan.outcome import Outcome
    from hffm_opt.scenario.model import Scenario

FRONT, FOR = "Latency-energy front", "Beyond training"


def plan(
    scenario: options.Scenario,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="Plan the training, or what the scenario's section of this name asks for.")
    ] = "training",
    method: Annotated[
        str,
        typer.Option(
            help="'optimal', or a baseline's name (see 'hffm compare --list'); with --for, one of its own methods, "
            "which any other word lists."
        ),
    ] = "optimal",
    circulation: Annotated[
        str | None, typer.Option(metavar="ROW", help="Hold the circulation of this baseline fixed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="Write plan and certificate to this file.")
    ] = None,
    write_program: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Write the programs behind the plan here (MPS and LP, or CBF)."
        ),
    ] = None,
    objective: options.PlanObjective = "weighted",
    points: Annotated[
        int | None,
        typer.Option(help="Points of the front, 2 to 50 (with --objective pareto; default: 9).", rich_help_panel=FRONT),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="SVG",
            dir_okay=False,
            help="Draw the front, and the baselines beside it (with --objective pareto).",
            rich_help_panel=FRONT,
        ),
    ] = None,
    target: options.Target = None,
    latency_weight: options.LatencyWeight = None,
    energy_weight: options.EnergyWeight = None,
    max_latency: options.MaxLatency = None,
    max_energy: options.MaxEnergy = None,
    max_drift: options.MaxDrift = None,
    gap: options.Gap = None,
    time_limit: options.TimeLimit = None,
    exits: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Early exits, from 'hffm infer --calibrate DIR' (with --for inference).",
            rich_help_panel=FOR,
        ),
    ] = None,
    placement: Annotated[
        str | None,
        typer.Option(
            metavar="PLAN",
            help="With specialise: plan the training with experts placed so, by a file of 'hffm plan --for specialise' "
            "or a method.",
            rich_help_panel=FOR,
        ),
    ] = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> int:
    """Plan a scenario: which module is averaged where and how often, over which links, with which power and band.

    The plan comes with its certificate: how far it can be from the best possible. Exits with 3 if no plan keeps the
    limits, or if the method's only plan breaks one.

    With --objective time-to-accuracy or energy-to-accuracy: the seconds or joules of all rounds to --target, by the
    scenario's learning curve.

    With --objective pareto: the latency-energy front, each of its points with a certificate of its own.

    With --for inference: on which node each piece of the model answers the scenario's requests.

    With --for requests: whose copy of each module that a device lacks it gets, and over which links.

    With --for specialise: which device trains which expert of a mixture, and from whom the others fetch it.

    With --for walks: the Markov chains by which modules walk over D2D links (--method metropolis-hastings,
    minimal-kemeny, or fastest-mixing, the default).
    """
    if purpose != "training":
        asked = Asked(
            scenario,
            method,
            objective,
            latency_weight,
            energy_weight,
            gap,
            time_limit,
            seed=seed,
            exits=exits,
            out=out,
            json=json,
        )
        of_training = {
            "--circulation": circulation,
            "--write-program": write_program,
            "--points": points,
            "--figure": figure,
            "--target": target,
            "--placement": placement,
            "--max-latency": max_latency,
            "--max-energy": max_energy,
            "--max-drift": max_drift,
        }
        return plan_for(purpose, asked, of_training)
    options.refuse({"--exits": exits}, "early exits belong to inference: --for inference")
    if objective == "pareto":
        idle = {
            "--target": target,
            "--latency-weight": latency_weight,
            "--energy-weight": energy_weight,
            "--write-program": write_program,
            "--placement": placement,
        }
        options.refuse(idle, "these belong to a single plan, and --objective pareto makes many")
        if method != "optimal":
            what = f"'{method}' makes a single plan; only 'optimal' proves a front"
            raise InputError.one("--method", what, "leave it out, or use another --objective")
        return show_front(
            scenario,
            points=9 if points is None else points,
            max_latency=max_latency,
            max_energy=max_energy,
            max_drift=max_drift,
            circulation=circulation,
            gap=gap,
            time_limit=time_limit,
            out=out,
            figure=figure,
            json=json,
        )
    options.refuse({"--points": points, "--figure": figure}, "these belong to a front, which --objective pareto makes")
    from hffm_opt import api
    from hffm_opt.cli.views import plan as view
    from hffm_opt.problem.build import build_problem
    from hffm_opt.scenario.read import load_scenario
    from hffm_opt.serial import check_writable, dump_json, write_text
    from hffm_opt.solvers.request import Request

    given = load_scenario(scenario)
    if placement is not None:
        from hffm_opt.placed import placed

        given = placed(given, placement, seed).scenario
    for path in (out, None if write_program is None else write_program / "index.json"):
        if path is not None:
            check_writable(path, scenario)
    with screen.waiting(
        f"Planning {given.name}", Request.time_limit_s if time_limit is None else time_limit
    ) as progress:
        outcome = api.plan(
            given,
            method=method,
            objective=objective,
            target=target,
            latency_weight=latency_weight,
            energy_weight=energy_weight,
            max_latency=max_latency,
            max_energy=max_energy,
            max_drift=max_drift,
            circulation=circulation,
            gap=gap,
            time_limit=time_limit,
            seed=seed,
            progress=progress,
        )
    if out is not None:
        write_text(out, dump_json(outcome))
    if write_program is not None:
        _write_programs(given, outcome, write_program)
    if json:
        screen.document(outcome.model_dump(mode="json"))
    else:
        screen.show(*view.plan_view(build_problem(given), outcome, max_drift, max_latency, max_energy))
        if out is not None:
            with_it = [] if placement is None else ["--placement", placement, *(["--seed", seed] if seed else [])]
            screen.note(f"Written to {out}.{next_of(given, scenario, out, with_it)}")
    return 0 if outcome.feasible else screen.INFEASIBLE


def _write_programs(scenario: Scenario, outcome: Outcome, directory: Path) -> None:
    from hffm_opt.problem.build import build_problem
    from hffm_opt.solvers.export import INDEX, write_programs

    with screen.waiting("Writing programs") as progress:
        written = write_programs(build_problem(scenario), outcome, directory, progress)
    screen.note(f"{len(written)} programs written to {directory}; {directory / INDEX} says what each is.")
