"""Figures as files stand by themselves: valid SVG with plain colours and a legend, and PDF."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from report_cases import outcome_of, run_directory

from hffm_opt.errors import InputError
from hffm_opt.plan.front import ParetoFront
from hffm_opt.report import Run, read_run, render_report
from hffm_opt.report.files import standalone, write_figures
from hffm_opt.report.page import Contents, contents
from hffm_opt.report.svg import INKS
from hffm_opt.scenario.read import load_scenario


@pytest.fixture(scope="module")
def front() -> ParetoFront:
    best = outcome_of(load_scenario("tiny"), "h-fedfm-2+d2d")
    return ParetoFront(
        scenario=best.plan.scenario,
        latency_bound_s=0.5 * best.latency_s,
        energy_bound_j=0.5 * best.energy_j,
        points=(best,),
        max_latency_s=(best.latency_s,),
    )


@pytest.fixture(scope="module")
def page(runs: tuple[Run, ...], front: ParetoFront) -> Contents:
    return contents(runs[2:], None, front)


@pytest.fixture(scope="module")
def written(page: Contents, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_figures(page, tmp_path_factory.mktemp("figures"))


def test_every_figure_is_there_twice(written: tuple[Path, ...]) -> None:
    stems = [path.stem for path in written if path.suffix == ".svg"]
    assert stems == [path.stem for path in written if path.suffix == ".pdf"]
    assert len(set(stems)) == len(stems)
    for name in ("accuracy-digits-time", "accuracy-shapes-energy", "front", "run1-star-round-1", "run1-star-time"):
        assert name in stems
    assert {f"run1-star-{name}" for name in ("energy", "busy", "calendar", "kind1-network", "kind1-edge-0")} <= set(
        stems
    )


def test_svg_files_need_no_page_around_them(written: tuple[Path, ...]) -> None:
    for path in written:
        if path.suffix == ".svg":
            text = path.read_text()
            root = ET.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert root.attrib["width"].endswith("pt") and root.attrib["aria-label"]
            assert "var(" not in text and "prefers-color-scheme: dark" in text
            light = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
            assert {colour.lower() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", light)} <= set(INKS.values())


def test_files_have_the_legend_that_the_page_has_around_them(written: tuple[Path, ...], page: Contents) -> None:
    texts = {path.stem: path.read_text() for path in written if path.suffix == ".svg"}
    assert ">all modules<" in texts["run1-star-kind1-network"] and ">star<" in texts["accuracy-digits-time"]
    assert ">training on devices<" in texts["run1-star-time"]
    assert ">all modules<" not in page.views[0].plans[0].kinds[0].drawing.svg


def test_pdf_files_are_whole_and_the_same_each_time(written: tuple[Path, ...], page: Contents) -> None:
    for path in written:
        if path.suffix == ".pdf":
            data = path.read_bytes()
            assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    drawing = page.tasks[0].against_time
    assert drawing.file("pdf") == drawing.file("pdf") and standalone(drawing) == standalone(drawing)


def test_the_front_marks_the_plans_that_were_run(page: Contents, front: ParetoFront, runs: tuple[Run, ...]) -> None:
    assert page.front is not None
    label = page.front.label
    assert f"{len(front.points)} points" in label and "star at" in label
    assert "plan that was run" in page.front.svg and "Latency against energy" in render_report(runs[2:], front=front)


def test_a_front_of_another_scenario_is_refused(front: ParetoFront, tmp_path: Path) -> None:
    tiny = load_scenario("tiny")
    other = tiny.model_copy(update={"name": "other", "edges": tiny.edges[:1], "devices": tiny.devices[:3]})
    run = read_run(run_directory(tmp_path / "run", other, "star", 1))
    with pytest.raises(InputError, match="it is the front of scenario 'tiny'"):
        render_report([run], front=front)
