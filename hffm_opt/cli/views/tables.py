"""One look for all tables."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table whose columns are left-aligned, then those of ``right``; figures never break or shrink."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        made.add_column(name, no_wrap=i == 0)
    for name in right:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def facts(rows: dict[str, str]) -> Table:
    """Return names and values side by side."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim")
    for name, value in rows.items():
        made.add_row(name, value)
    return made


def titled(title: str, body: RenderableType, legend: str | None = None) -> RenderableType:
    """Return a part with its title above and, where given, its legend below."""
    return Group(Text(title, style="bold underline"), body, *([Text(legend, style="dim")] if legend else []))
