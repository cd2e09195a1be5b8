"""Unit conversions invert each other and hold known values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hffm_opt.units import BITS_PER_BYTE, bytes_to_bit, db_to_linear, dbm_to_w, linear_to_db, w_to_dbm

LEVELS = st.floats(-250, 250)
RATIOS = st.floats(1e-25, 1e25)


@given(LEVELS)
def test_levels_invert(level):
    assert linear_to_db(db_to_linear(level)) == pytest.approx(level, rel=1e-12, abs=1e-10)
    assert w_to_dbm(dbm_to_w(level)) == pytest.approx(level, rel=1e-12, abs=1e-10)


@given(RATIOS)
def test_ratios_invert(ratio):
    assert db_to_linear(linear_to_db(ratio)) == pytest.approx(ratio, rel=1e-12, abs=0)
    assert dbm_to_w(w_to_dbm(ratio)) == pytest.approx(ratio, rel=1e-12, abs=0)


@given(LEVELS, LEVELS)
def test_levels_add_where_ratios_multiply(a, b):
    assert db_to_linear(a + b) == pytest.approx(db_to_linear(a) * db_to_linear(b), rel=1e-11, abs=0)


@pytest.mark.parametrize(("dbm", "watt"), [(0.0, 1e-3), (30.0, 1.0), (23.0, 0.19952623), (-174.0, 3.98107171e-21)])
def test_known_powers(dbm, watt):
    assert dbm_to_w(dbm) == pytest.approx(watt, rel=1e-8, abs=0)


@given(st.integers(0, 2**60))
def test_bytes(count):
    assert bytes_to_bit(count) == BITS_PER_BYTE * count == 8 * count


@pytest.mark.parametrize("ratio", [0.0, -1.0])
def test_no_level_of_nothing(ratio):
    with pytest.raises(ValueError, match="math domain error"):
        linear_to_db(ratio)
    assert math.isclose(linear_to_db(1.0), 0.0)
