"""What a planning call asks for."""

import numpy as np
import pytest

from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.solvers.request import GAP_ALLOCATED, GAP_FIXED, Request, default_request


@pytest.mark.parametrize(
    ("objective", "weights", "value"),
    [("weighted", (2.0, 3.0, 0.5), 23.5), ("latency", (1.0, 0.0, 0.0), 5.0), ("energy", (0.0, 1.0, 0.0), 4.0)],
)
def test_an_objective_stands_for_weights(objective, weights, value):
    request = Request(objective=objective, latency_weight=2.0, energy_weight=3.0, drift_weight=0.5)
    assert request.weights() == weights
    assert request.value(5.0, 4.0, 3.0) == value


def test_defaults_are_the_scenarios():
    scenario = BUILTINS["tiny"]()
    request = default_request(scenario)
    assert (request.latency_weight, request.energy_weight) == (1.0, 0.5)
    assert request.drift_weight == scenario.planning.drift_weight
    assert request.max_latency_s is None and request.max_drift is None and request.circulation is None


def test_a_change_wins_and_none_leaves_the_default():
    request = default_request(BUILTINS["tiny"](), latency_weight=0.0, energy_weight=None, max_drift=np.inf, gap=0.1)
    assert (request.latency_weight, request.energy_weight) == (0.0, 0.5)
    assert request.max_drift == np.inf and request.gap == 0.1


def test_the_gap_depends_on_what_is_chosen():
    assert default_request(BUILTINS["paper"]()).gap == GAP_FIXED == 1e-4
    assert default_request(BUILTINS["paper-si"]()).gap == GAP_ALLOCATED == 1e-3
