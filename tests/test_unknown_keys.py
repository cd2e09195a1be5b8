"""An unknown key is answered with a name that its own place knows, or with its own place."""

import pytest

from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.scenario.model import Scenario
from hffm_opt.unknown_keys import repair_of


@pytest.mark.parametrize(
    ("location", "repair"),
    [
        (("requests", "asked", 0, "rounds"), "did you mean 'round'? otherwise remove it"),
        (("inference", "edge", "flops"), "did you mean 'flop_per_s'? otherwise remove it"),
        (("inference", "nodes", "watch", "memory"), "did you mean 'memory_bit'? otherwise remove it"),
        (("changes", "events", 0, "fade", "loss"), "did you mean 'loss_db'? otherwise remove it"),
        (("planning", "requests"), "move it to the top level of the file, or remove it"),
        (("drift_max",), "move it into 'planning', or remove it"),
        (("misfit_weight",), "move it into 'requests' or 'specialise', or remove it"),
        (("walks", "zzz"), "use one of: walkers, late, loss; or remove it"),
        (("zzz",), "remove it"),
    ],
)
def test_repairs_in_scenarios(location, repair):
    assert repair_of(location, Scenario) == repair


def test_names_of_other_places_are_not_near():
    for name in Outcome.model_fields.keys() - Plan.model_fields.keys():
        assert f"'{name}'" not in repair_of(("plan", name), Outcome)
