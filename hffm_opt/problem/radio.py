"""Radio physics: path loss, noise, rate and transmission energy, in SI units.

Sources: Shannon's capacity formula; 3GPP TR 38.901 v17 table 7.4.1-1; the log-distance law of arXiv 2509.03695.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hffm_opt.scenario.model import LogDistance, Physics, Tr38901
from hffm_opt.units import SPEED_OF_LIGHT_M_PER_S, db_to_linear, dbm_to_w

Floats = NDArray[np.float64]
MIN_DISTANCE_M = 1.0


def noise_w_per_hz(physics: Physics) -> float:
    """Return the noise density in W/Hz; the published arithmetic's is offset by what it got wrong (30 dB)."""
    offset_db = physics.reference.noise_offset_db if physics.reference else 0.0
    return dbm_to_w(physics.noise_dbm_per_hz) * db_to_linear(offset_db)


def rate_bit_per_s(bandwidth_hz: ArrayLike, power_w: ArrayLike, gain: ArrayLike, noise: float) -> Floats:
    """Return Shannon's rate ``B log2(1 + p g / (N0 B))``; 0 where bandwidth or power is 0.

    Args:
        bandwidth_hz: B, any shape.
        power_w: transmit power p, broadcastable.
        gain: channel power gain g (fading included), broadcastable.
        noise: N0 in W/Hz.

    Example:
        >>> float(rate_bit_per_s(1e6, 1.0, 1e-6, 1e-12))
        1000000.0
    """
    band = np.asarray(bandwidth_hz, dtype=float)
    signal = np.asarray(power_w, dtype=float) * np.asarray(gain, dtype=float) / noise
    safe = np.where(band > 0, band, 1.0)
    return np.asarray(np.where(band > 0, band * np.log1p(signal / safe) / math.log(2.0), 0.0))


def path_gain(law: LogDistance | Tr38901, distance_m: ArrayLike) -> Floats:
    """Return the channel power gain (linear, without fading) at a horizontal distance, floored at 1 m."""
    distance = np.maximum(np.asarray(distance_m, dtype=float), MIN_DISTANCE_M)
    if isinstance(law, LogDistance):
        loss_db = law.loss_at_1m_db + 10 * law.exponent * np.log10(distance)
    else:
        loss_db = _tr38901_loss_db(law, distance)
    return np.asarray(10.0 ** (-loss_db / 10.0))


def _tr38901_loss_db(law: Tr38901, distance: Floats) -> Floats:
    carrier_ghz = law.carrier_hz / 1e9
    slant = np.hypot(distance, law.edge_height_m - law.device_height_m)
    log_slant = np.log10(slant)
    urban_macro = law.law.startswith("uma")
    # Effective environment height 1 m, as table 7.4.1-1 note 1 gives it for street canyons, and for urban macro with
    # devices below 13 m (the scenario's checks refuse higher ones, for which it is random).
    breakpoint_m = 4 * (law.edge_height_m - 1) * (law.device_height_m - 1) * law.carrier_hz / SPEED_OF_LIGHT_M_PER_S
    beyond = np.log10(breakpoint_m**2 + (law.edge_height_m - law.device_height_m) ** 2)
    if urban_macro:
        near = 28.0 + 22 * log_slant + 20 * math.log10(carrier_ghz)
        far = 28.0 + 40 * log_slant + 20 * math.log10(carrier_ghz) - 9 * beyond
    else:
        near = 32.4 + 21 * log_slant + 20 * math.log10(carrier_ghz)
        far = 32.4 + 40 * log_slant + 20 * math.log10(carrier_ghz) - 9.5 * beyond
    sight = np.where(distance <= breakpoint_m, near, far)
    if law.law.endswith("-los"):
        return np.asarray(sight)
    if urban_macro:
        blocked = 13.54 + 39.08 * log_slant + 20 * math.log10(carrier_ghz) - 0.6 * (law.device_height_m - 1.5)
    else:
        blocked = 22.4 + 35.3 * log_slant + 21.3 * math.log10(carrier_ghz) - 0.3 * (law.device_height_m - 1.5)
    return np.asarray(np.maximum(sight, blocked))
