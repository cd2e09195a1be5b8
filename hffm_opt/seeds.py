"""Independent random streams, derived from a root seed and the names of what they serve.

>>> derive(7, "fading", 3).integers(10) == derive(7, "fading", 3).integers(10)
True
"""

from __future__ import annotations

import hashlib

import numpy as np

Key = str | int


def derive_entropy(seed: int, *keys: Key) -> int:
    """Return 128 bits of entropy for the stream ``(seed, *keys)``; equal arguments give equal bits on any machine.

    Keys are hashed with their types, so that ``("a", 1)`` and ``("a", "1")`` are different streams.
    """
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in (int(seed), *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def derive(seed: int, *keys: Key) -> np.random.Generator:
    """Return the NumPy generator of the stream ``(seed, *keys)``, e.g. ``derive(0, round, device, "batches")``."""
    return np.random.default_rng(derive_entropy(seed, *keys))


def derive_torch_seed(seed: int, *keys: Key) -> int:
    """Return a 63-bit integer seed of the stream, as ``torch.Generator.manual_seed`` takes it."""
    return derive_entropy(seed, *keys) >> 65
