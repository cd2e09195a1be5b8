from itertools import pairwise

import numpy as np

from hffm_opt.learning.tasks.layout import COLOURS, COLUMNS, MOST_THINGS, ROWS, Thing, draw_layout, layout_code
from hffm_opt.seeds import derive


def test_layouts_have_one_to_four_things_in_different_cells_in_reading_order() -> None:
    rng, counts = derive(0, "layout"), set()
    for _ in range(300):
        layout = draw_layout(rng, 6)
        counts.add(len(layout))
        cells = [thing.row * COLUMNS + thing.column for thing in layout]
        assert all(a < b for a, b in pairwise(cells))
        assert all(thing.row < ROWS and thing.column < COLUMNS and thing.kind < 6 for thing in layout)
        assert all(thing.colour < len(COLOURS) for thing in layout)
    assert counts == set(range(1, MOST_THINGS + 1))


def test_kinds_are_drawn_evenly() -> None:
    rng = derive(1, "layout")
    kinds = np.bincount([thing.kind for _ in range(2000) for thing in draw_layout(rng, 10)], minlength=10)
    assert kinds.min() > 0.8 * kinds.mean() and kinds.max() < 1.2 * kinds.mean()


def test_code_depends_on_every_attribute() -> None:
    base = Thing(kind=1, colour=2, size=0, row=0, column=1)
    others = [
        Thing(2, 2, 0, 0, 1),
        Thing(1, 3, 0, 0, 1),
        Thing(1, 2, 1, 0, 1),
        Thing(1, 2, 0, 1, 1),
        Thing(1, 2, 0, 0, 2),
    ]
    assert len({layout_code((thing,)) for thing in (base, *others)}) == 6
    assert layout_code((base,)) == 961142804  # fixed, or layouts would move between the splits
    assert base.place == "top middle"
