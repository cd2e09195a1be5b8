"""The page in a real browser: no error, no request, the slider moves, readable in the dark, on a phone and on paper.

Collected only where ``HFFM_BROWSER`` names a Chromium, as ``make test`` does if it finds one:
``HFFM_BROWSER=/usr/bin/chromium pytest tests/report``. What can be told without a browser is in ``test_page``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Tab, chromium
from changed_cases import GONE, changed_run

from hffm_opt.report import write_report

ARROWS = "document.querySelectorAll('.replay .moves path').length"
ROUND = "document.querySelector('.replay [data-says=round]').textContent"
PAPER = "getComputedStyle(document.body).backgroundColor"
RIGHT, LEFT, END = ("ArrowRight", 39), ("ArrowLeft", 37), ("End", 35)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(os.environ["HFFM_BROWSER"], tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


@pytest.fixture(scope="module")
def report(directories: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page about four runs, of which the first one's plan changed."""
    place = tmp_path_factory.mktemp("page")
    changed_run(place / "changed")
    return write_report([place / "changed", *directories], place / "report.html")


def said(tab: Tab, name: str) -> str:
    """Return what stands beside the first map."""
    return str(tab.value(f"document.querySelector('.replay [data-says={name}]').textContent"))


def test_the_page_works_offline_without_complaint(tab: Tab, report: Path) -> None:
    tab.open(report)
    assert tab.complaints == [] and tab.requests == [report.as_uri()]
    # Plans of the first run, then kinds of round of each; star has one kind only.
    shown = tab.value("[...document.querySelectorAll('.chooser')].map(c => [...c.children].map(b => b.ariaPressed))")
    assert shown == [["true", "false"], *[["false", "true"]] * 4]
    assert tab.value("[...document.querySelectorAll('.choice.off')].length") == 5


def test_the_slider_follows_the_keys_and_tells_what_moved(tab: Tab, report: Path) -> None:
    tab.open(report)
    assert tab.value("document.querySelector('.scriptless')") is None
    assert (tab.value(ROUND), said(tab, "sat"), said(tab, "flag")) == ("1", "nobody", "")
    # The first round goes to the heads and back, the second to the cloud: more moves.
    few = tab.value(ARROWS)
    tab.value("document.querySelector('.replay input').focus()")
    tab.press(*RIGHT)
    assert tab.value(ROUND) == "2" and tab.value("location.hash") == "#round=2"
    assert tab.value(ARROWS) > few > 0
    assert "cloud" in said(tab, "tiers")
    for _ in range(3):
        tab.press(*RIGHT)
    assert (tab.value(ROUND), said(tab, "sat"), said(tab, "flag")) == ("5", GONE, "a new plan is in force")
    assert tab.value("document.querySelectorAll('.crosses path').length") == 1
    tab.press(*LEFT)
    assert (tab.value(ROUND), said(tab, "flag")) == ("4", "")
    tab.press(*END)
    assert tab.value(ROUND) == "8"
    assert tab.value("document.querySelector('.replay input').ariaValueText") == "round 8 of 8"
    assert tab.complaints == []


def test_the_script_tells_the_first_round_as_the_page_does_without_it(tab: Tab, report: Path) -> None:
    tab.open(report)
    read = "[...{}.querySelectorAll('.replay dd, .replay .steps td, .replay .steps th')].map(e => e.textContent)"
    source = f"new DOMParser().parseFromString({report.read_text()!r}, 'text/html')"
    told = tab.value(read.format("document"))
    assert len(told) > 4 * 10
    assert told == tab.value(read.format(f"({source})"))


def test_without_scripts_the_first_round_is_shown_and_the_page_says_so(tab: Tab, report: Path) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(report, "#round=5")
    tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert tab.complaints == []
    assert "so this is round 1 alone" in tab.value("document.querySelector('.replay .scriptless').textContent")
    assert tab.value("document.querySelector('.replay .player').offsetHeight") == 0
    assert tab.value("document.querySelectorAll('.replay svg [id*=\"-move-\"]').length") > 0
    assert tab.value("[...document.querySelectorAll('.choice')].every(c => !c.classList.contains('off'))")


def test_the_address_names_a_round(tab: Tab, report: Path) -> None:
    tab.open(report, "#round=6")
    rounds = tab.value("[...document.querySelectorAll('.replay')].map(r => r.dataset.round)")
    assert rounds == ["6"] * 4
    tab.value("location.hash = '#round=3'; new Promise(requestAnimationFrame)")
    assert tab.value(ROUND) == "3"
    tab.open(report, "#round=99")
    assert tab.value(ROUND) == "8"


def test_play_goes_on_by_itself_until_it_is_paused(tab: Tab, report: Path) -> None:
    tab.open(report)
    tab.click(".replay .play")
    seen = "new Promise(done => { const t = setInterval(() => { if (R > 1) { clearInterval(t); done(R); } }, 50); })"
    assert tab.value(seen.replace("R", f"Number({ROUND})")) == 2
    tab.click(".replay .play")
    assert tab.value("document.querySelector('.play').textContent") == "Play"
    assert tab.complaints == []


def test_choosing_a_plan_shows_its_calendar(tab: Tab, report: Path) -> None:
    tab.open(report)
    visible = "[...document.querySelectorAll('.choices[data-label=Plan] > .choice')].map(p => p.offsetHeight > 0)"
    assert tab.value(visible) == [True, False]
    tab.click(".chooser button:last-child")
    assert tab.value(visible) == [False, True]
    assert "rounds 5 to 8" in tab.value("document.querySelector('.choice:not(.off) h2').textContent")


def test_light_and_dark_displays_and_phones(tab: Tab, report: Path) -> None:
    tab.open(report)
    assert tab.value(PAPER) == "rgb(254, 254, 253)"
    tab.open(report, phone=True, dark=True)
    assert tab.value(PAPER) == "rgb(20, 23, 26)"
    # Nothing is wider than the phone, also where the other runs are unfolded.
    tab.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert tab.value("document.documentElement.scrollWidth") == 360
    assert tab.complaints == []


def test_every_kind_of_section_works_offline_and_fits_a_phone(
    tab: Tab, answers: Path, relayed: Path, placed: Path, tmp_path: Path
) -> None:
    page = write_report([answers, relayed, placed], tmp_path / "all.html")
    for phone, dark in ((False, False), (True, True)):
        tab.open(page, phone=phone, dark=dark)
        assert tab.complaints == [] and tab.requests == [page.as_uri()]
        assert tab.value("document.documentElement.scrollWidth") == (360 if phone else 1200)
        titles = tab.value("[...document.querySelectorAll('main > section > h2')].map(h => h.id)")
        assert titles[0] == "headline" and {"s0-answers", "s1-copies", "s2-experts"} < set(titles)
    # A chain keeps its size on a phone and is scrolled.
    assert tab.value("(f => f.scrollWidth > f.clientWidth)(document.querySelector('.chain'))")


def test_paper_has_every_run_and_light_colours(tab: Tab, report: Path) -> None:
    tab.open(report, "#round=5", dark=True)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", printed)) >= 4
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.value(PAPER) == "rgb(255, 255, 255)"
    assert tab.value("document.querySelector('.player').offsetHeight") == 0
    assert tab.value("[...document.querySelectorAll('.choice')].every(c => c.offsetHeight > 0)")
    assert tab.value(ROUND) == "5"


def test_a_visit_notices_errors_and_requests(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text('<img src="https://hffm.invalid/x.png"><script>nonsense()</script>')
    tab.open(path)
    assert any("nonsense" in complaint for complaint in tab.complaints)
    assert "https://hffm.invalid/x.png" in tab.requests
