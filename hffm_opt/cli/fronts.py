"""The latency-energy front on the command line: ``hffm plan --objective pareto``."""

from __future__ import annotations

from pathlib import Path

from hffm_opt.cli import screen


def show_front(
    scenario: str,
    *,
    points: int,
    max_latency: float | None,
    max_energy: float | None,
    max_drift: float | None,
    circulation: str | None,
    gap: float | None,
    time_limit: float | None,
    out: Path | None,
    figure: Path | None,
    json: bool,
) -> int:
    """Plan a front, show it, write it and draw it as asked; return the exit code."""
    from hffm_opt import api
    from hffm_opt.cli.views import front as view
    from hffm_opt.scenario.read import load_scenario
    from hffm_opt.serial import check_writable, dump_json, write_text

    given = load_scenario(scenario)
    for path in (out, figure):
        if path is not None:
            check_writable(path, scenario)
    with screen.waiting(f"Planning {given.name}") as progress:
        front = api.pareto(
            given,
            points,
            max_latency=max_latency,
            max_energy=max_energy,
            max_drift=max_drift,
            circulation=circulation,
            gap=gap,
            time_limit=time_limit,
            progress=progress,
        )
    if out is not None:
        write_text(out, dump_json(front))
    if figure is not None:
        from hffm_opt.report.figures.front import front_figure
        from hffm_opt.report.files import standalone
        from hffm_opt.solvers.registry import METHODS

        with screen.waiting("Judging the baselines") as progress:
            names = [name for name, method in METHODS.items() if not method.exact]
            rows = api.compare(given, names, max_drift=max_drift, progress=progress).rows
        judged = {
            row.method: (row.latency_s, row.energy_j)
            for row in rows
            if row.feasible and row.latency_s is not None and row.energy_j is not None
        }
        write_text(figure, standalone(front_figure(front, judged)))
        screen.note(f"Drawn to {figure}.")
    if json:
        screen.document(front.model_dump(mode="json"))
    else:
        kept = {"--max-energy": max_energy, "--max-drift": max_drift, "--circulation": circulation}
        options = [word for name, value in kept.items() if value is not None for word in (name, str(value))]
        screen.show(*view.front_view(front, screen.command("plan", scenario, *options)))
        if out is not None:
            screen.note(f"Written to {out}; each entry of its 'points' is a plan file of its own.")
    return 0
