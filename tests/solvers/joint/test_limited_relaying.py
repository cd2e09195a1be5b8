"""Plans under limits on relaying and pre-summing against the whole decision space, by trying everything."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from joint_enumeration import Enumeration, whole_space
from relaying_cases import with_limits

from hffm_opt import random_scenario
from hffm_opt.errors import InfeasibleError
from hffm_opt.plan import evaluate_plan
from hffm_opt.plan.circulation import uniform
from hffm_opt.problem import build_problem
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.solvers.formulations.covering import covering
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.states import possible_states
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import default_request


def limited(seed, *, none=False, **options):
    profile = "reference" if seed % 5 == 4 else "si"
    return build_problem(with_limits(random_scenario(seed, profile=profile, **options), seed, none=none))


def with_planning(scenario, **limits):
    return scenario.model_copy(update={"planning": scenario.planning.model_copy(update=limits)})


SEEDS = (*range(24), 52, 69)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_is_the_best_of_all_that_keep_the_limits(seed):
    problem = limited(seed, cells=1 + seed % 2, devices=(2, 3), modules=1 + seed // 2 % 2, periods=(1, 2))
    points, request = whole_space(problem), default_request(problem.scenario, gap=1e-6)
    if not len(points):
        with pytest.raises(InfeasibleError, match=r"in cell e\d no tree of the owners into the edge server"):
            solve(problem, "optimal", request)
        return
    outcome = solve(problem, "optimal", request)
    least = float((points @ np.array(request.weights())).min())
    assert outcome.status == "optimal" and outcome.feasible
    assert least * (1 - 1e-7) <= outcome.objective <= least * (1 + 1e-6) + 1e-12
    assert outcome.bound <= least * (1 + 1e-7)
    assert evaluate_plan(problem, outcome.plan).feasible


def test_limits_and_copies_matter_to_the_random_plans():
    """The seeds above hold plans that limits make dearer, plans that copies make dearer, and impossible ones."""
    dearer, impossible = set(), 0
    for seed in SEEDS:
        problem = limited(seed, cells=1 + seed % 2, devices=(2, 3), modules=1 + seed // 2 % 2, periods=(1, 2))
        request = default_request(problem.scenario, gap=1e-6)
        free = build_problem(with_planning(problem.scenario, max_hops=None, max_fan_in=None, max_uplinks=None))
        summed = dataclasses.replace(free, presum_depth=np.full(len(free.modules), np.inf))
        values = [solve(p, "optimal", request).objective for p in (summed, free)]
        try:
            values.append(solve(problem, "optimal", request).objective)
        except InfeasibleError:
            impossible += 1
        assert all(a <= b * (1 + 1e-5) for a, b in pairwise(values))
        dearer |= {k for k, (a, b) in enumerate(pairwise(values)) if b > a * (1 + 1e-3)}
    assert dearer == {0, 1} and impossible > 0


@pytest.mark.parametrize("seed", range(12))
def test_every_cell_lists_exactly_the_rounds_worth_having_within_limits(seed):
    problem = limited(seed, cells=1, devices=(2, 4), modules=2)
    rounds, enumeration = FixedRounds(problem), Enumeration(problem)
    prices = np.random.default_rng(seed).exponential(1.0, (5, 3)) * (np.random.default_rng(1).random((5, 3)) < 0.8)
    for state in possible_states(problem)[seed % 3 :: 3]:
        ways = enumeration.ways(0, state)
        assert rounds.relaying.possible(state) == bool(len(ways))
        for price in prices if len(ways) else ():
            assert rounds.support(0, state, *price) == pytest.approx(float((ways @ price).min()), rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_averaging_more_in_a_covering_round_costs_no_less_within_limits(seed):
    problem = limited(seed, cells=1, devices=(3, 3), modules=2)
    enumeration, states = Enumeration(problem), possible_states(problem)
    for state in states:
        for larger in (s for s, yes in zip(states, covering(problem, states, state), strict=True) if yes):
            less, more = enumeration.ways(0, state), enumeration.ways(0, larger)
            matched = (less[None, :, :] <= more[:, None, :] * (1 + 1e-12) + 1e-15).all(axis=2).any(axis=1)
            assert matched.all(), (state, larger)


def test_modules_that_only_pre_summing_tells_apart():
    scenario = with_limits(random_scenario(5, cells=2, devices=2, modules=2, periods=(1, 2)), 5, none=True)
    first = scenario.modules[0].model_copy(update={"presum_depth": None})
    twins = (first, first.model_copy(update={"name": "twin", "presum_depth": 0}))
    for modules in (twins, twins[::-1]):
        problem = build_problem(scenario.model_copy(update={"modules": modules}))
        points, request = whole_space(problem), default_request(problem.scenario, gap=1e-6)
        least = float((points @ np.array(request.weights())).min())
        assert solve(problem, "optimal", request).objective == pytest.approx(least, rel=2e-6)


class TestImpossible:
    """A cell in which no tree keeps the limits is named, with the limit and what would do."""

    @staticmethod
    def scattered(allocation="fixed", direct=False, **limits):
        scenario = BUILTINS["paper-si"]() if allocation == "optimised" else BUILTINS["tiny"]()
        devices = tuple(d.model_copy(update={"d2d": False}) for d in scenario.devices)
        cloud = scenario.cloud if direct else scenario.cloud.model_copy(update={"direct": None})
        return with_planning(scenario.model_copy(update={"devices": devices, "cloud": cloud}), drift_max=5.0, **limits)

    @pytest.mark.parametrize("allocation", ["fixed", "optimised"])
    def test_the_cell_and_the_least_limit(self, allocation):
        problem = build_problem(self.scattered(allocation, max_uplinks=1))
        with pytest.raises(InfeasibleError) as caught:
            solve(problem, "optimal", default_request(problem.scenario, max_latency_s=1e9))
        found = caught.value.findings
        names = [cell.edge.name for cell in problem.cells]
        assert [f.message for f in found] == [
            f"in cell {name} no tree of the owners into the edge server keeps max_uplinks = 1" for name in names
        ]
        sizes = [cell.size for cell in problem.cells]
        assert [(f.path, f.repair) for f in found] == [("planning.max_uplinks", f"allow at least {n}") for n in sizes]

    def test_several_limits_stand_beside_each_other(self):
        scenario = BUILTINS["tiny"]()
        scenario = scenario.model_copy(update={"cloud": scenario.cloud.model_copy(update={"direct": None})})
        problem = build_problem(with_planning(scenario, drift_max=5.0, max_hops=1, max_uplinks=1, max_fan_in=1))
        found = "max_hops = 1 beside max_fan_in = 1 and max_uplinks = 1 -- allow at least 3"
        with pytest.raises(InfeasibleError, match=found):
            solve(problem, "optimal", default_request(problem.scenario))

    def test_limits_that_need_loosening_together(self):
        """A spider with legs of 2, 2 and 1 devices has no path through all, and no head next to all."""
        scenario = random_scenario(3, cells=1, devices=6, modules=1, periods=(1,))
        devices = tuple(d.model_copy(update={"samples": {"t0": 8}}) for d in scenario.devices)
        scenario = with_planning(scenario.model_copy(update={"devices": devices}), max_hops=1, max_fan_in=1)
        problem = build_problem(scenario)
        gain = np.zeros((6, 6))
        for a, b in ((0, 1), (1, 2), (0, 3), (3, 4), (0, 5)):
            gain[a, b] = gain[b, a] = 1e-9
        problem = dataclasses.replace(problem, cells=(dataclasses.replace(problem.cells[0], d2d_gain=gain),))
        request = default_request(problem.scenario, circulation=uniform(problem, 1, None, None), max_drift=np.inf)
        with pytest.raises(
            InfeasibleError, match="into a head keeps max_hops = 1 and max_fan_in = 1 -- loosen several"
        ):
            solve(problem, "optimal", request)

    def test_a_latency_limit_is_blamed_where_it_binds(self):
        problem = build_problem(with_planning(BUILTINS["tiny"](), max_uplinks=1))
        with pytest.raises(InfeasibleError, match=r"--max-latency.*the least possible is"):
            solve(problem, "optimal", default_request(problem.scenario, max_latency_s=1e-6))

    def test_a_held_circulation(self):
        problem = build_problem(self.scattered(max_uplinks=1))
        request = default_request(problem.scenario, circulation=uniform(problem, None, 1, 1))
        with pytest.raises(InfeasibleError, match=r"planning\.max_uplinks: in cell edge-0 no tree"):
            solve(problem, "optimal", request)

    @pytest.mark.parametrize("allocation", ["fixed", "optimised"])
    def test_direct_links_to_the_cloud_are_still_open(self, allocation):
        scenario = self.scattered("fixed", direct=True, max_uplinks=1)
        if allocation == "optimised":
            scenario = scenario.model_copy(
                update={"physics": scenario.physics.model_copy(update={"allocation": "optimised"})}
            )
        problem = build_problem(scenario)
        assert problem.scenario.cloud.direct is not None
        outcome = solve(problem, "optimal", default_request(problem.scenario))
        assert outcome.feasible
        targets = {a.target for cell in outcome.plan.cells for r in cell.rounds if r.uplink for a in r.uplink.arcs}
        assert targets == {"cloud"}


@pytest.mark.parametrize("name", ["star", "edge-only", "h-fedfm-2"])
def test_a_baseline_that_breaks_a_limit_is_told_infeasible(name):
    problem = build_problem(with_planning(BUILTINS["tiny"](), max_uplinks=1))
    outcome = solve(problem, name, default_request(problem.scenario))
    assert outcome.feasible == (name == "star")


class TestLargeCells:
    """Cells beyond enumeration: limits on trees go to the flow program, copies to local search."""

    @staticmethod
    def problem(presum_depth=None, **limits):
        scenario = random_scenario(3, cells=1, devices=7, modules=1, periods=(1,))
        devices = tuple(d.model_copy(update={"d2d": True, "samples": {"t0": 8}}) for d in scenario.devices)
        modules = tuple(m.model_copy(update={"presum_depth": presum_depth}) for m in scenario.modules)
        cloud = scenario.cloud.model_copy(update={"direct": None})
        changes = {"devices": devices, "modules": modules, "cloud": cloud}
        return build_problem(with_planning(scenario.model_copy(update=changes), drift_max=0.0, **limits))

    def test_limits_on_trees_are_kept(self):
        free, problem = self.problem(), self.problem(max_fan_in=5, max_hops=2)
        request = default_request(problem.scenario, circulation=uniform(problem, None, None, 1))
        best, outcome = (solve(p, "optimal", request) for p in (free, problem))
        assert {f.path.split(".")[-2] for f in evaluate_plan(problem, best.plan).violations} == {"uplink", "downlink"}
        assert outcome.feasible and evaluate_plan(problem, outcome.plan).feasible
        assert outcome.bound <= outcome.objective
        assert outcome.objective > best.bound

    def test_impossible_limits_are_proven_so(self):
        problem = self.problem(max_uplinks=2, max_hops=1)
        with pytest.raises(InfeasibleError, match=r"planning\.max_hops: in cell e0 .*allow at least 2"):
            solve(problem, "optimal", default_request(problem.scenario))

    @pytest.mark.parametrize("depth", [0, 1])
    def test_copies_are_counted(self, depth):
        summed, problem = self.problem(), self.problem(presum_depth=depth)
        best, outcome = (solve(p, "optimal", default_request(p.scenario)) for p in (summed, problem))
        assert evaluate_plan(problem, outcome.plan).feasible
        assert best.bound * (1 - 1e-9) <= outcome.bound <= outcome.objective
