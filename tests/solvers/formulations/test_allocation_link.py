"""One transmission: formulas, convexity, the answer to prices and the floor under it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations import allocation_link as link


def random_links(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = derive(seed, "links")
    return {
        "load_bit": 10 ** rng.uniform(3, 8, count),
        "gain_to_noise_hz_per_w": 10 ** rng.uniform(5, 11, count),
        "power_max_w": 10 ** rng.uniform(-2, 1, count),
        "weight_energy": 10 ** rng.uniform(-3, 3, count),
        "time_price": 10 ** rng.uniform(-3, 3, count),
        "band_price": 10 ** rng.uniform(-9, -3, count),
    }


def priced(links: dict[str, np.ndarray], duration: np.ndarray, bandwidth: np.ndarray) -> np.ndarray:
    energy = link.energy_j(links["load_bit"], duration, bandwidth, links["gain_to_noise_hz_per_w"])
    return links["weight_energy"] * energy + links["time_price"] * duration + links["band_price"] * bandwidth


def test_energy_is_power_times_time_at_the_rate_of_shannon() -> None:
    load, duration, bandwidth, gain = (np.array([value]) for value in (2e6, 0.5, 1e6, 1e8))
    energy = link.energy_j(load, duration, bandwidth, gain)
    # 4 bit/s/Hz: SNR 15, p = 15 B / gn = 0.15 W.
    assert energy == pytest.approx(0.15 * 0.5, rel=1e-14)
    assert link.rate_bit_per_s(bandwidth, energy / duration, gain) == pytest.approx(load / duration, rel=1e-14)
    assert link.shortest_duration_s(load, bandwidth, np.array([0.15]), gain) == pytest.approx(0.5, rel=1e-14)


def test_nothing_is_spent_on_no_load_and_all_on_no_band() -> None:
    load, zero, one = np.array([0.0, 1e6]), np.zeros(2), np.ones(2)
    assert link.energy_j(load, one, zero, 1e8 * one).tolist() == [0.0, np.inf]
    assert link.shortest_duration_s(load, zero, one, 1e8 * one).tolist() == [0.0, np.inf]


def test_energy_approaches_its_floor_without_loss_of_digits() -> None:
    load, gain = np.array([1e3]), np.array([1e8])
    patient = link.energy_j(load, np.array([1e9]), np.array([1e9]), gain)
    assert patient == pytest.approx(load * np.log(2) / gain, rel=1e-14)


def test_excess_keeps_its_digits_near_zero() -> None:
    x = np.array([1e-9, 1e-4, 0.0999999, 0.1000001, 3.0])
    exact = [5.000000003333334e-19, 5.000333345833722e-09, None, None, 3 * np.exp(3) - np.exp(3) + 1]
    found = link.excess(x)
    for value, reference in zip(found, exact, strict=True):
        assert reference is None or value == pytest.approx(reference, rel=1e-13)
    assert found[3] / found[2] == pytest.approx((0.1000001 / 0.0999999) ** (2 + 0.1 / 1.5), rel=1e-8)


@given(
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)), st.tuples(st.floats(-2, 2), st.floats(-2, 2)), st.floats(0.01, 0.99)
)
def test_energy_is_jointly_convex_in_time_and_band(
    first: tuple[float, float], second: tuple[float, float], part: float
) -> None:
    time, band = (10 ** np.array([first[i], second[i]]) for i in (0, 1))
    load, gain = np.array([1e6]), np.array([1e8])
    ends = link.energy_j(load, time, 1e6 * band, gain)
    middle = link.energy_j(
        load, part * time[:1] + (1 - part) * time[1:], 1e6 * (part * band[:1] + (1 - part) * band[1:]), gain
    )
    if np.isfinite(ends).all():
        assert middle[0] <= (part * ends[0] + (1 - part) * ends[1]) * (1 + 1e-12)


def test_the_answer_is_the_minimum_that_a_search_finds() -> None:
    links = random_links(40, seed=3)
    response = link.respond(**links)
    best = priced(links, response.duration_s, response.bandwidth_hz)
    for number in range(40):
        one = {name: value[number : number + 1] for name, value in links.items()}

        def along_band(log_band: float, one: dict[str, np.ndarray] = one) -> float:
            band = np.exp(np.array([log_band]))
            physical = (one["load_bit"], band, one["power_max_w"], one["gain_to_noise_hz_per_w"])
            shortest = np.log(link.shortest_duration_s(*physical)[0])
            found = minimize_scalar(
                lambda log_time: float(priced(one, np.exp(np.array([log_time])), band)[0]),
                bounds=(shortest, shortest + 25.0),
                method="bounded",
                options={"xatol": 1e-9},
            )
            return min(float(found.fun), float(priced(one, np.exp(np.array([shortest])), band)[0]))

        middle = float(np.log(response.bandwidth_hz[number]))
        searched = minimize_scalar(
            along_band, bounds=(middle - 4, middle + 4.5), method="bounded", options={"xatol": 1e-8}
        )
        assert best[number] == pytest.approx(float(searched.fun), rel=1e-7)
    assert response.capped.any() and not response.capped.all()


def test_slopes_of_the_answer_match_differences() -> None:
    links = random_links(2000, seed=4)
    response = link.respond(**links)

    def moved(name: str, by: float) -> link.LinkResponse:
        return link.respond(**{**links, name: links[name] * np.exp(by)})

    step = 1e-5
    scale = links["time_price"] * response.duration_s + links["band_price"] * response.bandwidth_hz
    for name, time_slope, band_slope in (
        ("time_price", response.time_by_time, response.time_by_band),
        ("band_price", response.time_by_band, response.band_by_band),
    ):
        up, down = moved(name, step), moved(name, -step)
        by_time = links["time_price"] * (up.duration_s - down.duration_s) / (2 * step)
        by_band = links["band_price"] * (up.bandwidth_hz - down.bandwidth_hz) / (2 * step)
        smooth = up.capped == down.capped
        assert np.abs((by_time - time_slope) / scale)[smooth].max() < 1e-8
        assert np.abs((by_band - band_slope) / scale)[smooth].max() < 1e-8


def test_the_floor_is_below_every_feasible_point_and_touches_the_best() -> None:
    links = random_links(5000, seed=5)
    response = link.respond(**links)
    cap_price = link.power_price(response, links["power_max_w"], links["time_price"], links["band_price"])
    floor = link.link_floor(**links, cap_price=cap_price)
    best = priced(links, response.duration_s, response.bandwidth_hz)
    assert np.abs(best / floor - 1).max() < 1e-11
    rng = derive(5, "points")
    for _ in range(10):
        band = response.bandwidth_hz * np.exp(rng.normal(0, 1, 5000))
        physical = (links["load_bit"], band, links["power_max_w"], links["gain_to_noise_hz_per_w"])
        time = np.maximum(response.duration_s * np.exp(rng.normal(0, 1, 5000)), link.shortest_duration_s(*physical))
        any_cap_price = cap_price * np.exp(rng.normal(0, 2, 5000))
        assert (priced(links, time, band) >= link.link_floor(**links, cap_price=any_cap_price) * (1 - 1e-12)).all()
        assert (priced(links, time, band) >= best * (1 - 1e-12)).all()


def test_the_floor_survives_prices_of_zero() -> None:
    links = random_links(3, seed=6)
    links["time_price"] = np.array([0.0, 1.0, 0.0])
    links["band_price"] = np.array([1e-6, 0.0, 0.0])
    floor = link.link_floor(**links, cap_price=np.zeros(3))
    least = links["weight_energy"] * np.log(2) * links["load_bit"] / links["gain_to_noise_hz_per_w"]
    assert floor == pytest.approx(least, rel=1e-12)


def test_spectral_load_at_a_pull_is_lamberts() -> None:
    pull = 10 ** np.linspace(-3, 20, 200)
    lambert = 1 + lambertw((pull - 1) / np.e).real
    assert link.spectral_load_at(pull) == pytest.approx(lambert, rel=1e-11)
    assert link.spectral_load_at(np.array([0.0, 1e-12])) == pytest.approx([0.0, np.sqrt(2e-12)], rel=1e-6)
    assert link.spectral_load_at(np.array([np.inf]))[0] > 250
