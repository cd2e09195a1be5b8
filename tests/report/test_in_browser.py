"""The page in a real browser: no error, no request, the script does its work.

Collected only where ``HFFM_BROWSER`` names a Chromium: ``HFFM_BROWSER=/usr/bin/chromium pytest tests/report``. What
can be told without a browser is in ``test_page``.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pages import Page

from hffm_opt.report import write_report

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--dump-dom",
)
# A fresh profile makes Chromium call its maker, whatever page it shows.
BROWSERS_OWN = re.compile(r"https?://[\w.]*\.(?:google|googleapis|gstatic)\.com(?:/|$)")


@dataclass(frozen=True)
class Visit:
    """What a browser complained about, what it asked for, and the document after its scripts ran."""

    complaints: list[str]
    requests: set[str]
    document: str


def visit(path: Path, place: Path, *options: str) -> Visit:
    """Open a file in the browser."""
    log = place / "net.json"
    profile = f"--user-data-dir={place / 'profile'}"
    command = [os.environ["HFFM_BROWSER"], *FLAGS, profile, f"--log-net-log={log}", *options, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    asked = set(re.findall(r'"(?:url|original_url)":"(https?://[^"]*)"', log.read_text(encoding="utf-8")))
    return Visit(
        complaints=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
        requests={url for url in asked if not BROWSERS_OWN.match(url)},
        document=done.stdout,
    )


def test_the_page_works_offline_without_complaint(directories: tuple[Path, ...], tmp_path: Path) -> None:
    seen = visit(write_report(directories, tmp_path / "report.html"), tmp_path)
    assert seen.complaints == [] and seen.requests == set()
    page = Page(seen.document)
    shown = [a["class"] for _, a in page.elements if a.get("class") in ("kind", "kind off")]
    # Two kinds of round in the first two runs, one in star's, of which one each is shown.
    assert shown == ["kind off", "kind", "kind off", "kind", "kind"]
    assert [a["aria-pressed"] for a in page.named("button")] == ["false", "true"] * 2


def test_nothing_is_wider_than_a_phone(directories: tuple[Path, ...], tmp_path: Path) -> None:
    report = write_report(directories, tmp_path / "report.html")
    frame = tmp_path / "frame.html"
    # A window is at least 500 px wide, a frame is not.
    frame.write_text(
        f'<iframe src="{report.name}" style="width: 360px; height: 800px"></iframe><script>'
        "addEventListener('load', () => { const page = document.querySelector('iframe').contentDocument;"
        "document.title = `width ${page.documentElement.scrollWidth}`; });</script>"
    )
    document = visit(frame, tmp_path, "--allow-file-access-from-files").document
    (width,) = re.findall(r"<title>width (\d+)</title>", document)
    assert int(width) <= 360


def test_a_visit_notices_errors_and_requests(tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text('<img src="https://hffm.invalid/x.png"><script>nonsense()</script>')
    seen = visit(path, tmp_path)
    assert len(seen.complaints) >= 1 and "nonsense" in seen.complaints[0]
    assert "https://hffm.invalid/x.png" in seen.requests
