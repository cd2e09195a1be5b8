"""The surrogate keeps its laws, finds curves it was shown, knows how sure it is, and takes changes on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hffm_opt.errors import InputError
from hffm_opt.measurement import CurvePoint, Measurement
from hffm_opt.measurement.leave_one_out import leave_one_out
from hffm_opt.measurement.run_points import RunPoints
from hffm_opt.measurement.surrogate import (
    FittedCurve,
    fit_curves,
    published_prior,
    refit,
    rounds_left,
    rounds_left_interval,
)
from hffm_opt.plan.accuracy import unit_drift_of
from hffm_opt.problem import build_problem
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_json, parse_text, validate

NEVER = float("inf")
CURVE = LearningCurve(final=0.6, scale_rounds=12.0, shape=0.6, half_rounds=25.0, unit_drift=0.75)
curves = st.builds(
    LearningCurve,
    final=st.floats(0.05, 1.0),
    scale_rounds=st.floats(0.5, 500.0),
    shape=st.floats(0.2, 3.0),
    half_rounds=st.floats(0.5, 500.0),
    unit_drift=st.floats(1e-3, 1e3),
)
drifts = st.one_of(st.floats(0.0, 1e8), st.just(NEVER))
shares = st.floats(0.01, 0.99)


def made_up(curve: LearningCurve, rounds: range, drift: float, noise: float, seed: int) -> RunPoints:
    chance = np.random.default_rng(seed).normal(0.0, noise, len(rounds))
    return RunPoints.steady(rounds, np.clip(curve.accuracy(rounds, drift) + chance, 0, 1), drift)


@given(curves, drifts, drifts, shares)
def test_more_drift_never_takes_fewer_rounds(curve, one, other, part):
    less, more = sorted((one, other))
    assert curve.rounds_to(part * curve.final, less) <= curve.rounds_to(part * curve.final, more)
    assert curve.accuracy(20.0, less) >= curve.accuracy(20.0, more)


@given(curves, drifts, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_more_rounds_never_lower_accuracy(curve, drift, one, other):
    fewer, more = sorted((one, other))
    assert curve.accuracy(fewer, drift) <= curve.accuracy(more, drift) * (1 + 1e-12)


@given(curves, drifts, shares)
def test_rounds_to_inverts_accuracy(curve, drift, part):
    rounds = curve.rounds_to(part * curve.final, drift)
    if rounds < 1e6:
        assert curve.accuracy(rounds, drift) == pytest.approx(part * curve.final, rel=1e-6)


@given(curves, drifts)
def test_what_lies_at_or_above_the_asymptote_is_never_reached(curve, drift):
    assert curve.rounds_to(curve.final, drift) == NEVER
    assert curve.rounds_to(0.0, drift) == 0.0


@given(curves)
def test_without_any_average_progress_ends(curve):
    end = float(curve.accuracy_at(curve.half_rounds))
    assert curve.accuracy(1e7, NEVER) <= end
    if end < curve.final * (1 - 1e-9):
        assert curve.rounds_to(end * (1 + 1e-9), NEVER) == NEVER
        assert np.isfinite(curve.rounds_to(end * (1 + 1e-9), 1e6))


def test_the_curve_takes_many_drifts_at_once():
    drift = np.array([0.0, 2.25, 47.25, 29999.25, NEVER])
    together = CURVE.rounds_to(0.4, drift)
    assert together.tolist() == [float(CURVE.rounds_to(0.4, each)) for each in drift]
    assert CURVE.accuracy(np.arange(3.0)[:, None], drift).shape == (3, 5)


def test_half_rounds_apart_halve_progress():
    apart = CURVE.unit_drift * CURVE.half_rounds**2
    assert CURVE.progress(100.0, apart) == pytest.approx(50.0)


@settings(max_examples=50)
@given(drifts, st.integers(1, 40), st.integers(1, 40))
def test_progress_under_equal_circulations_is_that_of_one(drift, first, second):
    # The smallest change of Phi makes it two circulations to the eye of the code.
    changed = RunPoints((), (), (drift,) * first + (float(np.nextafter(drift, 1.0)),) * second)
    expected = CURVE.progress(np.arange(first + second + 1), drift)
    assert changed.progress(CURVE) == pytest.approx(expected, rel=1e-9)


def test_progress_continues_after_a_change():
    run = RunPoints((), (), (29999.25,) * 10 + (0.0,) * 5 + (NEVER,) * 2)
    progress = run.progress(CURVE)
    after_ten = float(CURVE.progress(10, 29999.25))
    assert progress[10:16] == pytest.approx(after_ten + np.arange(6))
    assert 0 < progress[17] - progress[16] < progress[16] - progress[15] < 1
    lost = RunPoints((), (), (0.0,) * 40 + (NEVER,) * 5)
    assert lost.progress(CURVE)[40:] == pytest.approx(40.0)


def test_a_round_of_half_the_samples_counts_as_half_a_round():
    run = RunPoints((), (), (47.25,) * 8, share=(0.5,) * 8)
    assert run.progress(CURVE) == pytest.approx(CURVE.progress(np.arange(9) / 2, 47.25))


def test_rounds_left_are_those_of_the_whole_less_those_gone():
    fitted = published_prior()
    run = RunPoints((), (), (47.25,) * 12)
    whole = rounds_left(fitted, 0.3, 47.25)
    assert rounds_left(fitted, 0.3, 47.25, run) == pytest.approx(whole - 12)
    assert rounds_left(fitted, 0.3, 47.25, 5.0) < whole
    assert rounds_left(fitted, 0.1, 47.25, run) == 0.0
    assert rounds_left(fitted, 0.9, 47.25, run) == NEVER


def test_a_reading_is_less_sure_than_the_curve():
    fitted = fit_curves([made_up(CURVE, range(1, 61), drift, 0.01, 4) for drift in (0.0, 47.25)])
    curve, reading = (rounds_left_interval(fitted, 0.45, 2.25, draws=400, reading=flag) for flag in (False, True))
    assert reading.low < curve.low < curve.high < reading.high


def test_a_curve_is_found_again_from_its_points():
    runs = [made_up(CURVE, range(1, 61), drift, 0.004, seed) for seed, drift in enumerate((0.0, 47.25, 29999.25))]
    fitted = fit_curves(runs)
    assert fitted.noise == pytest.approx(0.004, rel=0.2)
    assert fitted.points == 180
    for drift in (0.0, 2.25, 47.25):
        assert rounds_left(fitted, 0.45, drift) == pytest.approx(float(CURVE.rounds_to(0.45, drift)), rel=0.03)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Truths drawn from the prior, eight points each: 90 % intervals of the rounds left hold about nine in ten."""
    prior, inside, cases = published_prior(), 0, 40
    for seed, true in enumerate(prior.samples(cases, seed=5)):
        run = made_up(true, range(2, 17, 2), 2.25, 0.006, seed)
        target = float(true.accuracy(30, 2.25))
        left = rounds_left_interval(refit(prior, run), target, 2.25, run, draws=200, seed=seed)
        inside += left.low <= 14.0 <= left.high
    assert 0.8 <= inside / cases <= 1.0


