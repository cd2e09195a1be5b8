"""Drawing: a layout and one ink mask per thing become an RGB picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hffm_opt.learning.tasks.layout import COLUMNS, ROWS, Layout
from hffm_opt.learning.tasks.scans import scan_image
from hffm_opt.learning.tasks.values import UInt8Array

CELL = 16
HEIGHT, WIDTH = ROWS * CELL, COLUMNS * CELL
SIDES: tuple[int, int] = (8, 14)  # side in pixels of a small and of a large thing
JITTER = 1  # largest shift in pixels of a thing from the middle of its cell
SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "cross", "diamond", "ring")
_RGB = np.array(
    [(225, 60, 50), (60, 185, 80), (70, 110, 235), (230, 205, 60), (170, 75, 200), (235, 235, 235)],
    dtype=np.float64,
)
_TINT = 18.0  # largest deviation of a colour channel
_OVERSAMPLING = 4

Mask = NDArray[np.float64]


def _bilinear(sides: int, side: int) -> Mask:
    """Return the (side, sides) matrix that resamples a line of ``sides`` values to ``side``, ends on ends."""
    at = np.linspace(0.0, sides - 1.0, side)
    low = np.minimum(at.astype(int), sides - 2)
    matrix = np.zeros((side, sides))
    matrix[np.arange(side), low] = 1.0 - (at - low)
    matrix[np.arange(side), low + 1] += at - low
    return matrix


@cache
def digit_mask(scan: int, size: int) -> Mask:
    """Return the ink of a scan at a size, shape (side, side), values in [0, 1]."""
    image = scan_image(scan)
    resample = _bilinear(image.shape[0], SIDES[size])
    return np.clip(resample @ image @ resample.T, 0.0, 1.0)


@cache
def shape_mask(kind: int, size: int) -> Mask:
    """Return the ink of ``SHAPES[kind]`` at a size, edges smoothed, shape (side, side), in [0, 1]."""
    side = SIDES[size] * _OVERSAMPLING
    axis = (np.arange(side) + 0.5) / side * 2.0 - 1.0
    y, x = np.meshgrid(axis, axis, indexing="ij")
    radius = np.hypot(x, y)
    inside = {
        "circle": radius < 0.92,
        "square": np.maximum(abs(x), abs(y)) < 0.82,
        "triangle": (y < 0.85) & (abs(x) < 0.5 * (y + 0.95)),
        "cross": np.minimum(abs(x), abs(y)) < 0.28,
        "diamond": abs(x) + abs(y) < 1.0,
        "ring": (radius < 0.97) & (radius > 0.55),
    }[SHAPES[kind]]
    blocks = inside.reshape(SIDES[size], _OVERSAMPLING, SIDES[size], _OVERSAMPLING)
    return blocks.mean(axis=(1, 3))


def draw(layout: Layout, masks: Sequence[Mask], rng: np.random.Generator) -> UInt8Array:
    """Return the picture of ``layout``, uint8 (HEIGHT, WIDTH, 3), on noisy dark ground."""
    canvas = rng.uniform(8.0, 48.0) + rng.uniform(-6.0, 6.0, size=(HEIGHT, WIDTH, 3))
    for thing, mask in zip(layout, masks, strict=True):
        side = mask.shape[0]
        shift = rng.integers(-JITTER, JITTER + 1, size=2)
        top = thing.row * CELL + (CELL - side) // 2 + int(shift[0])
        left = thing.column * CELL + (CELL - side) // 2 + int(shift[1])
        ink = _RGB[thing.colour] + rng.uniform(-_TINT, _TINT, size=3)
        region = canvas[top : top + side, left : left + side]
        region += mask[:, :, None] * (ink - region)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
