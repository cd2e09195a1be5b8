"""Where the pieces of a chain run: device, peers, edge and cloud as lanes, the messages between them as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from hffm_opt.report.figures.answer_bars import TIER_INK
from hffm_opt.report.figures.arrows import THIN, WIDE
from hffm_opt.report.legend import Key
from hffm_opt.report.numbers import percent
from hffm_opt.report.svg import INKS, Drawing, draw, shortened
from hffm_opt.units import BITS_PER_BYTE

_LANE_IN, _BOX_IN, _ROOM_IN, _LEFT_IN = 0.78, 0.4, 0.82, 1.15
"""Heights of a lane and of a box, width for an arrow between two boxes, and for the names of the lanes."""
_LETTER_IN, _LEAST_IN, _GAP_IN = 0.066, 0.62, 0.08
_LONGEST = 16


@dataclass(frozen=True)
class Lane:
    """A node that runs pieces or could; the last one in a drawing is the device that asks."""

    node: str
    tier: str


@dataclass(frozen=True)
class Piece:
    """Segments that run one behind the other on one node; ``ends`` is the share of requests that end behind them.

    ``early`` says that an exit stands there.
    """

    segments: tuple[str, ...]
    node: str
    ends: float = 0.0
    early: bool = False


@dataclass(frozen=True)
class Message:
    """What one piece sends another; -1 stands for the device's senses, the number of pieces for its answer."""

    source: int
    target: int
    bits: float


def chain_figure(
    name: str, lanes: Sequence[Lane], encoders: int, pieces: Sequence[Piece], messages: Sequence[Message], identity: str
) -> tuple[Drawing, int]:
    """Draw a chain; return the drawing, and how many pixels wide it has to be at least to be read.

    Args:
        name: of the class.
        lanes: from the top; the device that asks last.
        encoders: how many of the pieces, the first ones, run side by side before the trunk, each on a node of its own.
        pieces: those of the encoders, then those of the trunk in order.
        messages: between pieces on different nodes.
        identity: unique in the page.
    """
    row = {lane.node: len(lanes) - 1 - i for i, lane in enumerate(lanes)}
    spans = _spans(encoders, pieces)
    end = max(right for _, right in spans) + _ROOM_IN
    width_in, height_in = end + 0.55, _LANE_IN * len(lanes)
    where = "; ".join(f"{_words(piece)} on {piece.node}" for piece in pieces)
    exits = [f"{percent(piece.ends)} end behind {piece.segments[-1]}" for piece in pieces if piece.early]
    label = f"Where {name} runs: {'; '.join([where, *exits])}."
    heaviest = max((message.bits for message in messages), default=0.0)

    def height(place: int) -> float:
        node = pieces[place].node if 0 <= place < len(pieces) else lanes[-1].node
        return (row[node] + 0.5) * _LANE_IN

    def paint(figure: Any) -> None:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(0, width_in)
        axes.set_ylim(0, height_in)
        for lane in lanes:
            _lane(axes, lane, row[lane.node] * _LANE_IN, width_in)
        marks = {-1: _LEFT_IN, len(pieces): end + 0.1}
        for message in messages:
            left = marks.get(message.source) or spans[message.source][1]
            right = marks.get(message.target) or spans[message.target][0]
            ends = (left, height(message.source)), (right, height(message.target))
            _arrow(axes, ends, message, heaviest, message.target == len(pieces))
        for (left, right), piece, place in zip(spans, pieces, range(len(pieces)), strict=True):
            _box(axes, piece, left, right, height(place))
        for place in sorted({end for message in messages for end in (message.source, message.target)} & marks.keys()):
            axes.plot(marks[place], height(place), "o", color=INKS["ink"], markersize=5, zorder=6)
            what, style = "input" if place < 0 else "answer", {"size": 7.5, "ha": "center", "va": "center"}
            axes.text(marks[place], height(place) - 0.2, what, color=INKS["muted"], **style)

    keys = [Key("message, wider with more bits", "uplink", "solid"), Key("answer", "muted", "dashed")]
    return draw(identity, label, width_in, height_in, paint, keys), round(72 * width_in)