def test_more_points_make_it_surer():
    prior = published_prior()
    widths = []
    for last in (4, 10, 30):
        low, median, high = rounds_left_interval(
            refit(prior, made_up(CURVE, range(1, last + 1), 2.25, 0.01, 1)), 0.45, 2.25, draws=400
        )
        assert low <= median <= high
        widths.append(np.log(high / low))
    assert widths[0] > widths[1] > widths[2]


def test_a_few_points_of_other_tasks_move_the_prior():
    other = LearningCurve(final=0.85, scale_rounds=14.0, shape=1.0, half_rounds=25.0, unit_drift=0.75)
    run = made_up(other, range(2, 11, 2), 2.25, 0.01, 3)
    prior = published_prior()
    before, after = (
        abs(float(f.curve.accuracy(20, 2.25) - other.accuracy(20, 2.25))) for f in (prior, refit(prior, run))
    )
    assert after < before / 4


def test_many_points_outweigh_the_prior():
    runs = [made_up(CURVE, range(1, 201), 47.25, 0.004, 7)]
    free, held = fit_curves(runs), refit(published_prior(), runs[0])
    rounds = np.arange(1, 201)
    assert held.curve.accuracy(rounds, 47.25) == pytest.approx(free.curve.accuracy(rounds, 47.25), abs=0.002)


def test_a_refit_without_points_is_the_prior():
    prior = published_prior()
    assert refit(prior, RunPoints((), (), (2.25, 2.25))) is prior


