import numpy as np
import pytest

from hffm_opt.learning.tasks.layout import COLOURS, Thing
from hffm_opt.learning.tasks.render import CELL, HEIGHT, SHAPES, SIDES, WIDTH, digit_mask, draw, shape_mask
from hffm_opt.learning.tasks.scans import scan_image
from hffm_opt.seeds import derive


def test_small_digits_are_the_scans_themselves() -> None:
    assert np.allclose(digit_mask(5, 0), scan_image(5), atol=1e-12)
    assert digit_mask(5, 1).shape == (SIDES[1], SIDES[1])


@pytest.mark.parametrize("size", [0, 1])
def test_shapes_differ_clearly_from_one_another(size: int) -> None:
    masks = [shape_mask(kind, size) for kind in range(len(SHAPES))]
    assert all(mask.min() >= 0.0 and mask.max() <= 1.0 for mask in masks)
    for first in range(len(masks)):
        for second in range(first):
            assert np.abs(masks[first] - masks[second]).mean() > 0.08, (SHAPES[first], SHAPES[second])


@pytest.mark.parametrize("colour", range(len(COLOURS)))
def test_a_thing_is_drawn_in_its_cell_and_colour_alone(colour: int) -> None:
    image = draw((Thing(1, colour, 1, 1, 2),), (shape_mask(1, 1),), derive(0, "draw", colour)).astype(int)
    assert image.shape == (HEIGHT, WIDTH, 3)
    middle = image[CELL + CELL // 2, 2 * CELL + CELL // 2]
    expected = {"red": "r", "green": "g", "blue": "b", "yellow": "rg", "purple": "rb", "white": "rgb"}
    bright = "".join(letter for letter, value in zip("rgb", middle, strict=True) if value > 0.75 * max(middle) - 10)
    assert bright == expected[COLOURS[colour]]
    image[CELL:, 2 * CELL :] = 0
    assert image.max() < 60


def test_pictures_follow_their_generator() -> None:
    layout, masks = (Thing(0, 0, 0, 0, 0),), (shape_mask(0, 0),)
    pictures = [draw(layout, masks, derive(seed, "draw")).tobytes() for seed in (3, 3, 4)]
    assert pictures[0] == pictures[1] != pictures[2]
