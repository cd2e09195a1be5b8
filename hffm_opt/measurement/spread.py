"""How far a mean over runs may be off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from scipy.stats import t as student

CONFIDENCE = 0.95


def half_width(values: Sequence[float]) -> float:
    """Return half the width of Student's 95 % interval of the mean of two or more values.

    >>> round(half_width([1.0, 2.0, 3.0]), 6)
    2.484138
    """
    return float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
