"""Directories in; one HTML file out, and its figures as files if asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hffm_opt.plan.front import ParetoFront
from hffm_opt.report.compared import ComparedMethods
from hffm_opt.report.directories import files_in, read_directories
from hffm_opt.report.run import Run
from hffm_opt.serial import check_writable, write_text
from hffm_opt.steps import pieces

Progress = Callable[[str], None]


def write_report(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    comparison: ComparedMethods | None = None,
    progress: Progress = lambda _: None,
    front: ParetoFront | None = None,
    figures: Path | None = None,
) -> Path:
    """Write one self-contained HTML page about one or several directories and return its path.

    The page needs no network and no other file. Equal input gives equal bytes. Runs of one method on one scenario that
    differ in the seed alone are shown as their mean with an interval.

    Args:
        run_dirs: directories as ``hffm train`` and ``hffm infer -o`` write them, in any mix. The headline is about the
            first.
        out: where to write the page.
        comparison: methods planned for the first run's scenario, as :func:`hffm_opt.compare` returns them.
        progress: told which run is read, and when the page is drawn.
        front: the latency-energy front of a run's scenario, as :func:`hffm_opt.pareto` returns it.
        figures: a directory to write every figure to, as SVG and as PDF.

    Raises:
        InputError: no directory, or directories that are missing, incomplete, broken or of no known kind, all findings
            at once; the front of another scenario; ``out`` is a file of one of the directories.

    Example:
        >>> write_report([], Path("report.html"))
        Traceback (most recent call last):
        ...
        hffm_opt.errors.InputError: RUN: no run directory -- name at least one that 'hffm train' wrote
    """
    check_writable(out, *(path for directory in run_dirs for path in files_in(Path(directory))))
    begin = pieces(progress, len(run_dirs) + 1)
    found = read_directories(run_dirs, begin)
    begin("drawing the page")
    # matplotlib takes long to load, and reading a broken directory should not wait for it.
    from hffm_opt.report.files import write_figures
    from hffm_opt.report.page import contents, render

    page = contents(found.runs, comparison, front, found.subjects, found.lead)
    write_text(out, render(page))
    if figures is not None:
        write_figures(page, figures)
    return out


def render_report(
    runs: Sequence[Run],
    *,
    comparison: ComparedMethods | None = None,
    front: ParetoFront | None = None,
) -> str:
    """Return the page about at least one run as text; the arguments are those of :func:`write_report`."""
    from hffm_opt.report.page import contents, render

    return render(contents(runs, comparison, front))