def _spans(encoders: int, pieces: Sequence[Piece]) -> list[tuple[float, float]]:
    """Return left and right of every piece: encoders of different nodes below each other, the trunk behind them."""
    begin = _LEFT_IN + _ROOM_IN
    spans = [(begin, begin + _width(piece)) for piece in pieces[:encoders]]
    x = max(right for _, right in spans)
    before = {piece.node for piece in pieces[:encoders]}
    for piece in pieces[encoders:]:
        x += _GAP_IN if before == {piece.node} else _ROOM_IN
        spans.append((x, x + _width(piece)))
        x, before = spans[-1][1], {piece.node}
    return spans


def _lines(piece: Piece) -> list[str]:
    first, last = (shortened(piece.segments[i], _LONGEST) for i in (0, -1))
    return [first] if len(piece.segments) == 1 else [first, f"… {last}" if len(piece.segments) > 2 else last]


def _width(piece: Piece) -> float:
    return max(_LEAST_IN, _LETTER_IN * max(map(len, _lines(piece))) + 0.16)


def _words(piece: Piece) -> str:
    return piece.segments[0] if len(piece.segments) == 1 else f"{piece.segments[0]} to {piece.segments[-1]}"


def _lane(axes: Any, lane: Lane, low: float, width: float) -> None:
    inside = Rectangle((0, low + 0.03), width, _LANE_IN - 0.06, facecolor=INKS["wash"], linewidth=0, zorder=0)
    axes.add_patch(inside)
    middle = low + 0.5 * _LANE_IN
    alone = lane.node == lane.tier
    ink = {"color": INKS["ink" if lane.tier == "device" else TIER_INK[lane.tier]], "ha": "left", "va": "center"}
    axes.text(0.1, middle + (0 if alone else 0.09), shortened(lane.node, _LONGEST), size=9, **ink)
    if not alone:
        axes.text(0.1, middle - 0.11, lane.tier, size=7.5, ha="left", va="center", color=INKS["muted"])


def _box(axes: Any, piece: Piece, left: float, right: float, middle: float) -> None:
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.06", "zorder": 4, "linewidth": 1.1}
    style |= {"facecolor": INKS["paper"], "edgecolor": INKS["ink"]}
    low = middle - _BOX_IN / 2
    axes.add_patch(FancyBboxPatch((left, low), right - left, _BOX_IN, **style))
    lines = _lines(piece)
    for i, line in enumerate(lines):
        y = middle + 0.075 * (len(lines) - 1 - 2 * i)
        axes.text((left + right) / 2, y, line, size=7.5, ha="center", va="center", zorder=6)
    if piece.early:
        axes.plot(right, middle + _BOX_IN / 2, "D", color=INKS["d2d"], markersize=5, zorder=7)
        text = f"{percent(piece.ends)} end"
        axes.text(right - 0.1, middle + _BOX_IN / 2 + 0.085, text, size=7.5, ha="right", va="center", zorder=7)


def _arrow(
    axes: Any, ends: tuple[tuple[float, float], tuple[float, float]], message: Message, heaviest: float, back: bool
) -> None:
    (x, y), (to_x, to_y) = ends
    patch = FancyArrowPatch(
        *ends,
        arrowstyle="-|>,head_length=3.2,head_width=1.8",
        shrinkA=1.0,
        shrinkB=3.5 if back else 1.0,
        linewidth=THIN + 2 * WIDE * message.bits / heaviest if heaviest else THIN,
        linestyle=(0, (2.4, 1.6)) if back else "-",
        edgecolor=INKS["muted" if back else "uplink"],
        facecolor=INKS["muted" if back else "uplink"],
        zorder=3,
    )
    axes.add_patch(patch)
    axes.text((x + to_x) / 2, (y + to_y) / 2, size_words(message.bits), size=7.5, ha="center", va="center", zorder=5)


def size_words(bits: float) -> str:
    """Return the size of a message in bytes, short.

    >>> size_words(2048), size_words(140e3), size_words(48e6)
    ('256 B', '17.5 kB', '6 MB')
    """
    size = bits / BITS_PER_BYTE
    for factor, unit in ((1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.3g} B"
