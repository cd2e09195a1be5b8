"""The claims that the page makes, on figures that can be checked by eye."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from hffm_opt.measurement import Costs, CurvePoint
from hffm_opt.report import Run
from hffm_opt.report.compared import strongest_other
from hffm_opt.report.repeats import run_groups
from hffm_opt.report.words import certificate, phase_words, saving, to_common_target


def with_costs(run: Run, latency_s: float, energy_j: float, feasible: bool = True) -> Run:
    costs = Costs(latency_s=latency_s, energy_j=energy_j, bits=1.0)
    return replace(
        run,
        measurement=run.measurement.model_copy(update={"measured": costs, "rounds": 4}),
        outcome=run.outcome.model_copy(update={"feasible": feasible}),
    )


def test_saving_is_against_the_cheapest_other_run_that_keeps_the_limits(runs: tuple[Run, ...]) -> None:
    subject = with_costs(runs[0], 30.0, 20.0)
    dear, cheap, barred = (
        with_costs(runs[1], 40.0, 80.0),
        with_costs(runs[2], 40.0, 25.0),
        with_costs(runs[2], 1.0, 1.0, False),
    )
    found = saving(run_groups((subject, dear, cheap, barred)), None)
    assert found is not None and found.reference == "star"
    assert (found.latency, found.energy) == ("25.0\u202f% less", "20.0\u202f% less")
    assert found.absolute == "10\u202fs less and 5\u202fJ less over 4 rounds"


def test_a_run_that_costs_more_says_more(runs: tuple[Run, ...]) -> None:
    found = saving(run_groups((with_costs(runs[0], 44.0, 90.0), with_costs(runs[1], 40.0, 30.0))), None)
    assert found is not None
    assert (found.latency, found.energy) == ("10.0\u202f% more", "3 times as much")
    assert found.absolute == "4\u202fs more and 60\u202fJ more over 4 rounds"


def test_saving_falls_back_on_the_best_feasible_method_of_the_comparison(runs: tuple[Run, ...]) -> None:
    rows = [
        SimpleNamespace(method="h-fedfm-2+d2d", feasible=True, latency_s=1.0, energy_j=1.0, objective=0.5),
        SimpleNamespace(method="edge-only", feasible=False, latency_s=0.1, energy_j=0.1, objective=None),
        SimpleNamespace(method="star", feasible=True, latency_s=1e3, energy_j=1e3, objective=9.0),
        SimpleNamespace(method="h-fedfm-2", feasible=True, latency_s=8.0, energy_j=1e2, objective=8.0),
    ]
    comparison = SimpleNamespace(rows=rows)
    assert strongest_other(comparison, "h-fedfm-2+d2d") is rows[3]
    found = saving(run_groups(runs[:1]), comparison)
    assert found is not None and found.reference == "h-fedfm-2"
    less_s = 1 - runs[0].evaluation.latency_s / 8.0
    assert found.latency == f"{100 * less_s:.1f}\u202f% less"


def test_nothing_is_claimed_without_an_alternative(runs: tuple[Run, ...]) -> None:
    assert saving(run_groups(runs[:1]), None) is None
    foreign = replace(runs[1], measurement=runs[1].measurement.model_copy(update={"fingerprint": "0" * 64}))
    assert saving(run_groups((runs[0], foreign)), None) is None


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"bound": None, "gap": None, "status": "feasible"}, "Feasible, nothing proven", "a better plan may exist"),
        ({"bound": 3.0, "gap": 0.25, "status": "limit"}, "Stopped by a limit, with a bound", "at most 25\u202f%"),
        ({"bound": 4.0, "gap": 0.0, "status": "optimal"}, "Proven optimal within the gap asked for", "less than 4,"),
        ({"objective": None, "status": "infeasible"}, "Breaks a limit", "has none"),
    ],
)
def test_certificate_says_what_is_proven(
    runs: tuple[Run, ...], changes: dict[str, object], verdict: str, words: str
) -> None:
    outcome = runs[0].outcome.model_copy(update={"objective": 4.0} | changes)
    found, sentence = certificate(outcome)
    assert found == verdict and words in sentence


def point(number: int, phase: str, accuracy: float, tier: str = "cloud") -> CurvePoint:
    return CurvePoint(
        round=number, phase=phase, tier=tier, clock_s=2.0 * number, energy_j=number, accuracy={"t": accuracy}
    )


def test_the_common_target_is_what_the_worst_run_reaches_after_an_average(runs: tuple[Run, ...]) -> None:
    good = (point(1, "after-average", 0.3), point(2, "before-average", 0.9), point(2, "after-average", 0.6))
    poor = (point(1, "after-average", 0.2), point(3, "after-average", 0.5))
    measurements = [runs[0].measurement.model_copy(update={"curve": curve}) for curve in (good, poor)]
    found = to_common_target(measurements)
    assert found is not None and found.accuracy == 0.5
    assert [target.round for target in found.targets if target] == [2, 3]
    never = runs[0].measurement.model_copy(update={"curve": (point(1, "before-average", 0.7, "local"),)})
    assert to_common_target([*measurements, never]) is None


def test_the_phase_of_the_headline_is_stated(runs: tuple[Run, ...]) -> None:
    m = runs[0].measurement
    assert phase_words(m) == "read right after the cloud's average of round 6"
    before = m.model_copy(update={"headline": point(3, "before-average", 0.5, "local")})
    assert phase_words(before) == "read after the training of round 3, without an average"
    assert phase_words(m.model_copy(update={"headline": None})) == "no accuracy was evaluated"
