"""Plans without D2D."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.solvers.heuristics.cellular import cellular_plan, edge_only, h_fedfm_2, h_fedfm_8, star
from hffm_opt.solvers.request import default_request


@pytest.fixture(params=["tiny", "paper", "paper-si"])
def problem(request):
    return build_problem(BUILTINS[request.param]())


@pytest.mark.parametrize(
    ("method", "periods"), [(edge_only, (1, None)), (h_fedfm_2, (1, 2)), (h_fedfm_8, (1, 8)), (star, (None, 1))]
)
def test_every_owner_uses_its_own_link(problem, method, periods):
    plan = method(problem, default_request(problem.scenario))
    assert {(c.d2d, c.edge, c.cloud) for c in plan.circulation} == {(None, *periods)}
    for cell, cell_plan in zip(problem.cells, plan.cells, strict=True):
        hub = "cloud" if method is star else cell.edge.name
        owners = [name for name, owns in zip(cell.names, problem.cell_owners(cell).any(axis=1), strict=True) if owns]
        for rounds in cell_plan.rounds:
            assert rounds.head is None and rounds.gather is None and rounds.scatter is None
            assert [(a.source, a.target) for a in rounds.uplink.arcs] == [(name, hub) for name in owners]
            assert (rounds.downlink is None) == problem.published
    verdict = evaluate_plan(problem, plan, max_drift=float("inf"))
    assert verdict.feasible


def test_a_shared_band_is_divided_equally():
    problem = build_problem(BUILTINS["paper-si"]())
    plan = edge_only(problem, default_request(problem.scenario))
    widths = [arc.bandwidth_hz for arc in plan.cells[0].rounds[0].uplink.arcs]
    assert widths == [pytest.approx(4e6 / len(widths))] * len(widths)


def test_only_the_published_arithmetic_collects_and_only_without_the_cloud():
    for name in ("tiny", "paper"):
        problem = build_problem(BUILTINS[name]())
        request = default_request(problem.scenario)
        assert all((c.collection is not None) == (name == "paper") for c in edge_only(problem, request).cells)
        assert all(c.collection is None for c in h_fedfm_2(problem, request).cells)


def test_star_needs_the_direct_link():
    scenario = BUILTINS["tiny"]()
    problem = build_problem(scenario.model_copy(update={"cloud": scenario.cloud.model_copy(update={"direct": None})}))
    with pytest.raises(InputError, match=r"cloud\.direct"):
        star(problem, default_request(scenario))


def test_rounds_in_which_nothing_is_due_move_nothing():
    problem = build_problem(BUILTINS["tiny"]())
    seldom = tuple(c.model_copy(update={"cloud": 4, "edge": None}) for c in star(problem, None).circulation)
    plan = cellular_plan(problem, seldom, "seldom")
    assert [r.uplink is None for r in plan.cells[0].rounds] == [True, True, False]
