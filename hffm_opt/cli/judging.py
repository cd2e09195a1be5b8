"""Commands that judge: one plan, or all methods beside one another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from hffm_opt.cli import options, screen
from hffm_opt.errors import InputError

PAPER_DRAWS = 200


def evaluate(
    scenario: options.Scenario,
    plan: options.PlanFile,
    max_drift: options.MaxDrift = None,
    json: options.Json = False,
) -> None:
    """Let the referee judge a plan: its cost, where the cost comes from, and every limit that it breaks.

    A plan that breaks limits is judged (exit code 0, "feasible": false); one that is malformed, or made for another
    scenario, is refused.
    """
    from hffm_opt import api
    from hffm_opt.cli.views import evaluate as view

    verdict = api.evaluate(scenario, plan, max_drift=max_drift)
    if json:
        screen.document(asdict(verdict))
    else:
        screen.show(*view.evaluation_view(verdict))


def compare(
    scenario: options.OptionalScenario = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMES", help="Methods, separated by commas; the option may be repeated (default: all)."),
    ] = None,
    list_methods: Annotated[
        bool, typer.Option("--list", help="List all methods, what they do and their sources, and run none.")
    ] = False,
    draws: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seeds to try with each method that draws at random, for median and range "
            "(default: 200 for the published rows of 'paper', else 0).",
        ),
    ] = None,
    objective: options.Objective = "weighted",
    target: options.Target = None,
    latency_weight: options.LatencyWeight = None,
    energy_weight: options.EnergyWeight = None,
    max_drift: options.MaxDrift = None,
    gap: options.Gap = None,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Run all methods, or some, on one scenario and hold each against the best proven bound.

    On 'paper' the published figures stand beside. Methods that cannot plan the scenario have a row that says why.
    """
    from hffm_opt import api
    from hffm_opt.cli.published import published_rows
    from hffm_opt.cli.views import compare as view
    from hffm_opt.scenario.read import load_scenario

    if list_methods:
        _list_methods(json)
        return
    if scenario is None:
        raise InputError.one("SCENARIO", "no scenario is named", "name one, e.g. hffm compare tiny; or use --list")
    given = load_scenario(scenario)
    published = published_rows(given)
    names = [name.strip() for text in methods for name in text.split(",") if name.strip()] if methods else None
    if names == []:
        raise InputError.one(
            "--methods", "no method is named", "name some, e.g. --methods star,optimal, or leave it out"
        )
    with screen.waiting(f"Comparing on {given.name}") as progress:
        comparison = api.compare(
            given,
            names,
            objective=objective,
            target=target,
            latency_weight=latency_weight,
            energy_weight=energy_weight,
            max_drift=max_drift,
            gap=gap,
            time_limit=time_limit,
            seed=seed,
            draws=draws if draws is not None else dict.fromkeys(published, PAPER_DRAWS),
            progress=progress,
        )
    if json:
        screen.document(view.comparison_json(comparison, published))
    else:
        screen.show(*view.comparison_view(comparison, published))


def _list_methods(json: bool) -> None:
    from hffm_opt.cli.views import compare as view
    from hffm_opt.solvers.heuristics.catalogue import GRAMMAR
    from hffm_opt.solvers.registry import METHODS

    if json:
        screen.document(view.methods_json(METHODS.values(), GRAMMAR))
    else:
        screen.show(*view.methods_view(METHODS.values(), GRAMMAR))
