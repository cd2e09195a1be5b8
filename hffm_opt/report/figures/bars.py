"""Horizontal bars: joules by cell and band, busy seconds by cell, bandwidth and power by link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator, PercentFormatter

from hffm_opt.report.energy import BAND_NAMES, BANDS
from hffm_opt.report.latency import PART_NAMES, PARTS
from hffm_opt.report.legend import Key
from hffm_opt.report.numbers import joules, percent, seconds
from hffm_opt.report.svg import INKS, Drawing, draw, shortened

BAND_INK = {
    "d2d": "d2d",
    "uplink": "uplink",
    "downlink": "downlink",
    "direct": "cloud",
    "backhaul": "cloud",
    "compute": "compute",
}
PART_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"ink": "compute"},
    "gather": {"ink": "d2d"},
    "scatter": {"ink": "d2d", "opacity": 0.5},
    "uplink": {"ink": "uplink"},
    "backhaul": {"ink": "cloud"},
    "downlink": {"ink": "downlink"},
    "relay": {"ink": "cloud", "opacity": 0.5},
    "waiting": {"ink": "rule"},
}
_MOST_ROWS = 20
_REST = "all others"
_LONGEST_LABEL = 26


def energy_bars(by_cell: Mapping[str, Mapping[str, float]], identity: str) -> Drawing:
    """Draw the joules of each cell as a bar stacked by band, the largest on top; small cells are summed up."""
    ranked = sorted(by_cell.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    kept, rest = ranked[:_MOST_ROWS], ranked[_MOST_ROWS:]
    rows = [*kept, (_REST, _summed([bands for _, bands in rest]))] if rest else kept
    name, bands = rows[0]
    label = f"Energy by cell and band. Cell {name} spends most, {joules(sum(bands.values()))}."
    looks = {band: {"ink": BAND_INK[band]} for band in BANDS}
    names = [band for band in BANDS if any(parts.get(band, 0.0) > 0 for _, parts in rows)]
    keys = [Key(BAND_NAMES[band], BAND_INK[band]) for band in names]
    return stacked_bars(rows, looks, "joules in the run", label, keys, identity)


def latency_bars(by_cell: Mapping[str, Mapping[str, float]], identity: str) -> Drawing:
    """Draw the seconds of each cell as a bar stacked by part, the one that waits least on top."""
    ranked = sorted(by_cell.items(), key=lambda item: (item[1].get("waiting", 0.0), item[0]))
    rows = ranked[:_MOST_ROWS]
    name, parts = rows[0]
    label = f"Time by cell and part. Cell {name} waits least for others, {seconds(parts.get('waiting', 0.0))}."
    cut = _cut(len(rows), len(ranked), "least waiting")
    names = [part for part in PARTS if any(parts.get(part, 0.0) > 0 for _, parts in rows)]
    keys = [
        Key(PART_NAMES[part], PART_LOOKS[part]["ink"], None, PART_LOOKS[part].get("opacity", 1.0)) for part in names
    ]
    return stacked_bars(rows, PART_LOOKS, f"seconds of the run{cut}", label, keys, identity)


def stacked_bars(
    rows: Sequence[tuple[str, Mapping[str, float]]],
    looks: Mapping[str, Mapping[str, Any]],
    what: str,
    label: str,
    keys: Sequence[Key],
    identity: str,
) -> Drawing:
    """Draw a bar of parts for each row; ``looks`` has ink and opacity of each part, in order."""

    def paint(figure: Any) -> None:
        axes = _bar_axes(figure, [name for name, _ in rows])
        for y, (_, parts) in enumerate(rows):
            left = 0.0
            for part, look in looks.items():
                width = parts.get(part, 0.0)
                if width > 0:
                    axes.barh(y, width, left=left, **_bar(**look))
                    left += width
        axes.set_xlabel(what)

    return draw(identity, label, 4.4, _height_in(len(rows)), paint, keys)


def _summed(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {band: sum(p.get(band, 0.0) for p in parts) for band in BANDS}


def busy_bars(busy_s: Mapping[str, float], identity: str) -> Drawing:
    """Draw how long each cell is at work per round, the slowest on top."""
    rows = sorted(busy_s.items(), key=lambda item: (-item[1], item[0]))[:_MOST_ROWS]
    label = f"Busy time per round by cell. The slowest is {rows[0][0]} with {seconds(rows[0][1])}."

    def paint(figure: Any) -> None:
        axes = _bar_axes(figure, [name for name, _ in rows])
        for y, (_, value) in enumerate(rows):
            axes.barh(y, value, **_bar("compute"))
        axes.set_xlabel("seconds at work per round" + _cut(len(rows), len(busy_s), "slowest"))

    return draw(identity, label, 4.4, _height_in(len(rows)), paint)


def share_bars(rows: Sequence[tuple[str, str, float]], what: str, identity: str) -> Drawing:
    """Draw shares in [0, 1] as bars.

    Args:
        rows: name, band and share of each bar, from the top.
        what: what the shares are of, for axis and label.
        identity: unique in the page.
    """
    shown = rows[: 2 * _MOST_ROWS]
    name, _, most = max(shown, key=lambda row: row[2])
    label = f"{what[:1].upper()}{what[1:]}, {len(shown)} links. The largest is {name} with {percent(most)}."

    def paint(figure: Any) -> None:
        axes = _bar_axes(figure, [row[0] for row in shown])
        for y, (_, band, share) in enumerate(shown):
            axes.barh(y, share, **_bar(BAND_INK[band]))
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %", decimals=0))
        axes.set_xlabel(what + _cut(len(shown), len(rows), "first"))

    bands = dict.fromkeys(band for _, band, _ in shown)
    keys = [Key(BAND_NAMES[band], BAND_INK[band]) for band in bands]
    return draw(identity, label, 4.4, _height_in(len(shown)), paint, keys)


def _cut(shown: int, count: int, which: str) -> str:
    return f" ({which} {shown} of {count})" if shown < count else ""


def _bar(ink: str, opacity: float = 1.0) -> dict[str, Any]:
    # The edge in the page's own colour keeps neighbouring segments apart without leaning on their hues.
    return {
        "height": 0.62,
        "color": INKS[ink],
        "alpha": opacity,
        "edgecolor": INKS["paper"],
        "linewidth": 0.5,
        "zorder": 3,
    }


def _bar_axes(figure: Any, names: Sequence[str]) -> Any:
    axes = figure.add_subplot()
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)
    axes.set_yticks(range(len(names)), [shortened(name, _LONGEST_LABEL) for name in names])
    axes.tick_params(axis="y", labelcolor=INKS["ink"])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    return axes


def _height_in(rows: int) -> float:
    return 0.6 + 0.24 * max(rows, 2)
