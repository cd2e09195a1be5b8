"""From WGS84 latitude and longitude to metres on a local tangent plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SEMI_MAJOR_AXIS_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
_ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)


def earth_centred_m(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Floats:
    """Return earth-centred Cartesian coordinates of points on the ellipsoid, [..., 3] in m.

    ``(N cos(lat) cos(lon), N cos(lat) sin(lon), N (1 - e^2) sin(lat))`` with the radius of curvature in the prime
    vertical ``N = a / sqrt(1 - e^2 sin(lat)^2)``.

    Source: WGS84 (NIMA TR8350.2, section 4).
    """
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    normal_m = SEMI_MAJOR_AXIS_M / np.sqrt(1 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2)
    return np.stack(
        [
            normal_m * np.cos(latitude) * np.cos(longitude),
            normal_m * np.cos(latitude) * np.sin(longitude),
            normal_m * (1 - _ECCENTRICITY_SQUARED) * np.sin(latitude),
        ],
        axis=-1,
    )


def centroid_deg(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> tuple[float, float]:
    """Return latitude and longitude of the mean of the points' normals, which is sound across the date line too."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    x = float(np.mean(np.cos(latitude) * np.cos(longitude)))
    y = float(np.mean(np.cos(latitude) * np.sin(longitude)))
    z = float(np.mean(np.sin(latitude)))
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def tangent_plane_m(latitude_deg: ArrayLike, longitude_deg: ArrayLike, origin_deg: tuple[float, float]) -> Floats:
    """Return east and north of an origin in m, on the plane that touches the ellipsoid there.

    Distances from the origin come out short by ``(d / R)^2 / 6`` relative: 4e-7 over 10 km.

    Args:
        latitude_deg: WGS84 latitudes, [n].
        longitude_deg: WGS84 longitudes, [n].
        origin_deg: latitude and longitude of the origin.

    Returns:
        East (x) and north (y), [n, 2] in m.

    Example:
        >>> tangent_plane_m([0.0], [0.1], (0.0, 0.0)).round(0)
        array([[11132.,     0.]])
    """
    latitude, longitude = np.radians(origin_deg)
    offset = earth_centred_m(latitude_deg, longitude_deg) - earth_centred_m(*origin_deg)
    east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    north = np.array([-np.sin(latitude) * np.cos(longitude), -np.sin(latitude) * np.sin(longitude), np.cos(latitude)])
    return np.asarray(offset @ np.stack([east, north], axis=-1), dtype=float)
