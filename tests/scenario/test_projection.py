"""The tangent plane against known distances on the ellipsoid."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hffm_opt.scenario.projection import SEMI_MAJOR_AXIS_M, centroid_deg, earth_centred_m, tangent_plane_m


def dms(degrees, minutes, seconds):
    return math.copysign(abs(degrees) + minutes / 60 + seconds / 3600, degrees)


def distance_m(a, b):
    points = tangent_plane_m([a[0], b[0]], [a[1], b[1]], centroid_deg([a[0], b[0]], [a[1], b[1]]))
    return float(np.linalg.norm(points[1] - points[0]))


def test_flinders_peak_to_buninyong():
    """The worked example of the Geocentric Datum of Australia manual (Vincenty's formulae): 54,972.271 m."""
    flinders = dms(-37, 57, 3.72030), dms(144, 25, 29.52440)
    buninyong = dms(-37, 39, 10.15610), dms(143, 55, 35.38390)
    # The plane shortens by (d / R)^2 / 24 over a chord of length d about its middle: 0.2 m here.
    assert distance_m(flinders, buninyong) == pytest.approx(54_972.271, abs=0.3)


@pytest.mark.parametrize(
    ("latitude", "north_m", "east_m"),
    [
        # Length of a degree of latitude and of longitude on WGS84, as tabulated.
        (0.0, 110_574, 111_320),
        (15.0, 110_649, 107_550),
        (30.0, 110_852, 96_486),
        (45.0, 111_132, 78_847),
        (60.0, 111_412, 55_800),
        (75.0, 111_618, 28_902),
    ],
)
def test_a_tenth_of_a_degree(latitude, north_m, east_m):
    assert distance_m((latitude - 0.05, 10.0), (latitude + 0.05, 10.0)) == pytest.approx(north_m / 10, rel=1e-4)
    assert distance_m((latitude, 10.0), (latitude, 10.1)) == pytest.approx(east_m / 10, rel=1e-4)


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(0, 360), st.floats(10, 10_000))
def test_plane_distances_are_true_within_a_thousandth_over_ten_kilometres(latitude, longitude, bearing, reach_m):
    """Against the straight line through the earth, which is shorter than the arc by 1e-7 relative over 10 km."""
    angle = math.radians(bearing)
    to_latitude = latitude + math.degrees(reach_m / SEMI_MAJOR_AXIS_M) * math.cos(angle)
    to_longitude = longitude + math.degrees(reach_m / SEMI_MAJOR_AXIS_M) * math.sin(angle) / math.cos(
        math.radians(latitude)
    )
    chord_m = float(np.linalg.norm(earth_centred_m(to_latitude, to_longitude) - earth_centred_m(latitude, longitude)))
    assert distance_m((latitude, longitude), (to_latitude, to_longitude)) == pytest.approx(chord_m, rel=1e-6)


def test_axes_point_east_and_north():
    east, north = tangent_plane_m([-37.8, -37.79], [144.97, 144.96], (-37.8, 144.96))
    assert east[0] > 0 and abs(east[1]) < 0.1
    assert north[1] > 0 and abs(north[0]) < 0.1


def test_the_origin_is_zero():
    assert tangent_plane_m([51.0], [3.7], (51.0, 3.7)).tolist() == [[0.0, 0.0]]


def test_the_date_line_is_no_border():
    assert centroid_deg([0.0, 0.0], [179.95, -179.95]) == pytest.approx((0.0, 180.0))
    assert distance_m((0.0, 179.95), (0.0, -179.95)) == pytest.approx(11_132, rel=1e-4)


def test_earth_centred_coordinates():
    assert earth_centred_m(0.0, 0.0) == pytest.approx([6_378_137.0, 0, 0])
    assert earth_centred_m(0.0, 90.0) == pytest.approx([0, 6_378_137.0, 0], abs=1e-6)
    assert earth_centred_m(90.0, 0.0) == pytest.approx([0, 0, 6_356_752.3142], abs=1e-4)
