"""Bars of what a mean request of each class took, by computing and sending at each tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from hffm_opt.report.answer_times import PART_NAMES, PARTS
from hffm_opt.report.figures.bars import BAND_INK, stacked_bars
from hffm_opt.report.legend import Key
from hffm_opt.report.numbers import joules, seconds
from hffm_opt.report.svg import Drawing

TIER_INK = {"device": "compute", "peer": "d2d", "edge": "uplink", "cloud": "cloud"}
ANSWER_LOOKS: dict[str, dict[str, Any]] = {
    "device": {"ink": "compute"},
    **{tier: {"ink": TIER_INK[tier], "opacity": 0.45} for tier in ("peer", "edge", "cloud")},
    **{band: {"ink": BAND_INK[band]} for band in ("d2d", "uplink", "downlink", "backhaul", "direct")},
    "waiting": {"ink": "rule"},
}


def answer_bars(
    by_class: Mapping[str, Mapping[str, float]], unit: Literal["seconds", "joules"], identity: str
) -> Drawing:
    """Draw what a mean request of each class took as a bar stacked by part."""
    show = seconds if unit == "seconds" else joules
    rows = list(by_class.items())
    name, parts = max(rows, key=lambda row: sum(row[1].values()))
    label = f"{unit.capitalize()} of a mean request by class. Most takes {name}, {show(sum(parts.values()))}."
    used = [part for part in PARTS if any(found.get(part, 0.0) > 0 for _, found in rows)]
    keys = [
        Key(PART_NAMES[part], ANSWER_LOOKS[part]["ink"], None, ANSWER_LOOKS[part].get("opacity", 1.0)) for part in used
    ]
    return stacked_bars(rows, ANSWER_LOOKS, f"{unit} of a mean request", label, keys, identity)
