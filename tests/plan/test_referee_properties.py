"""Laws that hold for any network and any trees."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import circulation, round_plan, small_problem, tree, whole_plan

from hffm_opt.plan import evaluate_plan

SIZE = 4
NAMES = [f"d0{i}" for i in range(SIZE)]


def scaled(plan, factor, key):
    """Return the plan with one quantity of every radio arc multiplied."""
    data = plan.model_dump(mode="json")
    for cell in data["cells"]:
        for rounds in cell["rounds"]:
            for kind in ("gather", "scatter", "uplink", "downlink"):
                for arc in (rounds[kind] or {}).get("arcs", []):
                    arc[key] *= factor
    return type(plan).model_validate(data, strict=False)


@st.composite
def parents(draw, root):
    """A random tree: every device hangs below the root or a device that is already joined to it."""
    joined, links = [root], []
    for name in draw(st.permutations([n for n in NAMES if n != root])):
        links.append((name, draw(st.sampled_from(joined))))
        joined.append(name)
    return links


@st.composite
def cases(draw):
    """A cell with random data and rates, and a plan with random trees: some modules to the head, some to the cloud."""
    rates = st.floats(0.5, 8.0)
    samples = st.sampled_from([(20, 0), (0, 20), (10, 30)])
    pairs = [(0, i, j) for i in range(SIZE) for j in range(SIZE) if i != j]
    problem = small_problem(
        [[(1, 1), *(draw(samples) for _ in range(SIZE - 1))]],
        [[draw(rates) for _ in NAMES]],
        [[draw(rates) for _ in NAMES]],
        {pair: draw(rates) for pair in pairs},
        allocation="optimised",
    )
    relay = draw(st.sampled_from(["sum", "forward"]))
    head = draw(st.sampled_from(NAMES))
    trees = {
        "head": head,
        "gather": tree(*(f"{v}>{up}" for v, up in draw(parents(head))), relay=relay),
        "scatter": tree(*(f"{up}>{v}" for v, up in draw(parents(head)))),
        "uplink": tree(*(f"{v}>{up}" for v, up in draw(parents("e0"))), relay=relay),
        "downlink": tree(*(f"{up}>{v}" for v, up in draw(parents("e0")))),
    }
    local = round_plan(problem.cells[0], head=head, gather=trees["gather"], scatter=trees["scatter"])
    circ = circulation(s=(1, 2, 2), a=(1,), b=(1,))
    return problem, whole_plan(problem, circ, [[local, round_plan(problem.cells[0], **trees)]])


@settings(max_examples=60, deadline=None)
@given(cases(), st.floats(1.0, 50.0))
def test_more_bandwidth_never_hurts(case, factor):
    problem, plan = case
    before, after = evaluate_plan(problem, plan), evaluate_plan(problem, scaled(plan, factor, "bandwidth_hz"))
    assert after.latency_s <= before.latency_s * (1 + 1e-12)
    assert after.energy_j <= before.energy_j * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(cases(), st.floats(1.0, 50.0))
def test_more_power_is_never_slower_and_never_saves_energy(case, factor):
    problem, plan = case
    before, after = evaluate_plan(problem, plan), evaluate_plan(problem, scaled(plan, factor, "power_w"))
    assert after.latency_s <= before.latency_s * (1 + 1e-12)
    assert after.energy_j >= before.energy_j * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 2), st.floats(1.0, 10.0))
def test_a_larger_payload_never_helps(case, module, factor):
    problem, plan = case
    payload = problem.payload_bit.copy()
    payload[module] *= factor
    before, after = evaluate_plan(problem, plan), evaluate_plan(dataclasses.replace(problem, payload_bit=payload), plan)
    assert after.latency_s >= before.latency_s * (1 - 1e-12)
    assert after.energy_j >= before.energy_j * (1 - 1e-12)
    assert after.bits >= before.bits


@settings(max_examples=60, deadline=None)
@given(cases())
def test_adding_up_on_the_way_never_moves_more_than_forwarding(case):
    problem, plan = case
    costs = {}
    for relay in ("sum", "forward"):
        data = plan.model_dump(mode="json")
        for rounds in data["cells"][0]["rounds"]:
            for kind in ("gather", "uplink"):
                if rounds[kind] is not None:
                    rounds[kind]["relay"] = relay
        costs[relay] = evaluate_plan(problem, type(plan).model_validate(data, strict=False))
    assert costs["sum"].bits <= costs["forward"].bits
    assert costs["sum"].latency_s <= costs["forward"].latency_s * (1 + 1e-12)
    assert costs["sum"].energy_j <= costs["forward"].energy_j * (1 + 1e-12)


@settings(max_examples=30, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_arcs_does_not_matter(case, shuffler):
    problem, plan = case
    data = plan.model_dump(mode="json")
    for rounds in data["cells"][0]["rounds"]:
        for kind in ("gather", "scatter", "uplink", "downlink"):
            if rounds[kind] is not None:
                shuffler.shuffle(rounds[kind]["arcs"])
    before = evaluate_plan(problem, plan)
    after = evaluate_plan(problem, type(plan).model_validate(data, strict=False))
    assert (after.latency_s, after.bits) == (before.latency_s, before.bits)
    assert after.energy_j == pytest.approx(before.energy_j, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_parts_add_up_to_the_whole(case):
    problem, plan = case
    evaluation = evaluate_plan(problem, plan)
    parts = evaluation.breakdown
    assert sum(parts.energy_by_band_j.values()) == pytest.approx(evaluation.energy_j)
    assert sum(parts.energy_by_cell_j.values()) == pytest.approx(evaluation.energy_j)
    assert sum(parts.bits_by_band.values()) == pytest.approx(evaluation.bits)
    # With one cell, nobody waits for anybody: its busy time is the latency.
    assert sum(parts.busy_by_cell_s.values()) == pytest.approx(evaluation.latency_s)
    assert np.isfinite(evaluation.latency_s)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_the_plan_and_the_problem_are_left_as_they_were(case):
    problem, plan = case
    arrays = {
        field.name: value.copy()
        for field in dataclasses.fields(problem)
        if isinstance(value := getattr(problem, field.name), np.ndarray)
    }
    text = plan.model_dump_json()
    evaluate_plan(problem, plan)
    assert plan.model_dump_json() == text
    for name, value in arrays.items():
        assert np.array_equal(getattr(problem, name), value), name
