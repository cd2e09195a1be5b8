"""The main job in one command: check, compare, plan with a proof, train for real, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hffm_opt.cli import options, screen

if TYPE_CHECKING:
    from hffm_opt.comparison import Comparison
    from hffm_opt.plan.outcome import Outcome
    from hffm_opt.report import Run
    from hffm_opt.scenario.model import Scenario

STEPS = 5
BASELINE, BEST = "star", "optimal"
PUBLISHED_GAP = 1e-3
# A whole demo within three minutes on two cores: a percent is proven in half the time of the default.
PLANNING_GAP = 1e-2
PLANNING_SECONDS = 60.0


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for plan, runs and report.")] = Path("demo-run"),
    scenario: Annotated[str, typer.Option(help="The network to plan and train.")] = "paper-si",
    rounds: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROUNDS, help="How many rounds to train with each plan.")
    ] = 16,
    overwrite: options.Overwrite = False,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> int:
    """Do the main job on embedded network and data: compare, plan with a proof, train for real, report.

    Takes one to three minutes on two cores.
    """
    from hffm_opt import api
    from hffm_opt.cli.views import demo as view
    from hffm_opt.report import write_report
    from hffm_opt.serial import dump_json, write_text

    started = time.perf_counter()
    directories = _claim(out, overwrite)
    given = _checked(scenario, json)
    published = _compare_published(seed, json)
    comparison, best = _plan(given, seed, json)
    write_text(out / "plan.json", dump_json(best))
    made = {outcome.method: outcome for outcome in comparison.outcomes} | {BEST: best}
    runs: dict[str, Run] = {}
    for name, directory in directories.items():
        outcome = made[name] if name in made else api.plan(given, method=name, seed=seed)
        runs[name] = _train(given, outcome, rounds, seed, directory, json)
        if not runs[name].trace.complete:
            return screen.INTERRUPTED
    with _step(5, "Report", json), screen.waiting(f"{_place(5)} Writing the report") as progress:
        both = [directories[BEST], directories[BASELINE]]
        path = write_report(both, out / "report.html", comparison=comparison, progress=progress)
    if json:
        screen.document(view.demo_json(published, best, runs, path))
    else:
        screen.show(*view.summary(runs[BASELINE], runs[BEST]), view.ending(path, time.perf_counter() - started))
    return 0


def _claim(out: Path, overwrite: bool) -> dict[str, Path]:
    """Return the run directory of each method, before any work is done in vain."""
    from hffm_opt import loop

    return {name: loop.claim_directory(out / name, overwrite) for name in (BEST, BASELINE)}


def _place(number: int) -> str:
    return f"{number}/{STEPS}"


@contextmanager
def _step(number: int, title: str, json: bool) -> Iterator[None]:
    """Say what comes next: on standard output for people, else on standard error."""
    from rich.text import Text

    heading = Text(f"{_place(number)}  {title}", style="bold cyan")
    if json:
        screen.note(heading.plain)
        yield
        return
    screen.show(heading)
    yield
    screen.show("")


def _checked(scenario: str, json: bool) -> Scenario:
    from hffm_opt.cli.views import scenarios as view
    from hffm_opt.scenario.read import load_scenario

    with _step(1, f"Check {scenario}", json):
        given = load_scenario(scenario)
        if not json:
            screen.show(view.sound(given))
    return given


def _compare_published(seed: int, json: bool) -> dict[str, object]:
    """Compare all methods on the published network with the published arithmetic."""
    from hffm_opt import api
    from hffm_opt.cli.published import PUBLISHED
    from hffm_opt.cli.views import compare as view

    with _step(2, "The published case study, beside the optimum", json):
        with screen.waiting(f"{_place(2)} Comparing on paper") as progress:
            comparison = api.compare("paper", gap=PUBLISHED_GAP, seed=seed, progress=progress)
        if not json:
            screen.show(*view.comparison_view(comparison, PUBLISHED))
    return view.comparison_json(comparison, PUBLISHED)


def _plan(given: Scenario, seed: int, json: bool) -> tuple[Comparison, Outcome]:
    """Plan with every method; the optimal one comes with its certificate."""
    from hffm_opt import api
    from hffm_opt.cli.views import plan as view
    from hffm_opt.problem.build import build_problem

    with _step(3, f"Plan {given.name} with a proven bound", json):
        with screen.waiting(f"{_place(3)} Planning {given.name}") as progress:
            comparison = api.compare(given, gap=PLANNING_GAP, time_limit=PLANNING_SECONDS, seed=seed, progress=progress)
        found = {outcome.method: outcome for outcome in comparison.outcomes}
        # Nothing was found in time, or nothing is feasible: planning it alone raises what the row only tells.
        best = found[BEST] if BEST in found else api.plan(given, time_limit=PLANNING_SECONDS, seed=seed)
        if not json:
            screen.show(*view.plan_view(build_problem(given), best))
    return comparison, best


def _train(given: Scenario, outcome: Outcome, rounds: int, seed: int, directory: Path, json: bool) -> Run:
    from hffm_opt import api
    from hffm_opt.cli.figures import counted
    from hffm_opt.cli.rounds import round_progress
    from hffm_opt.cli.views import train as view

    name = outcome.method
    with _step(4, f"Train {counted(rounds, 'round')} as '{name}' plans", json):
        with round_progress(f"{_place(4)} Training {name}", rounds) as (_, on_round):
            run = api.train(given, outcome, rounds=rounds, seed=seed, out=directory, overwrite=True, on_round=on_round)
        if not json:
            screen.show(*view.run_view(run))
    return run
