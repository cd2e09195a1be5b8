"""Runs that differ in the seed alone are one line with an interval."""

from __future__ import annotations

import numpy as np
import pytest
from pages import Page
from report_cases import run_directory
from scipy import stats

from hffm_opt.report import Run, numbers, read_run, render_report
from hffm_opt.report.repeats import interval, interval_words, run_groups
from hffm_opt.report.words import saving


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ...]:
    place = tmp_path_factory.mktemp("seeds")
    return tuple(read_run(run_directory(place / f"star-{seed}", "tiny", "star", 3, seed)) for seed in range(3))


def test_three_values_have_students_interval_and_two_their_range() -> None:
    values = [0.2, 0.5, 0.4, 0.45]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), rel=1e-12)
    assert (interval([3.0, 1.0]).low, interval([3.0, 1.0]).high) == (1.0, 3.0)
    assert interval([2.0]).low == interval([2.0]).high == 2.0
    assert "Student" in interval_words([1, 3]) and "two seeds" in interval_words([2]) and interval_words([1]) == ""


def test_seeds_of_one_method_are_a_group_and_nothing_else_is(seeds: tuple[Run, ...], runs: tuple[Run, ...]) -> None:
    found = run_groups([seeds[0], runs[0], *seeds[1:], seeds[0], runs[2]])
    # The same seed twice is not one more draw, and six rounds are not three.
    assert [[run.name for run in group.runs] for group in found] == [
        ["star-0", "star-1", "star-2"],
        ["h-fedfm-2+d2d"],
        ["star-0"],
        ["star"],
    ]


def test_the_curve_of_a_group_is_the_mean_of_its_runs(seeds: tuple[Run, ...]) -> None:
    (group,) = run_groups(seeds)
    for i, point in enumerate(group.curve):
        points = [run.measurement.curve[i] for run in seeds]
        assert point.clock_s == pytest.approx(np.mean([p.clock_s for p in points]))
        for task, found in point.accuracy.items():
            assert found == interval([p.accuracy[task] for p in points])


def test_the_page_has_one_line_per_group(seeds: tuple[Run, ...], runs: tuple[Run, ...]) -> None:
    page = Page(render_report([*seeds, runs[1]]))
    assert page.faults == []
    assert "star (3 seeds)" in page.text and "after Student's t" in page.text
    for task in ("digits", "shapes"):
        found = interval([run.measurement.accuracy[task] for run in seeds])
        shown = "\u00a0to\u00a0".join(map(numbers.percent, (found.low, found.high)))
        assert f"{numbers.percent(found.mean)} ({shown})" in page.text
    assert sum("star (3 seeds) ends at" in label for label in page.having("aria-label")) == 4
    assert len(page.named("details")) == 1
    # A method is not held against itself.
    found = saving(run_groups([*seeds, runs[1]]), None)
    assert found is not None and found.reference == "h-fedfm-2"
    assert saving(run_groups(seeds), None) is None