def test_a_changed_circulation_is_fitted_as_such():
    drift = (29999.25,) * 20 + (0.0,) * 20
    rounds = tuple(range(1, 41))
    accuracy = CURVE.accuracy_at(RunPoints((), (), drift).progress(CURVE)[1:])
    fitted = refit(published_prior(), RunPoints(rounds, tuple(accuracy.tolist()), drift))
    for phi in (0.0, 29999.25):
        assert rounds_left(fitted, 0.4, phi) == pytest.approx(float(CURVE.rounds_to(0.4, phi)), rel=0.05)


def test_the_prior_follows_the_scenario_unit_of_drift():
    problem = build_problem(load_scenario("tiny"))
    fitted = published_prior(unit_drift_of(problem))
    scale = unit_drift_of(problem) / 0.75
    assert rounds_left(fitted, 0.3, 47.25 * scale) == pytest.approx(rounds_left(published_prior(), 0.3, 47.25))


def test_a_fitted_curve_survives_its_file():
    fitted = refit(published_prior(), made_up(CURVE, range(1, 7), 2.25, 0.01, 2))
    assert validate(parse_text(dump_json(fitted), "curve.json"), FittedCurve, "curve") == fitted
    assert fitted.samples(3, seed=1) == fitted.samples(3, seed=1) != fitted.samples(3, seed=2)


def test_points_of_a_measurement_are_those_after_an_average():
    def point(number: int, phase: str, mean: float) -> CurvePoint:
        return CurvePoint.model_construct(
            round=number, phase=phase, accuracy={"digits": mean - 0.1, "shapes": mean + 0.1}
        )

    points = (point(2, "before-average", 0.2), point(2, "after-average", 0.3), point(3, "local", 0.25))
    run = RunPoints.of(Measurement.model_construct(curve=points, rounds=4), 2.25)
    assert (run.rounds, run.accuracy, run.drift) == ((2,), pytest.approx((0.3,)), (2.25,) * 4)
    alone = RunPoints.of(Measurement.model_construct(curve=points[::2], rounds=4), [1.0, 1.0, 2.0, 2.0], [1, 1, 0.5, 1])
    assert (alone.rounds, alone.drift, alone.share) == ((2, 3), (1.0, 1.0, 2.0, 2.0), (1, 1, 0.5, 1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: RunPoints((1,), (float("nan"),), (0.0,)), "accuracy.*nan is not a number"),
        (lambda: RunPoints((1,), (0.5,), (float("nan"),)), "drift.*nan is not a number"),
        (lambda: RunPoints((1,), (50.0,), (0.0,)), "50 is not within 0 to 1"),
        (lambda: RunPoints((3,), (0.5,), (0.0,)), "rounds.*3 is not within 1 to 1"),
        (lambda: RunPoints((1,), (), (0.0,)), "0 accuracies for 1 rounds"),
        (lambda: RunPoints((1,), (0.5,), (0.0,), (1.0, 1.0)), "2 shares for 1 rounds"),
        (
            lambda: RunPoints.of(Measurement.model_construct(curve=(), rounds=3), [1.0, 2.0]),
            r"shape \(2,\) for a run of 3 rounds",
        ),
        (lambda: fit_curves([]), "no point to fit"),
        (lambda: fit_curves([RunPoints((), (), (0.0,))]), "no point to fit"),
        (lambda: leave_one_out({"a": RunPoints((1,), (0.5,), (0.0,))}, [0.3]), "nothing to fit"),
        (lambda: leave_one_out({n: RunPoints((1,), (0.5,), (0.0, 1.0)) for n in "ab"}, [0.3]), "one circulation"),
        (lambda: rounds_left_interval(published_prior(), 0.3, 0.0, level=90), "90 is not between 0 and 1"),
        (lambda: rounds_left_interval(published_prior(), 0.3, 0.0, draws=0), "0 draws"),
    ],
)
def test_wrong_input_is_told_in_words(wrong, words):
    with pytest.raises(InputError, match=words):
        wrong()


def test_a_covariance_that_is_none_is_refused():
    rows = tuple(tuple(float(i == j) * (-1 if i else 1) for j in range(5)) for i in range(5))
    with pytest.raises(ValueError, match="positive definite"):
        FittedCurve(curve=CURVE, covariance=rows, noise=0.01)
