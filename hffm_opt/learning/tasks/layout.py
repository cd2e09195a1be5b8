"""Layouts: which things stand where in a picture, before anything is drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

COLOURS: tuple[str, ...] = ("red", "green", "blue", "yellow", "purple", "white")
SIZES: tuple[str, ...] = ("small", "large")
ROWS, COLUMNS = 2, 3
ROW_NAMES: tuple[str, ...] = ("top", "bottom")
COLUMN_NAMES: tuple[str, ...] = ("left", "middle", "right")
MOST_THINGS = 4
_REPEAT = 0.25  # share of things that copy an earlier thing's kind or colour, so that counts above one occur


@dataclass(frozen=True)
class Thing:
    """Indices of a kind, a colour and a size, and a cell (row from the top, column from the left)."""

    kind: int
    colour: int
    size: int
    row: int
    column: int

    @property
    def place(self) -> str:
        """The cell's name, e.g. ``top left``."""
        return f"{ROW_NAMES[self.row]} {COLUMN_NAMES[self.column]}"


Layout = tuple[Thing, ...]


def draw_layout(rng: np.random.Generator, kinds: int) -> Layout:
    """Return one to ``MOST_THINGS`` things of ``kinds`` kinds in different cells, in reading order."""
    count = int(rng.integers(1, MOST_THINGS + 1))
    cells = sorted(int(cell) for cell in rng.permutation(ROWS * COLUMNS)[:count])
    things: list[Thing] = []
    for cell in cells:
        u, v = rng.random(), rng.random()
        model = things[int(rng.integers(len(things)))] if things else None
        kind = model.kind if model is not None and u < _REPEAT else int(rng.integers(kinds))
        colour = model.colour if model is not None and v < _REPEAT else int(rng.integers(len(COLOURS)))
        things.append(Thing(kind, colour, int(rng.integers(len(SIZES))), *divmod(cell, COLUMNS)))
    return tuple(things)


def layout_code(layout: Layout) -> int:
    """Return a 32-bit code of the layout; equal layouts have equal codes on any machine."""
    text = ";".join(f"{t.kind},{t.colour},{t.size},{t.row},{t.column}" for t in layout)
    return zlib.crc32(text.encode())
