"""Inference as rows."""

import pytest

from hffm_opt.inference import plan_inference
from hffm_opt.report.inference import answer_rows, placement_rows
from hffm_opt.scenario.inference import Inference, NodeLimits, RequestClass
from hffm_opt.scenario.read import load_scenario
from hffm_opt.trace.inference import ClassResult, Cost, InferenceTrace
from hffm_opt.trace.provenance import Provenance


@pytest.fixture(scope="module")
def outcome():
    asked = RequestClass(name="a", task="digits", device="device-0-0", rate_per_s=1.0)
    room = {name: NodeLimits(memory_bit=16e6) for name in ("device-0-0", "edge-0")}
    section = Inference(classes=(asked,), nodes=room, peers=False, cloud_route="direct", energy_weight=0.0)
    return plan_inference(load_scenario("tiny").model_copy(update={"inference": section}))


def test_a_placement_row_has_every_segment_once(outcome):
    (row,) = placement_rows(outcome)
    part = outcome.plan.classes[0]
    assert row["class"] == "a" and row["exits"] == []
    assert sorted(name for names in row["nodes"].values() for name in names) == sorted(part.nodes)
    assert set(row["nodes"]) == set(part.nodes.values())


def test_an_answer_row_has_what_was_measured(outcome):
    result = ClassResult(
        name="a",
        task="digits",
        requests=4,
        accuracy=0.5,
        accuracy_full=0.75,
        unsplit=3,
        identical=3,
        early_answers_equal=0.0,
        ended={"layer 0": 0.25, "head": 0.75},
        planned=Cost(latency_s=3.0, energy_j=1.0),
        predicted=Cost(latency_s=2.0, energy_j=1.0),
        measured=Cost(latency_s=2.0, energy_j=1.5),
    )
    trace = InferenceTrace(
        scenario=outcome.plan.scenario,
        method="optimal",
        seed=0,
        weights="",
        provenance=Provenance(python="", packages={}, machine=""),
        classes=(result,),
        ledger="",
    )
    (row,) = answer_rows(trace)
    assert (row["ended_early"], row["identical"], row["energy_j"], row["predicted_latency_s"]) == (0.25, True, 1.5, 2.0)
