r"""The surrogate "circulation -> rounds to an accuracy", fitted to measured curves, with its uncertainty.

The five numbers of the learning curve are fitted as coordinates without bounds,

    theta = (logit a_16, logit (A - a_16) / (1 - a_16), ln b, ln R, ln phi_1)

with a_16, the accuracy after 16 rounds without drift, in place of K: early points then leave A open without bending
what they do tell. Sought is the maximum of the posterior: normal prior, normal noise of unknown size. Around it the
posterior is taken as normal (Laplace) with the precision ``J'J / (s^2 f) + P``: J the slopes of the curve at the
points, P the prior's precision, s the noise. Neighbouring points err alike, so that n of them tell as much as ``n / f``
independent ones, ``f = (1 + r) / (1 - r)`` for the correlation r of neighbours. The noise is ``s^2 = RSS / (n - g)``,
where g counts the coordinates that the points, not the prior, decide (MacKay, "Bayesian interpolation", Neural
Computation 4, 1992); the prior's noise enters as a few further points.

A later refit of the same run begins again from the same prior: a point must not count twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, cast

import numpy as np
from pydantic import Field, model_validator
from scipy.optimize import least_squares
from scipy.special import expit, logit

from hffm_opt.errors import InputError
from hffm_opt.measurement.run_points import RunPoints
from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.learning_curve import PUBLISHED_UNIT, Floats, LearningCurve, published_curve
from hffm_opt.seeds import derive

COORDINATES = ("logit a_16", "logit later", "ln shape", "ln half_rounds", "ln unit_drift")
# Accuracy after so many rounds without drift stands for the scale: a few points know it well, and K hardly.
_ROUNDS = 16
_EDGE, _FAR = 1e-9, 20.0
# Noise and correlation are re-estimated around the new maximum until neither moves; three to ten times, mostly.
_PASSES, _SETTLED = 30, 1e-6
# A correlation is believed only as far as there are points to tell it: as if so many uncorrelated ones were added.
_CALM_POINTS, _MOST_CORRELATION = 10, 0.9
# The least noise, far below what any test set can resolve; keeps exact (made-up) points from an endless weight.
_LEAST_NOISE = 1e-4
_REACH = 6.0

Row = Annotated[tuple[float, ...], Field(min_length=5, max_length=5)]
Matrix = Annotated[tuple[Row, ...], Field(min_length=5, max_length=5)]


class FittedCurve(Frozen):
    """A learning curve with its uncertainty.

    ``covariance`` [5, 5] is that of the coordinates :data:`COORDINATES`, ``noise`` the standard deviation of one
    measured accuracy, ``points`` how many were fitted, ``noise_points`` how many of them the noise is known from.
    """

    format: Literal["hffm-fitted-curve/1"] = "hffm-fitted-curve/1"
    curve: LearningCurve
    covariance: Matrix
    noise: Annotated[float, Field(gt=0, le=1)]
    points: Annotated[int, Field(ge=0)] = 0
    noise_points: Annotated[float, Field(ge=1)] = 2.0

    @model_validator(mode="after")
    def _proper(self) -> FittedCurve:
        matrix = np.array(self.covariance)
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() <= 0:
            raise ValueError("covariance must be symmetric and positive definite")
        return self

    def samples(self, count: int, seed: int) -> tuple[LearningCurve, ...]:
        """Return curves drawn from the posterior."""
        spread = np.linalg.cholesky(np.array(self.covariance))
        normal = derive(seed, "learning curve").standard_normal((count, len(COORDINATES)))
        return tuple(_curve(_theta(self.curve) + spread @ each) for each in normal)


def _theta(curve: LearningCurve) -> Floats:
    # Kept off 0 and 1, which have no finite logit.
    level = float(np.clip(curve.accuracy_at(_ROUNDS), _EDGE, 1 - 2 * _EDGE))
    later = float(np.clip((curve.final - level) / (1 - level), _EDGE, 1 - _EDGE))
    return np.array([*logit([level, later]), *np.log([curve.shape, curve.half_rounds, curve.unit_drift])])


def _curve(theta: Floats) -> LearningCurve:
    level, later = np.clip(expit(theta[:2]), _EDGE, 1 - _EDGE).tolist()
    shape, half, unit = np.exp(np.clip(theta[2:], -_FAR, _FAR)).tolist()
    final = level + (1 - level) * later
    scale = math.log(_ROUNDS) - math.log(-math.log1p(-level / final)) / shape
    return LearningCurve(
        final=final,
        scale_rounds=math.exp(min(max(scale, -_FAR), _FAR)),
        shape=shape,
        half_rounds=half,
        unit_drift=unit,
    )


def _diagonal(deviations: Sequence[float]) -> Matrix:
    return tuple(tuple(row) for row in np.diag(np.square(deviations)).tolist())


def published_prior(unit_drift: float = PUBLISHED_UNIT) -> FittedCurve:
    """Return the prior for a run that has not been measured: the published curves, widened to any other set of tasks.

    The standard deviations let the accuracy after 16 rounds without drift lie in 0.10 to 0.56, the share of the rest
    that is still won later in 0.13 to 0.62, and the other numbers within a factor of 1.5 to 2, two times out of three.

    Args:
        unit_drift: phi_1 as the scenario's divergences have it, see :func:`hffm_opt.plan.accuracy.unit_drift_of`;
            0.75 on the scenario `paper`, where the published curves were fitted.
    """
    return FittedCurve(curve=published_curve(unit_drift), covariance=_diagonal((1.2, 1.2, 0.4, 0.7, 0.4)), noise=0.006)


def fit_curves(
    runs: Sequence[RunPoints], unit_drift: float = PUBLISHED_UNIT, unit_drift_deviation: float = 0.3
) -> FittedCurve:
    """Fit the curve to several runs, with a weak prior for what they leave open.

    The prior only centres A on 0.5, K on 20, b on 0.7 and R on 20, with wide margins. Two runs that average
    often and one that never does leave phi_1 open, so it is held near the scenario's own.

    Args:
        runs: the points of the runs.
        unit_drift: phi_1 as the scenario's divergences have it, see :func:`hffm_opt.plan.accuracy.unit_drift_of`.
        unit_drift_deviation: the standard deviation of its logarithm.

    Raises:
        InputError: there is no point at all.

    Example:
        >>> true = LearningCurve(final=0.6, scale_rounds=15, shape=0.6, half_rounds=25, unit_drift=0.75)
        >>> runs = [RunPoints.steady(range(1, 41), true.accuracy(range(1, 41), phi), phi) for phi in (0.0, 50.0, 3e4)]
        >>> print(round(fit_curves(runs).curve.final, 2))
        0.6
    """
    if not any(run.rounds for run in runs):
        raise InputError.one("runs", "there is no point to fit", "give at least one evaluated round")
    weak = LearningCurve(final=0.5, scale_rounds=20, shape=0.7, half_rounds=20, unit_drift=unit_drift)
    prior = FittedCurve(curve=weak, covariance=_diagonal((1.5, 1.5, 0.7, 1.5, unit_drift_deviation)), noise=0.01)
    return _posterior(prior, runs)


def refit(prior: FittedCurve, run: RunPoints) -> FittedCurve:
    """Return the curve after a run's points are known; with no points, the prior.

    Args:
        prior: the curve before, e.g. :func:`published_prior`; never one that knows some of these points.
        run: all points of the run so far; its circulation may have changed on the way.

    Example:
        >>> run = RunPoints.steady([4, 8, 12, 16], [0.31, 0.42, 0.49, 0.52], drift=2.25)
        >>> prior = published_prior()
        >>> later = refit(prior, run)
        >>> print(round(float(prior.curve.accuracy(20, 2.25)), 2), round(float(later.curve.accuracy(20, 2.25)), 2))
        0.3 0.55
    """
    return _posterior(prior, [run]) if run.rounds else prior


class Interval(NamedTuple):
    """Rounds that the wanted share of the posterior lies between, and its median; infinite where never."""

    low: float
    median: float
    high: float


def rounds_left(fitted: FittedCurve, target: float, drift: float, done: float | RunPoints = 0.0) -> float:
    """Return the rounds still needed to reach an accuracy, all samples taking part; infinite where it never is.

    Args:
        fitted: the curve.
        target: the mean accuracy over the tasks, 0 to 1.
        drift: Phi of the circulation from now on.
        done: the progress so far in rounds without drift, or the run so far.

    Example:
        >>> run = RunPoints.steady([4, 8, 12, 16], [0.31, 0.42, 0.49, 0.52], drift=2.25)
        >>> fitted = refit(published_prior(), run)
        >>> print(round(rounds_left(fitted, 0.6, 2.25, run)), round(rounds_left(fitted, 0.6, 47.25, run)))
        19 22
    """
    return _left(fitted.curve, target, drift, done)


def rounds_left_interval(
    fitted: FittedCurve,
    target: float,
    drift: float,
    done: float | RunPoints = 0.0,
    *,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    reading: bool = False,
) -> Interval:
    """Return an interval of the rounds still needed: what the uncertainty of the curve makes of :func:`rounds_left`.

    Args:
        fitted: the curve.
        target: the mean accuracy over the tasks, 0 to 1.
        drift: Phi of the circulation from now on.
        done: the progress so far in rounds without drift, or the run so far, whose progress each drawn curve counts.
        level: the share of the posterior inside.
        draws: how many curves are drawn.
        seed: of the draws.
        reading: whether the target is to be read off a measured accuracy, which errs by the noise; otherwise the
            interval is that of the curve itself.

    Raises:
        InputError: the level is not between 0 and 1, or nothing is drawn.
    """
    if not 0 < level < 1:
        raise InputError.one("level", f"{level:g} is not between 0 and 1", "give a share such as 0.9")
    if draws < 1:
        raise InputError.one("draws", f"{draws} draws tell nothing", "draw at least one curve")
    chance = derive(seed, "reading").standard_normal(draws) * fitted.noise * reading
    rounds = [
        _left(curve, target - error, drift, done)
        for curve, error in zip(fitted.samples(draws, seed), chance.tolist(), strict=True)
    ]
    # No interpolation: between a number and infinity there is none.
    low, median, high = np.quantile(rounds, [(1 - level) / 2, 0.5, (1 + level) / 2], method="inverted_cdf").tolist()
    return Interval(low, median, high)


def _left(curve: LearningCurve, target: float, drift: float, done: float | RunPoints) -> float:
    progress = float(done.progress(curve)[-1]) if isinstance(done, RunPoints) else done
    return float(curve.rounds_between(progress, curve.progress_to(target), drift))


def _posterior(prior: FittedCurve, runs: Sequence[RunPoints]) -> FittedCurve:
    centre, precision = _theta(prior.curve), np.linalg.inv(np.array(prior.covariance))
    root = np.linalg.cholesky(precision).T
    reach = _REACH * np.sqrt(np.diag(prior.covariance))
    accuracy = [np.array(run.accuracy) for run in runs]
    measured = np.concatenate(accuracy)

    def errors(theta: Floats) -> Floats:
        curve = _curve(theta)
        at = [curve.accuracy_at(run.progress(curve)[list(run.rounds)]) for run in runs]
        return np.asarray(np.concatenate(at) - measured)

    theta, noise, factor = centre, prior.noise, 1.0
    for _ in range(_PASSES):
        weight = 1 / (noise * np.sqrt(factor))

        def residuals(theta: Floats, weight: float = weight) -> Floats:
            return np.concatenate([weight * errors(theta), root @ (theta - centre)])

        found = least_squares(
            residuals, theta, bounds=(centre - reach, centre + reach), x_scale=reach, xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
        slopes = cast(Floats, found.jac)[: len(measured)]
        covariance = np.linalg.inv(slopes.T @ slopes + precision)
        decided = float(np.trace(covariance @ slopes.T @ slopes))
        left = errors(found.x)
        known = prior.noise_points
        variance = (known * prior.noise**2 + left @ left) / (known + max(len(left) - decided, 0.0))
        was = np.array([noise, factor, *theta])
        theta, noise = found.x, max(float(np.sqrt(variance)), _LEAST_NOISE)
        factor = _correlated(np.split(left, np.cumsum([len(each) for each in accuracy])[:-1]), noise)
        if np.allclose(was, [noise, factor, *theta], rtol=_SETTLED, atol=_SETTLED):
            break
    return FittedCurve(
        curve=_curve(theta),
        covariance=tuple(tuple(row) for row in ((covariance + covariance.T) / 2).tolist()),
        noise=noise,
        points=prior.points + len(measured),
        noise_points=prior.noise_points + max(len(left) - decided, 0.0),
    )


def _correlated(left: Sequence[Floats], noise: float) -> float:
    """Return how many points, erring like their neighbours, tell as much as one that errs on its own."""
    together = sum(float(run[1:] @ run[:-1]) for run in left)
    alone = sum(float(run @ run) for run in left) + _CALM_POINTS * noise**2
    correlation = min(max(together / alone, 0.0), _MOST_CORRELATION)
    return (1 + correlation) / (1 - correlation)
