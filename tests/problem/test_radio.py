"""Rates, noise and path loss against hand-computed figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hffm_opt.problem.radio import MIN_DISTANCE_M, noise_w_per_hz, path_gain, rate_bit_per_s
from hffm_opt.scenario.model import LogDistance, Physics, ReferenceArithmetic, Tr38901


def loss_db(law, distance_m, **fields):
    return -10 * math.log10(float(path_gain(Tr38901(law=law, **fields), distance_m)))


def test_rate_by_hand():
    # p g / (N0 B) = 15, so 4 bits per hertz.
    assert float(rate_bit_per_s(2e6, 3.0, 1e-5, 1e-12)) == pytest.approx(2e6 * math.log2(16))
    assert rate_bit_per_s([1e6, 0.0], 0.0, 1.0, 1.0).tolist() == [0.0, 0.0]


POSITIVE = st.floats(1e-3, 1e3)


@given(POSITIVE, POSITIVE, POSITIVE, st.floats(1.0, 100.0))
def test_rate_rises_with_bandwidth_and_power(band, power, gain, factor):
    rate = float(rate_bit_per_s(band, power, gain, 1.0))
    assert float(rate_bit_per_s(band * factor, power, gain, 1.0)) >= rate * (1 - 1e-12)
    assert float(rate_bit_per_s(band, power * factor, gain, 1.0)) >= rate * (1 - 1e-12)


@given(POSITIVE, POSITIVE, POSITIVE, st.floats(1.0, 100.0))
def test_rate_rises_less_than_in_proportion(band, power, gain, factor):
    rate = float(rate_bit_per_s(band, power, gain, 1.0))
    assert float(rate_bit_per_s(band * factor, power, gain, 1.0)) <= factor * rate * (1 + 1e-12)
    assert float(rate_bit_per_s(band, power * factor, gain, 1.0)) <= factor * rate * (1 + 1e-12)


def test_rate_of_a_wide_band_approaches_its_limit():
    # B log2(1 + s / B) -> s / ln 2; a naive log2(1 + x) would lose all digits here.
    assert float(rate_bit_per_s(1e18, 1.0, 1.0, 1.0)) == pytest.approx(1 / math.log(2), rel=1e-12)


def test_noise():
    assert noise_w_per_hz(Physics(profile="si")) == pytest.approx(10**-20.4, rel=1e-12, abs=0)
    published = Physics(profile="reference", reference=ReferenceArithmetic())
    assert noise_w_per_hz(published) == pytest.approx(10**-23.4, rel=1e-12, abs=0)


def test_log_distance():
    law = LogDistance(loss_at_1m_db=30.0, exponent=3.0)
    assert path_gain(law, [1.0, 10.0, 100.0]) == pytest.approx([1e-3, 1e-6, 1e-9], rel=1e-12, abs=0)
    assert float(path_gain(law, 0.0)) == float(path_gain(law, MIN_DISTANCE_M))


# TR 38.901 table 7.4.1-1 worked out by hand at 3.5 GHz, device at 1.5 m; with d'_BP = 4 h'_BS h'_UT f_c / c:
# 25 m macro: 4 * 24 * 0.5 * 3.5e9 / 3e8 = 560 m; 10 m street canyon: 4 * 9 * 0.5 * 3.5e9 / 3e8 = 210 m.
# The standard writes c = 3.0e8 m/s, here it is exact; beyond the breakpoint this moves the loss by 0.006 dB.
MACRO, STREET = {"edge_height_m": 25.0}, {"edge_height_m": 10.0}


@pytest.mark.parametrize(
    ("law", "fields", "distance_m", "expected_db"),
    [
        # d3D = sqrt(100^2 + 23.5^2) = 102.7242; 28 + 22 * 2.01167 + 20 * 0.544068
        ("uma-los", MACRO, 100.0, 83.1381),
        # d3D = 1000.2761; 28 + 40 * 3.000120 + 10.88136 - 9 log10(560^2 + 23.5^2) = 9 * 5.497140
        ("uma-los", MACRO, 1000.0, 109.4119),
        # 13.54 + 39.08 * 2.01167 + 10.88136
        ("uma-nlos", MACRO, 100.0, 103.0374),
        # 13.54 + 39.08 * 3.000120 + 10.88136
        ("uma-nlos", MACRO, 1000.0, 141.6660),
        # d3D = sqrt(100^2 + 8.5^2) = 100.3606; 32.4 + 21 * 2.001563 + 10.88136
        ("umi-los", STREET, 100.0, 85.3142),
        # d3D = 500.0722; 32.4 + 40 * 2.699033 + 10.88136 - 9.5 log10(210^2 + 8.5^2) = 9.5 * 4.645150
        ("umi-los", STREET, 500.0, 107.1137),
        # 22.4 + 35.3 * 2.001563 + 21.3 * 0.544068
        ("umi-nlos", STREET, 100.0, 104.6438),
        ("umi-nlos", STREET, 500.0, 129.2645),
        # A device at 5 m: 22.4 + 35.3 log10(sqrt(100^2 + 5^2)) + 11.58865 - 0.3 * 3.5
        ("umi-nlos", STREET | {"device_height_m": 5.0}, 100.0, 103.5578),
        # A device at 5 m below a macro site: 13.54 + 39.08 log10(sqrt(100^2 + 20^2)) + 10.88136 - 0.6 * 3.5
        ("uma-nlos", MACRO | {"device_height_m": 5.0}, 100.0, 100.8142),
        # 28 GHz: 28 + 22 * 2.01167 + 20 * 1.447158
        ("uma-los", MACRO | {"carrier_hz": 28e9}, 100.0, 101.1999),
    ],
)
def test_tr_38901_by_hand(law, fields, distance_m, expected_db):
    assert loss_db(law, distance_m, carrier_hz=fields.get("carrier_hz", 3.5e9), **without(fields)) == pytest.approx(
        expected_db, abs=0.01
    )


def without(fields):
    return {key: value for key, value in fields.items() if key != "carrier_hz"}


@pytest.mark.parametrize(("law", "height_m", "break_m"), [("uma-los", 25.0, 560.4), ("umi-los", 10.0, 210.1)])
def test_breakpoint_uses_effective_heights_and_the_loss_is_continuous_there(law, height_m, break_m):
    """The slope changes from 22 (21) to 40 dB a decade at 4 (h_BS - 1)(h_UT - 1) f_c / c, without a jump."""

    def slope(low_m, high_m):
        return (
            loss_db(law, high_m, edge_height_m=height_m) - loss_db(law, low_m, edge_height_m=height_m)
        ) / math.log10(math.hypot(high_m, height_m - 1.5) / math.hypot(low_m, height_m - 1.5))

    near = 22.0 if law == "uma-los" else 21.0
    assert slope(0.5 * break_m, 0.999 * break_m) == pytest.approx(near, abs=1e-6)
    assert slope(1.001 * break_m, 2 * break_m) == pytest.approx(40.0, abs=1e-6)
    jump = loss_db(law, break_m * 1.001, edge_height_m=height_m) - loss_db(law, break_m * 0.999, edge_height_m=height_m)
    assert 0 < jump < 0.04


@given(st.floats(10.0, 5000.0), st.sampled_from(["uma", "umi"]), st.floats(1.5, 12.0))
def test_blocked_sight_never_loses_less(distance_m, kind, device_height_m):
    heights = {"edge_height_m": 25.0 if kind == "uma" else 10.0, "device_height_m": device_height_m}
    open_sight = loss_db(f"{kind}-los", distance_m, **heights)
    assert loss_db(f"{kind}-nlos", distance_m, **heights) >= open_sight - 1e-9


@given(st.sampled_from(["uma-los", "uma-nlos", "umi-los", "umi-nlos"]), st.floats(0, 5000.0), st.floats(1.0, 3.0))
def test_farther_never_loses_less(law, distance_m, factor):
    gains = path_gain(Tr38901(law=law), [distance_m, distance_m * factor])
    assert np.isfinite(gains).all()
    assert gains[1] <= gains[0] * (1 + 1e-9)
