"""The whole page: what stands above the sections of the single runs, and the template filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hffm_opt.report import numbers
from hffm_opt.report.compared import ComparedMethod, ComparedMethods, DrawnFigure
from hffm_opt.report.figures.accuracy import accuracy_figure
from hffm_opt.report.figures.series import Series, series
from hffm_opt.report.run import Run
from hffm_opt.report.svg import Drawing
from hffm_opt.report.view import run_view
from hffm_opt.report.words import certificate, phase_words, saving, to_common_target


@dataclass(frozen=True)
class Bar:
    """A number in a table with a bar behind it; ``width`` is in percent of the column's largest."""

    text: str
    width: float
    draws: str = ""


@dataclass(frozen=True)
class ComparedRow:
    """One line of the table of methods."""

    row: ComparedMethod
    latency: Bar
    energy: Bar
    best: bool


@dataclass(frozen=True)
class TaskFigures:
    """The curves of one task."""

    task: str
    against_time: Drawing
    against_energy: Drawing


def render(runs: Sequence[Run], comparison: ComparedMethods | None) -> str:
    """Return the page as text; equal input gives equal bytes."""
    measurements = [run.measurement for run in runs]
    template = _environment().get_template("report.html.j2")
    return template.render(
        runs=runs,
        labels=run_labels(runs),
        looks=[series(i) for i in range(len(runs))],
        views=[run_view(run, f"r{i}") for i, run in enumerate(runs)],
        certificates=[certificate(run.outcome) for run in runs],
        phases=[phase_words(m) for m in measurements],
        saving=saving(runs, comparison),
        target=to_common_target(measurements),
        comparison=comparison,
        compared=[] if comparison is None else _compared(comparison),
        tasks=_tasks(runs),
        several_scenarios=len({m.fingerprint for m in measurements}) > 1,
        n=numbers,
    )


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return a name for every run: its method, with the directory's name where the method alone is not unique."""
    methods = [run.measurement.method for run in runs]
    return [
        method if methods.count(method) == 1 else f"{method} ({run.name})"
        for method, run in zip(methods, runs, strict=True)
    ]


def _compared(comparison: ComparedMethods) -> list[ComparedRow]:
    longest = max((row.latency_s or 0.0 for row in comparison.rows), default=0.0)
    most = max((row.energy_j or 0.0 for row in comparison.rows), default=0.0)
    least = min((row.objective for row in comparison.rows if row.objective is not None), default=None)
    return [
        ComparedRow(
            row,
            _bar(row.latency_s, longest, row.draws.latency_s if row.draws else None),
            _bar(row.energy_j, most, row.draws.energy_j if row.draws else None),
            row.feasible and row.objective is not None and row.objective == least,
        )
        for row in comparison.rows
    ]


def _bar(value: float | None, largest: float, drawn: DrawnFigure | None) -> Bar:
    if value is None:
        return Bar("—", 0.0)
    draws = "" if drawn is None else " / ".join(map(numbers.number, (drawn.low, drawn.median, drawn.high)))
    return Bar(numbers.number(value), round(100 * value / largest, 2) if largest > 0 else 0.0, draws)


def _tasks(runs: Sequence[Run]) -> list[TaskFigures]:
    measurements, labels = [run.measurement for run in runs], run_labels(runs)
    names = dict.fromkeys(task for m in measurements for point in m.curve for task in point.accuracy)
    return [
        TaskFigures(
            task,
            accuracy_figure(measurements, labels, task, "clock_s", f"t{i}-time"),
            accuracy_figure(measurements, labels, task, "energy_j", f"t{i}-energy"),
        )
        for i, task in enumerate(names)
    ]


@cache
def _environment() -> Environment:
    loader = PackageLoader("hffm_opt.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = _drawing
    environment.filters["css_border"] = _css_border
    # Style and script are the package's own files; everything else in the page is escaped.
    environment.globals["asset"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment


def _drawing(drawing: Drawing) -> Markup:
    """Pass a drawing through unescaped: the SVG writer has escaped the texts in it."""
    return Markup(drawing.svg)


def _css_border(look: Series) -> str:
    return f"border-top: 3px {look.dash} var(--{look.ink})"
