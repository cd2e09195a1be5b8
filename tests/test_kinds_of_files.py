"""A file of another kind is told in one finding, whatever it holds."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.kinds_of_files import KINDS, other_kind
from hffm_opt.plan.front import ParetoFront
from hffm_opt.plan.inference.model import Calibration, InferenceOutcome, InferencePlan
from hffm_opt.plan.model import Plan
from hffm_opt.plan.module_relaying import RelayingPlans
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.placement import PlacementPlan
from hffm_opt.plan.walks import WalkPlan
from hffm_opt.scenario.model import Scenario
from hffm_opt.serial import validate

MODELS = {
    "hffm-scenario": (Scenario,),
    "hffm-plan": (Plan, Outcome),
    "hffm-inference-plan": (InferencePlan, InferenceOutcome),
    "hffm-relaying-plan": (RelayingPlans,),
    "hffm-placement-plan": (PlacementPlan,),
    "hffm-walk-plan": (WalkPlan,),
    "hffm-front": (ParetoFront,),
    "hffm-exits": (Calibration,),
}


@pytest.mark.parametrize("given", KINDS)
@pytest.mark.parametrize("needed", KINDS)
def test_every_kind_in_place_of_every_other(given, needed):
    for model in MODELS[needed]:
        for data in ({"format": f"{given}/1"}, {"status": "optimal", "plan": {"format": f"{given}/1"}}):
            found = other_kind(data, model)
            if given == needed:
                assert found is None
            else:
                assert KINDS[given][0] in found.message
                assert KINDS[needed][0] in found.message
                assert KINDS[needed][1] in found.repair
                assert KINDS[given][2] in found.repair


def test_other_kinds_are_one_finding_with_the_file():
    with pytest.raises(InputError, match="this is a plan of walks") as caught:
        validate({"format": "hffm-walk-plan/1", "islands": [], "loss": 0}, Plan, "plan", "walk.json")
    assert len(caught.value.findings) == 1
    assert caught.value.source == "walk.json"


@pytest.mark.parametrize("data", [{}, {"format": None}, {"format": "mine/1"}, {"format": "hffm-plan/2"}, {"plan": 1}])
def test_what_is_of_no_known_kind_is_left_to_the_format(data):
    assert other_kind(data, Plan) is None
