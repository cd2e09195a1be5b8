"""The figures of a report as files: SVG that stands by itself, and PDF."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from hffm_opt.report.figures.calendar import calendar_figure
from hffm_opt.report.page import Contents
from hffm_opt.report.plan_view import PlanView
from hffm_opt.report.svg import INKS, Drawing, for_page
from hffm_opt.report.view import RunView
from hffm_opt.serial import write_bytes

_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_COLOUR = re.compile(r"--(\w+): (#\w{6});")
_USED = re.compile(r"(fill|stroke): var\(--(\w+)\)")
_VARIABLE = re.compile(r"var\(--(\w+)\)")
_NAMES = re.compile(r"[^a-z0-9]+")


def write_figures(page: Contents, directory: Path) -> tuple[Path, ...]:
    """Write every figure of a page to a directory as SVG and as PDF, and return the paths."""
    written: list[Path] = []
    for name, drawing in figures(page):
        for suffix, content in ((".svg", standalone(drawing).encode()), (".pdf", drawing.file("pdf"))):
            path = directory / f"{name}{suffix}"
            write_bytes(path, content)
            written.append(path)
    return tuple(written)


def figures(page: Contents) -> Iterator[tuple[str, Drawing]]:
    """Yield each figure with its name."""
    for item in page.tasks:
        yield f"accuracy-{_name(item.task)}-time", item.against_time
        yield f"accuracy-{_name(item.task)}-energy", item.against_energy
    if page.front is not None:
        yield "front", page.front
    for i, view in enumerate(page.views):
        run = f"run{i + 1}-{_name(view.run.measurement.method)}"
        for name, drawing in _of_run(view, run):
            yield f"{run}-{name}", drawing
    for section in page.sections:
        for name, drawing in section.view.figures:
            yield _name(name), drawing


def _of_run(view: RunView, run: str) -> Iterator[tuple[str, Drawing]]:
    yield "round-1", view.replay.drawing
    yield "time", view.latency_drawing
    yield "energy", view.energy_drawing
    yield "busy", view.busy_drawing
    for i, plan in enumerate(view.plans):
        prefix = f"plan{i + 1}-" if len(view.plans) > 1 else ""
        for name, drawing in _of_plan(plan, f"{run}-{prefix}"):
            yield prefix + name, drawing


def _of_plan(plan: PlanView, identity: str) -> Iterator[tuple[str, Drawing]]:
    yield "calendar", calendar_figure(plan.calendar.rounds, plan.calendar.rows, f"{identity}calendar")
    for i, kind in enumerate(plan.kinds):
        yield f"kind{i + 1}-network", kind.drawing
        for cell in kind.cells:
            yield f"kind{i + 1}-{_name(cell.name)}", cell.drawing
    if plan.allocation is not None:
        yield "bandwidth", plan.allocation.bandwidth
        yield "power", plan.allocation.power


def _name(text: str) -> str:
    """Return a text as part of a file's name.

    >>> _name("h-fedfm-8+d2d")
    'h-fedfm-8-d2d'
    """
    return _NAMES.sub("-", text.lower()).strip("-") or "x"


def standalone(drawing: Drawing) -> str:
    """Return a drawing as an SVG file of its own.

    It names its colours plainly, those of light pages, so that every program can show it; a browser on a dark display
    takes those of dark pages.
    """
    svg = ET.fromstring(for_page(drawing.file("svg").decode(), "figure", drawing.label))
    svg.set("xmlns", "http://www.w3.org/2000/svg")
    del svg.attrib["style"]
    svg.attrib |= {
        key: f"{size}pt" for key, size in zip(("width", "height"), svg.attrib["viewBox"].split()[2:], strict=True)
    }
    used: set[tuple[str, str]] = set()
    for element in svg.iter():
        found = {pair for value in element.attrib.values() for pair in _USED.findall(value)}
        if found:
            classes = [f"{what}-{ink}" for what, ink in sorted(found)]
            element.set("class", " ".join([*element.get("class", "").split(), *classes]))
            used |= found
        for key, value in element.attrib.items():
            element.set(key, _VARIABLE.sub(lambda variable: INKS[variable.group(1)], value))
    dark = _dark_inks()
    rules = "".join(f"  .{what}-{ink} {{ {what}: {dark[ink]} !important }}\n" for what, ink in sorted(used))
    style = ET.Element("style")
    style.text = (
        'text { font-family: "DejaVu Sans", sans-serif }\n'
        f"svg {{ background: {INKS['paper']} }}\n"
        f"@media (prefers-color-scheme: dark) {{\n  svg {{ background: {dark['paper']} }}\n{rules}}}\n"
    )
    svg.insert(0, style)
    return ET.tostring(svg, encoding="unicode") + "\n"


@cache
def _dark_inks() -> dict[str, str]:
    css = (resources.files("hffm_opt.report") / "templates" / "report.css").read_text(encoding="utf-8")
    found = _DARK.search(css)
    assert found is not None
    return dict(_COLOUR.findall(found.group(1)))
