"""Fingerprints: what two scenarios share if plans and proofs of one hold for the other."""

from __future__ import annotations

import hashlib
import json

# Absent, these are left out of fingerprints, so that plans and proofs from before they existed stay valid.
LATER_FIELDS = frozenset(
    {
        "presum_depth",
        "max_hops",
        "max_fan_in",
        "max_uplinks",
        "association",
        "parts",
        "experts",
        "proximal",
        "kept_neurons",
        "realign_every",
        "radio",
        "curve",
    }
)


def _stated(data: object) -> object:
    """Return dumped data without the later fields that are absent."""
    if isinstance(data, dict):
        return {k: _stated(v) for k, v in data.items() if v is not None or k not in LATER_FIELDS}
    return [_stated(item) for item in data] if isinstance(data, list) else data


def digest(data: dict[str, object]) -> str:
    """Return the SHA-256 (hex) of dumped data in canonical JSON, later fields left out where they are absent."""
    text = json.dumps(_stated(data), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
