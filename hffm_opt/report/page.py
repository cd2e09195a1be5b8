"""The whole page: what stands above the sections of the single runs, and the template filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hffm_opt.errors import InputError
from hffm_opt.plan.front import ParetoFront
from hffm_opt.report import numbers
from hffm_opt.report.compared import ComparedMethod, ComparedMethods, DrawnFigure
from hffm_opt.report.figures.accuracy import accuracy_figure, changes_at
from hffm_opt.report.figures.front import front_figure
from hffm_opt.report.figures.series import Series, series
from hffm_opt.report.lead import Lead
from hffm_opt.report.repeats import RunGroup, interval_words, run_groups
from hffm_opt.report.replay import MOST_TRANSFERS
from hffm_opt.report.run import Run
from hffm_opt.report.runs_table import group_rows, headline
from hffm_opt.report.sections import Section, sections_of
from hffm_opt.report.svg import Drawing
from hffm_opt.report.view import MOST_CELLS, RunView, run_view
from hffm_opt.report.words import certificate, phase_words, saving, to_common_target

_WITH_CELLS = 4  # runs whose cells are drawn by themselves; a page about many would grow too large to open on a phone


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


@dataclass(frozen=True, eq=False)
class Contents:
    """All that the page shows, and the drawings of which there are files too."""

    runs: tuple[Run, ...]
    groups: tuple[RunGroup, ...]
    labels: tuple[str, ...]
    views: tuple[RunView, ...]
    comparison: ComparedMethods | None
    tasks: tuple[TaskFigures, ...]
    front: Drawing | None
    sections: tuple[Section, ...] = ()
    lead: Lead | None = None


def contents(
    runs: Sequence[Run],
    comparison: ComparedMethods | None,
    front: ParetoFront | None = None,
    subjects: Sequence[object] = (),
    lead: object | None = None,
) -> Contents:
    """Return what a page about runs shows.

    Args:
        runs: the first one, and those that differ from it in the seed alone, are featured.
        comparison: methods planned for the first run's scenario.
        front: the latency-energy front of the first run's scenario.
        subjects: what else has a section of the page (:data:`hffm_opt.report.sections.SECTIONS`).
        lead: the one of them that the headline is about, if it is not about the first run; needed without runs.

    Raises:
        InputError: the front is of another scenario than all runs.
    """
    groups = run_groups(runs)
    labels = group_labels(groups)
    most = MOST_TRANSFERS // max(len(groups), 1)
    sections = sections_of(subjects)
    views = (run_view(g.first, f"r{i}", most, MOST_CELLS if i < _WITH_CELLS else 0) for i, g in enumerate(groups))
    return Contents(
        runs=tuple(runs),
        groups=groups,
        labels=labels,
        views=tuple(views),
        comparison=comparison,
        tasks=_tasks(groups, labels),
        front=None if front is None else _front(front, comparison, groups, labels),
        sections=sections,
        lead=next((section.view.lead for section in sections if section.subject is lead), None),
    )


def render(page: Contents) -> str:
    """Return the page as text; equal input gives equal bytes."""
    runs, groups, comparison = page.runs, page.groups, page.comparison
    measurements = [run.measurement for run in runs]
    target = to_common_target(measurements) if measurements else None
    template = _environment().get_template("report.html.j2")
    return template.render(
        page=page,
        runs=runs,
        labels=page.labels,
        looks=[series(i) for i in range(len(groups))],
        views=page.views,
        certificates=[certificate(group.first.outcome) for group in groups],
        phases=[phase_words(m) for m in measurements],
        saving=saving(groups, comparison) if groups else None,
        rows=group_rows(runs, groups, target),
        headline=headline(groups[0]) if groups else None,
        target=target,
        intervals=interval_words([group.count for group in groups]),
        changes=any(changes_at(group, "clock_s") for group in groups),
        comparison=comparison,
        compared=[] if comparison is None else _compared(comparison),
        tasks=page.tasks,
        several_scenarios=len({run.measurement.fingerprint for run in runs if not run.began}) > 1,
        phases_of_runs=any(run.began for run in runs),
        n=numbers,
    )


def group_labels(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """Return a name for every group: its method, with the directory's name where that is not unique, and its seeds."""
    methods = [group.first.measurement.method for group in groups]
    labels = []
    for method, group in zip(methods, groups, strict=True):
        more = [group.first.name] if methods.count(method) > 1 else []
        more += [f"{group.count} seeds"] if group.count > 1 else []
        labels.append(f"{method} ({', '.join(more)})" if more else method)
    return tuple(labels)


def _front(
    front: ParetoFront, comparison: ComparedMethods | None, groups: Sequence[RunGroup], labels: Sequence[str]
) -> Drawing:
    """Draw the front with the plans that were run, and beside them the other methods of the comparison.

    Raises:
        InputError: the front is of another scenario than all runs.
    """
    plans = {
        label: (group.first.evaluation.latency_s, group.first.evaluation.energy_j)
        for label, group in zip(labels, groups, strict=True)
        if group.first.plan.scenario.fingerprint == front.scenario.fingerprint
    }
    if not plans:
        raise InputError.one(
            "--front",
            f"it is the front of scenario '{front.scenario.name}' ({front.scenario.fingerprint[:12]}), and no run is",
            "plan one for the scenario that was run: hffm plan SCENARIO --objective pareto -o FILE",
        )
    run = {group.first.measurement.method for group in groups}
    beside = {
        row.method: (row.latency_s, row.energy_j)
        for row in (() if comparison is None else comparison.rows)
        if row.feasible and row.latency_s is not None and row.energy_j is not None and row.method not in run
    }
    return front_figure(front, beside, plans)


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


def _tasks(groups: Sequence[RunGroup], labels: Sequence[str]) -> tuple[TaskFigures, ...]:
    names = dict.fromkeys(task for group in groups for point in group.curve for task in point.accuracy)
    return tuple(
        TaskFigures(
            task,
            accuracy_figure(groups, labels, task, "clock_s", f"t{i}-time"),
            accuracy_figure(groups, labels, task, "energy_j", f"t{i}-energy"),
        )
        for i, task in enumerate(names)
    )


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
    environment.filters["drawn_data"] = _data
    environment.filters["css_border"] = _css_border
    # Style and script are the package's own files; everything else in the page is escaped.
    environment.globals["asset"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment


def _drawing(drawing: Drawing) -> Markup:
    """Pass a drawing through unescaped: the SVG writer has escaped the texts in it."""
    return Markup(drawing.svg)


def _data(json: str) -> Markup:
    """Pass JSON through unescaped: it has no mark that could end the element it stands in."""
    assert "<" not in json
    return Markup(json)


def _css_border(look: Series) -> str:
    return f"border-top: 3px {look.dash} var(--{look.ink})"
