"""The command that shows runs and answers as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hffm_opt.cli import options, screen


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Directories of runs or of answers, the one to feature first."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, help="The page to write (default: report.html in the first run)."),
    ] = None,
    front: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Latency-energy front that 'hffm plan --objective pareto -o FILE' wrote."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="Write every figure there too, as SVG and as PDF."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write one self-contained HTML page about runs of any kind, and answers ('hffm infer -o'), in any mix.

    Runs that differ in the seed alone are shown as their mean with an interval.
    """
    from hffm_opt.plan.files import load_front
    from hffm_opt.report import write_report
    from hffm_opt.serial import check_writable

    if out is not None:
        check_writable(out, *([] if front is None else [front]))
    if figures is not None:
        check_writable(figures / "figure.svg")
    with screen.waiting("Writing the report") as progress:
        known = None if front is None else load_front(front)
        path = write_report(runs, out or runs[0] / "report.html", progress=progress, front=known, figures=figures)
    if json:
        screen.document({"path": str(path)} | ({} if figures is None else {"figures": str(figures)}))
    else:
        screen.show(f"Report: {path}" + ("" if figures is None else f", figures in {figures}"))
