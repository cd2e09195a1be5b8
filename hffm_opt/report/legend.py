"""Legends of figures that stand alone; on the page the text around a figure has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hffm_opt.report.groups import ModuleGroup

_LETTER_IN, _KEY_IN = 0.068, 0.55
"""Width of a letter and of what stands before a label, roughly."""


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a line with a dash, or an area with an opacity (where ``dash`` is none)."""

    label: str
    ink: str
    dash: str | None = None
    opacity: float = 1.0


def group_keys(groups: Sequence[ModuleGroup]) -> tuple[Key, ...]:
    """Return the entries of a map: groups of modules, up and back."""
    up_and_back = (Key("up", "muted", "solid"), Key("back", "muted", "dashed"))
    return (*(Key(group.name, group.ink, "solid") for group in groups), *up_and_back)


def add_legend(figure: Any, keys: Sequence[Key], inks: dict[str, str]) -> None:
    """Put a legend on top of a figure, outside it."""
    if not keys:
        return
    handles = [
        Patch(color=inks[key.ink], alpha=key.opacity, label=key.label, linewidth=0)
        if key.dash is None
        else Line2D([], [], color=inks[key.ink], linestyle=key.dash, label=key.label)
        for key in keys
    ]
    longest = max(len(key.label) for key in keys)
    columns = max(1, int(figure.get_size_inches()[0] / (longest * _LETTER_IN + _KEY_IN)))
    where = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}
    figure.legend(handles=handles, ncols=min(columns, len(keys)), frameon=False, labelcolor=inks["muted"], **where)
