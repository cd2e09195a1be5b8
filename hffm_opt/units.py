"""Conversions between the units of wireless engineering and SI, in one place.

Everything inside the package is SI with the unit as a suffix of the name (``_hz``, ``_w``, ``_s``, ``_bit``,
``_j``, ``_m``); decibels appear only where they are converted here.

>>> dbm_to_w(30.0)
1.0
>>> round(w_to_dbm(0.2), 4)
23.0103
>>> db_to_linear(-30.0)
0.001
"""

from __future__ import annotations

import math

BITS_PER_BYTE = 8
SPEED_OF_LIGHT_M_PER_S = 299_792_458.0


def db_to_linear(value_db: float) -> float:
    """Return the power ratio of a level in dB: ``10^(value/10)``."""
    return float(10.0 ** (value_db / 10.0))


def linear_to_db(ratio: float) -> float:
    """Return the level in dB of a positive power ratio: ``10 log10(ratio)``."""
    return 10.0 * math.log10(ratio)


def dbm_to_w(value_dbm: float) -> float:
    """Return the power in W of a level in dBm (dB relative to one milliwatt)."""
    return db_to_linear(value_dbm - 30.0)


def w_to_dbm(power_w: float) -> float:
    """Return the level in dBm of a positive power in W."""
    return linear_to_db(power_w) + 30.0


def bytes_to_bit(count: int) -> int:
    """Return the number of bits in ``count`` bytes."""
    return BITS_PER_BYTE * count
