"""The referee of relaying plans, in figures worked out by hand, and every way in which a plan can be wrong."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.holders import averaged_last, relaying_problem
from hffm_opt.plan.module_relaying import RelayHop, evaluate_relaying, hop_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.relay_network import relay_network
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests
from hffm_opt.solvers.module_relaying import plan_relaying
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request

asked = ModuleRequest(device="device-0-1", task="shapes", samples=16, round=3, deadline_s=0.5)
scenario = load_scenario("tiny").model_copy(update={"requests": Requests(asked=(asked,))})
problem = build_problem(scenario)
training = solve(problem, "h-fedfm-2", default_request(scenario)).plan
plan = plan_relaying(relaying_problem(problem, training, 3, 0), training, "cloud-global")
bits = float(problem.payload_bit[problem.modules.index("head-shapes")])


def changed(**update):
    return plan.model_copy(update={"transfers": (plan.transfers[0].model_copy(update=update),)})


def test_a_path_through_the_cloud_worked_out_by_hand():
    hops = tuple(
        RelayHop(source=a, target=b, share=share)
        for a, b, share in (("cloud", "edge-0", 0.5), ("edge-0", "device-0-1", 0.001))
    )
    radio, resource = hop_cost(problem, "edge-0", "device-0-1")
    assert resource == "edge-0 -> device-0-1"
    cost = evaluate_relaying(problem, changed(hops=hops), training)
    # 2 Mbit/s and 0.8 W of backhaul with 0.1 s of delay; the slower of both hops decides.
    assert cost.finish_s == (pytest.approx(max(bits / 1e6, bits * radio.s_per_bit / 0.001) + 0.1, rel=1e-12),)
    assert cost.energy_j == pytest.approx(0.8 * bits / 2e6 + radio.j_per_bit * bits, rel=1e-12)
    assert cost.load == {"edge-0 backhaul down": 0.5, "edge-0 -> device-0-1": 0.001}


def test_the_planner_and_the_referee_agree_about_every_link():
    for name in ("tiny", "paper", "paper-si", "random-7"):
        given = build_problem(load_scenario(name))
        network = relay_network(given)
        for a in range(0, len(network.source), 7):
            ends = network.nodes[network.source[a]], network.nodes[network.target[a]]
            cost, resource = hop_cost(given, *ends)
            assert resource == network.resources[network.resource[a]]
            told = (network.s_per_bit[a], network.j_per_bit[a], network.delay_s[a], network.delay_j[a])
            assert told == pytest.approx((cost.s_per_bit, cost.j_per_bit, cost.delay_s, cost.delay_j), rel=1e-12)


def test_the_last_averages_of_a_plan():
    m = problem.modules.index("head-shapes")
    assert averaged_last(training, 3, m) == ([3, 3], [3, 3], 2)
    assert averaged_last(training, 1, m) == ([1, 1], [1, 1], 0)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"device": "device-1-0"}, "did not ask"),
        ({"source": "device-0-2"}, "no path from device-0-2"),
        ({"module": "expert-9"}, "no module is named 'expert-9'"),
        ({"source": None}, "hops without a source"),
        ({"source": "device-1-0", "hops": ()}, "no path"),
        ({"hops": tuple(hop.model_copy(update={"share": 1.5}) for hop in plan.transfers[0].hops)}, "given away"),
        ({"hops": tuple(hop.model_copy(update={"share": 0.01}) for hop in plan.transfers[0].hops)}, "due after 0.5 s"),
    ],
)
def test_broken_limits_are_told(update, message):
    assert evaluate_relaying(problem, plan, training).feasible
    found = evaluate_relaying(problem, changed(**update), training).violations
    assert any(message in str(finding) for finding in found), found


def test_a_copy_that_the_node_does_not_have_is_told():
    owner_of_none = changed(
        source="device-1-0",
        hops=(
            RelayHop(source="device-1-0", target="cloud", share=1),
            RelayHop(source="cloud", target="device-0-1", share=1),
        ),
    )
    assert "holds no 'head-shapes'" in str(evaluate_relaying(problem, owner_of_none, training).violations)
    early = plan.model_copy(update={"round": 1, "ran": 1})
    asked_early = scenario.model_copy(update={"requests": Requests(asked=(asked.model_copy(update={"round": 1}),))})
    given = build_problem(asked_early)
    from hffm_opt.plan.module_relaying import requests_fingerprint

    early = early.model_copy(update={"requests": requests_fingerprint(asked_early)})
    assert "holds no average" in str(evaluate_relaying(given, early, training).violations)


def test_plans_for_other_requests_and_links_that_are_not_there_are_refused():
    other = scenario.model_copy(update={"requests": Requests(asked=(asked.model_copy(update={"samples": 8}),))})
    with pytest.raises(InputError, match="other requests"):
        evaluate_relaying(build_problem(other), plan, training)
    with pytest.raises(InputError, match="there is no link"):
        evaluate_relaying(problem, changed(hops=(RelayHop(source="edge-0", target="edge-1", share=1),)), training)


def test_an_edge_server_whose_devices_do_not_own_the_module_holds_no_average():
    devices = tuple(
        device.model_copy(update={"samples": device.samples | {"shapes": 0 if device.edge == "edge-0" else 16}})
        for device in scenario.devices
    )
    given = build_problem(scenario.model_copy(update={"devices": devices}))
    ran = solve(given, "h-fedfm-2", default_request(given.scenario)).plan
    wanted = relaying_problem(given, ran, 3, 0)
    good = plan_relaying(wanted, ran)
    assert good.status == "optimal"
    hops = (RelayHop(source="edge-0", target="device-0-1", share=1.0),)
    bad = good.model_copy(
        update={"transfers": (good.transfers[0].model_copy(update={"source": "edge-0", "hops": hops}),)}
    )
    assert "edge-0 holds no average" in str(evaluate_relaying(given, bad, ran).violations[0])
