"""Kinds of directories are told apart, and a page is about any mix of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages import Page, outward_references

from hffm_opt.errors import InputError
from hffm_opt.report import write_report
from hffm_opt.report.directories import KINDS, files_in, kind_of, read_directories
from hffm_opt.report.files import figures
from hffm_opt.report.page import contents, render


def test_every_kind_is_known_by_its_files(
    relayed: Path, answers: Path, placed: Path, directories: tuple[Path, ...], tmp_path: Path
) -> None:
    names = [kind_of(directory).name for directory in (relayed, answers, placed, directories[0])]
    assert names == [KINDS[0].name, KINDS[1].name, KINDS[-1].name, KINDS[-1].name]
    (tmp_path / "notes.txt").write_text("nothing of ours")
    with pytest.raises(InputError, match="it holds nothing to report on"):
        kind_of(tmp_path)


def test_a_mixed_page_has_every_section_and_is_about_the_first(
    relayed: Path, answers: Path, placed: Path, directories: tuple[Path, ...]
) -> None:
    found = read_directories([answers, relayed, placed, directories[0]])
    assert [run.name for run in found.runs] == ["relayed/phase-0", "relayed/phase-1", "placed", directories[0].name]
    page = contents(found.runs[-1:], None, None, found.subjects, found.lead)
    text = render(page)
    read = Page(text)
    assert read.faults == [] and outward_references(text) == []
    assert len(read.having("id")) == len(set(read.having("id")))
    for title in ("4 requests answered", "Modules copied after round 2", "Who trains which expert", "Answers by the"):
        assert title in read.text
    names = [name for name, _ in figures(page)]
    assert len(names) == len(set(names))
    assert {"copies-round-2", "fetches", "answers-chain-digits-asked", "answers-time", "answers-energy"} <= set(names)


def test_a_page_about_answers_alone_needs_no_run(answers: Path, tmp_path: Path) -> None:
    text = write_report([answers], tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.faults == [] and outward_references(text) == []
    assert "4 requests answered" in page.text and "What is proven" not in page.text
    assert text == write_report([answers], tmp_path / "again.html").read_text()


def test_pages_about_runs_alone_go_without_the_style_of_sections(
    directories: tuple[Path, ...], answers: Path, tmp_path: Path
) -> None:
    plain = write_report(directories[:1], tmp_path / "a.html").read_text()
    mixed = write_report([directories[0], answers], tmp_path / "b.html").read_text()
    assert ".chain" not in plain and ".chain" in mixed
    # The run comes first, so that the headline is about it in both.
    assert all("6 rounds of" in Page(text).text for text in (plain, mixed))


def test_all_that_is_wrong_is_told_at_once(answers: Path, relayed: Path, tmp_path: Path) -> None:
    broken, lacking = (Path(shutil.copytree(d, tmp_path / d.name)) for d in (answers, relayed))
    (broken / "plan.json").unlink()
    (lacking / "phase-1" / "trace.json").unlink()
    with pytest.raises(InputError) as caught:
        write_report([broken, lacking, tmp_path / "nowhere"], tmp_path / "page.html")
    messages = [finding.message for finding in caught.value.findings]
    assert messages == [
        "not complete answers: plan.json missing",
        "not a complete run: trace.json missing",
        "there is no such directory",
    ]
    assert not (tmp_path / "page.html").exists()


def test_a_page_takes_the_place_of_no_file_of_any_kind(answers: Path, relayed: Path, placed: Path) -> None:
    for path in (
        *(answers / name for name in ("inference.json", "plan.json", "scenario.yaml", "ledger.csv")),
        relayed / "phase-0" / "relaying.json",
        relayed / "phase-0" / "relaying-plan.json",
        placed / "placement.json",
    ):
        assert path in files_in(answers if answers in path.parents else placed if placed in path.parents else relayed)
        with pytest.raises(InputError, match="would be lost"):
            write_report([answers, relayed, placed], path)
