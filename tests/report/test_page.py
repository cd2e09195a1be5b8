"""The page is whole, self-contained, says what was measured, and is the same each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pages import Page, outward_references
from report_cases import run_directory

import hffm_opt
from hffm_opt.comparison import Comparison, Draws, Spread
from hffm_opt.report import Run, numbers, read_run, render_report, write_report
from hffm_opt.report.svg import INKS
from hffm_opt.scenario.read import load_scenario
from hffm_opt.steps import Step


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    found = hffm_opt.compare("tiny", ["star", "edge-only", "h-fedfm-2+d2d"])
    drawn = Draws(7, Spread(3.25, 3.125, 3.375), Spread(3.0, 2.875, 3.0625))
    rows = [replace(row, draws=drawn) if row.method == "h-fedfm-2+d2d" else row for row in found.rows]
    least = min(row.objective for row in rows if row.objective is not None)
    return replace(
        found, bound=0.8 * least, rows=tuple(replace(r, gap_to_bound=0.2) if r.feasible else r for r in rows)
    )


@pytest.fixture(scope="module")
def text(runs: tuple[Run, ...], comparison: Comparison) -> str:
    return render_report(runs, comparison=comparison)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_page_is_well_formed_with_unique_identifiers(page: Page) -> None:
    assert page.faults == []
    assert [name for name, count in Counter(page.having("id")).items() if count > 1] == []
    identifiers = set(page.having("id"))
    referred = [value.removeprefix("#") for value in page.having("href")] + page.having("aria-labelledby")
    clipped = [path for value in page.having("clip-path") for path in re.findall(r"url\(#([^)]*)\)", value)]
    assert clipped and set(referred + clipped) <= identifiers


def test_page_fetches_nothing(text: str, page: Page) -> None:
    assert outward_references(text) == []
    policies = [m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "fetching",
    [
        '<img src="x.png">',
        '<link rel="stylesheet" href="a.css">',
        "<style>@import 'a.css';</style>",
        "<style>i { background: url(x.png) }</style>",
        '<script src="//cdn.example.org/x.js"></script>',
        "<script>fetch('x')</script>",
        '<svg><use href="icons.svg#a"/></svg>',
    ],
)
def test_the_check_for_references_finds_them(fetching: str) -> None:
    assert outward_references(f"<html>{fetching}</html>")


def test_measured_figures_are_on_the_page(page: Page, runs: tuple[Run, ...]) -> None:
    for run in runs:
        m = run.measurement
        for shown in (
            numbers.seconds(m.measured.latency_s),
            numbers.joules(m.measured.energy_j),
            numbers.megabytes(m.measured.bits),
            numbers.joules(m.predicted.energy_j),
            *map(numbers.percent, m.accuracy.values()),
        ):
            assert shown in page.text
        assert m.fingerprint in page.text
    for share in runs[0].measurement.baseline.values():
        assert f"majority answer {numbers.percent(share)}" in page.text
    assert runs[0].trace.header.provenance.commit in page.text


def test_headline_names_what_was_saved_against_the_cheapest_other_run(page: Page, runs: tuple[Run, ...]) -> None:
    mine, other = (run.measurement.measured for run in runs[:2])
    assert mine.latency_s < other.latency_s and mine.energy_j < other.energy_j
    saved_s, saved_j = other.latency_s - mine.latency_s, other.energy_j - mine.energy_j
    assert f"{numbers.percent(saved_s / other.latency_s)} less time" in page.text
    assert f"{numbers.percent(saved_j / other.energy_j)} less energy per round than h-fedfm-2" in page.text
    assert f"{numbers.seconds(saved_s)} less and {numbers.joules(saved_j)} less over 6 rounds" in page.text


def test_methods_are_shown_with_gap_reason_and_draws(page: Page, comparison: Comparison) -> None:
    rows = {row.method: row for row in comparison.rows}
    assert f"not feasible: {rows['edge-only'].reason}" in page.text
    assert numbers.gap(0.2) in page.text
    assert numbers.number(comparison.bound, 6) in page.text
    assert "3.125 / 3.25 / 3.375" in page.text and "of 7 random draws" in page.text
    assert page.text.count("best ") and "h-fedfm-2+d2d best" in page.text


def test_every_figure_says_what_it_shows(page: Page, runs: tuple[Run, ...]) -> None:
    drawings = page.named("svg")
    labels = [drawing["aria-label"] for drawing in drawings]
    assert all(drawing["role"] == "img" for drawing in drawings)
    for words in ("Map of the network: 6 devices around 2 edge servers", "Cell edge-0: 3 devices", "Energy by cell"):
        assert sum(words in label for label in labels) >= len(runs)
    for task in ("digits", "shapes"):
        for cost in ("simulated seconds", "joules"):
            (label,) = (label for label in labels if label.startswith(f"Accuracy on {task} against {cost}"))
            for run in runs:
                assert f"{run.measurement.method} ends at" in label


def test_drawings_use_the_colours_of_the_page_alone(text: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    used = set(re.findall(r"#[0-9a-fA-F]{6}\b", drawings))
    assert used == set()
    styles = text[text.index("<style>") : text.index("</style>")]
    for ink in INKS:
        # Light, dark and print each define it.
        assert len(re.findall(rf"--{ink}: #", styles)) == 3


def test_equal_input_gives_equal_bytes_in_another_process_too(directories: tuple[Path, ...], tmp_path: Path) -> None:
    told: list[str] = []
    first = write_report(directories[:1], tmp_path / "a.html", progress=told.append)
    assert [(step, step.done, step.total) for step in told if isinstance(step, Step)] == [
        (f"reading {directories[0]}", 0, 2),
        ("drawing the page", 1, 2),
    ]
    second = tmp_path / "b.html"
    code = "import sys; from pathlib import Path; from hffm_opt.report import write_report; "
    code += "write_report([Path(sys.argv[1])], Path(sys.argv[2]))"
    # Another hash seed, so that the order of a set would show.
    environment = os.environ | {"PYTHONHASHSEED": "1234"}
    subprocess.run([sys.executable, "-c", code, str(directories[0]), str(second)], check=True, env=environment)
    assert second.read_bytes() == first.read_bytes()


def test_calendar_shows_the_tier_of_each_module_and_round(runs: tuple[Run, ...]) -> None:
    page = Page(render_report(runs[:1]))
    tiers = [a["class"] for tag, a in page.elements if tag == "td" and a.get("class", "").startswith("tier-")]
    assert tiers == ["tier-d2d", "tier-cloud"] * len(runs[0].problem.modules)


def test_hostile_texts_are_escaped(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $\\frac{1}{2}$ &amp; {{ 7 * 7 }}"
    scenario = load_scenario("tiny").model_copy(update={"description": hostile})
    directory = run_directory(tmp_path / "<b>run & 'co'", scenario, "star", 2)
    text = render_report([read_run(directory)] * 2)
    page = Page(text)
    assert page.faults == [] and hostile in page.text
    # The data of each run's rounds, and the page's own script.
    assert page.named("script") == [{"type": "application/json"}] * 2 + [{}] and page.named("img") == []
    assert "star (<b>run & 'co')" in page.text and "<b>run" not in text


def test_one_device_in_one_cell_has_a_page(tmp_path: Path) -> None:
    tiny = load_scenario("tiny")
    alone = tiny.model_copy(update={"name": "alone", "edges": tiny.edges[:1], "devices": tiny.devices[:1]})
    text = render_report([read_run(run_directory(tmp_path / "run", alone, "h-fedfm-2", 2))])
    page = Page(text)
    assert page.faults == []
    assert "Cell edge-0: 1 devices" not in text and any("1 device" in label for label in page.having("aria-label"))


def test_allocation_is_shown_where_it_was_free(tmp_path: Path) -> None:
    text = render_report([read_run(run_directory(tmp_path / "run", "paper-si", "h-fedfm-8+d2d", 2))])
    page = Page(text)
    assert page.faults == [] and outward_references(text) == []
    shares = [label for label in page.having("aria-label") if label.startswith("Share of")]
    assert len(shares) == 2
    # Three equal shares of the 8 MHz for D2D, one uploader alone on 4 MHz, four equal shares of 20 MHz.
    for shown in ("2.67 MHz", "4 MHz", "5 MHz"):
        assert shown in page.text
    assert sum(label.startswith("Cell edge-") for label in page.having("aria-label")) == 2 * 10


def test_an_interrupted_run_says_so(directories: tuple[Path, ...]) -> None:
    run = read_run(directories[0])
    short = replace(run, measurement=run.measurement.model_copy(update={"complete": False}))
    assert "The run stopped early:" in Page(render_report([short])).text
    assert "The run stopped early:" not in Page(render_report([run])).text


def test_a_long_run_says_which_rounds_are_kept(runs: tuple[Run, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "This page keeps" not in Page(render_report(runs[:1])).text
    monkeypatch.setattr("hffm_opt.report.page.MOST_TRANSFERS", 12)
    # The rounds that reach the cloud move more than fits; round 1 moves four up to the heads and four back.
    assert "This page keeps 1 of 6 rounds, with 8 transfers: one in 7" in Page(render_report(runs[:1])).text
