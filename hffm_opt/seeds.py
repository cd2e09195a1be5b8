"""Independent random streams, derived from a root seed and the names of what they serve.

>>> bool(derive(7, "fading", 3).integers(10) == derive(7, "fading", 3).integers(10))
True
"""

from __future__ import annotations

import hashlib
import operator
from typing import SupportsIndex

import numpy as np

Key = str | SupportsIndex


def derive_entropy(seed: int, *keys: Key) -> int:
    """Return 128 bits of entropy for the stream ``(seed, *keys)``; equal arguments give equal bits on any machine.

    Texts and integers are told apart, so that ``("a", 1)`` and ``("a", "1")`` are different streams; integers are
    equal by value, whatever their type (``numpy.int64(3)`` is 3).

    Raises:
        TypeError: a key is neither a text nor an integer.
    """
    text = "\x1f".join(f"str:{key}" if isinstance(key, str) else f"int:{operator.index(key)}" for key in (seed, *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def derive(seed: int, *keys: Key) -> np.random.Generator:
    """Return the NumPy generator of the stream ``(seed, *keys)``, e.g. ``derive(0, round, device, "batches")``."""
    return np.random.default_rng(derive_entropy(seed, *keys))


def derive_torch_seed(seed: int, *keys: Key) -> int:
    """Return a 63-bit integer seed of the stream, as ``torch.Generator.manual_seed`` takes it."""
    return derive_entropy(seed, *keys) >> 65
