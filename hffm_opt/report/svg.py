"""From a matplotlib figure to SVG that lives inside a page: its colours, type and identifiers are the page's.

Figures are drawn in the colours of :data:`INKS`. Here each is exchanged for a CSS variable of that name, so that one
drawing serves light pages, dark pages and paper.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hffm_opt.report.legend import Key, add_legend

# Name of the CSS variable -> the colour that stands for it while drawing. Each must occur once.
INKS = {
    "ink": "#1a1d21",
    "muted": "#5b626b",
    "rule": "#d5d9de",
    "wash": "#eef0f2",
    "paper": "#fefefd",
    "d2d": "#00815a",
    "uplink": "#0064ad",
    "downlink": "#9c4a88",
    "cloud": "#c25400",
    "compute": "#78808a",
    "group1": "#1c2c78",
    "group2": "#8a3a10",
    "group3": "#12807a",
    "group4": "#b01fce",
    "group5": "#8a9600",
}
_RC = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.edgecolor": INKS["rule"],
    "axes.labelcolor": INKS["muted"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": INKS["rule"],
    "grid.linewidth": 0.6,
    "xtick.color": INKS["rule"],
    "ytick.color": INKS["rule"],
    "xtick.labelcolor": INKS["muted"],
    "ytick.labelcolor": INKS["muted"],
    "text.color": INKS["ink"],
    "text.parse_math": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_CANVASES = {"svg": FigureCanvasSVG, "pdf": FigureCanvasPdf}
_NAMELESS = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_VARIABLES = {value: f"var(--{name})" for name, value in INKS.items()}
_HEX = re.compile("|".join(_VARIABLES), re.IGNORECASE)
_REFERENCE = re.compile(r"#(?=[A-Za-z_])")


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text, with the words that say what it shows to those who cannot see it.

    ``file`` draws it anew, with its legend and in the colours of light pages, as an SVG or a PDF file.
    """

    svg: str
    label: str
    file: Callable[[Literal["svg", "pdf"]], bytes]


@contextmanager
def _style(identity: str) -> Iterator[None]:
    # From matplotlib's own defaults, so that a user's matplotlibrc does not show; the backend is left alone.
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
    with matplotlib.rc_context({**defaults, **_RC, "svg.hashsalt": identity}):
        yield


def draw(
    identity: str,
    label: str,
    width_in: float,
    height_in: float,
    paint: Callable[[Any], None],
    legend: Sequence[Key] = (),
) -> Drawing:
    """Draw a figure and return it as SVG for the page.

    Args:
        identity: unique in the page; makes the identifiers inside the drawing unique and repeatable.
        label: what the figure shows, in a sentence or two, for screen readers.
        width_in: width in inches of 72 SVG units; the page scales it.
        height_in: height.
        paint: draws on the empty figure that it is given.
        legend: what a file of the figure says besides.
    """

    def save(kind: str, keys: Sequence[Key], **how: Any) -> bytes:
        with _style(identity):
            figure = Figure(figsize=(width_in, height_in), layout="constrained")
            _CANVASES[kind](figure)
            paint(figure)
            add_legend(figure, keys, INKS)
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, transparent=True, metadata=_NAMELESS[kind], **how)
        return stream.getvalue()

    def file(kind: Literal["svg", "pdf"]) -> bytes:
        return save(kind, legend, bbox_inches="tight", pad_inches=0.06)

    return Drawing(for_page(save("svg", ()).decode(), identity, label), label, file)


def shortened(name: str, longest: int) -> str:
    """Return a name for a label of at most so many characters.

    >>> shortened("edge-0", 14), shortened("site-north-of-the-river", 14)
    ('edge-0', 'site-north-of…')
    """
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def for_page(text: str, identity: str, label: str) -> str:
    """Return an SVG of matplotlib with the page's colours and no identifiers but its own."""
    root = ET.fromstring(text)
    for element in root.iter():
        for child in [c for c in element if c.tag.endswith("}metadata")]:
            element.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            # An HTML page needs no namespaces, and SVG 2 no prefix before href.
            element.set(key.rpartition("}")[2], _adapted(key.rpartition("}")[2], value, identity))
    width = float(root.attrib.pop("width").removesuffix("pt"))
    root.attrib.pop("height")
    root.attrib.pop("version", None)
    root.set("role", "img")
    root.set("aria-label", label)
    # The page may shrink a drawing, but magnifies it by at most half.
    root.set("style", f"max-width: {1.5 * width:.0f}px")
    return ET.tostring(root, encoding="unicode")


def _adapted(key: str, value: str, identity: str) -> str:
    if key == "id":
        return f"{identity}-{value}"
    value = _HEX.sub(lambda found: _VARIABLES[found.group().lower()], value)
    if key == "href" or "url(" in value:
        value = _REFERENCE.sub(f"#{identity}-", value)
    return value
