"""The referee against the published case study: one folder a row, and against an independent recomputation."""

import json
from pathlib import Path

import numpy as np
import published_arithmetic as published
import pytest

from hffm_opt.plan import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.heuristics.cellular import edge_only, h_fedfm_2, h_fedfm_8, star
from hffm_opt.solvers.heuristics.published_d2d import edge_only_d2d, h_fedfm_2_d2d, h_fedfm_8_d2d
from hffm_opt.solvers.request import Request

METHODS = {
    "star": star,
    "edge-only": edge_only,
    "h-fedfm-2": h_fedfm_2,
    "h-fedfm-8": h_fedfm_8,
    "edge-only+d2d": edge_only_d2d,
    "h-fedfm-2+d2d": h_fedfm_2_d2d,
    "h-fedfm-8+d2d": h_fedfm_8_d2d,
}
PERIODS = {"edge-only+d2d": (200, False), "h-fedfm-2+d2d": (2, True), "h-fedfm-8+d2d": (8, True)}
CASES = {path.parent.name: json.loads(path.read_text()) for path in Path(__file__).parent.glob("*/params.json")}
EXACT = sorted(name for name, case in CASES.items() if "draws" not in case["input"])
DRAWN = sorted(name for name, case in CASES.items() if "draws" in case["input"])


@pytest.fixture(scope="module")
def paper():
    return build_problem(load_scenario("paper"))


def test_every_published_row_has_a_case():
    assert set(CASES) == set(METHODS)


@pytest.mark.parametrize("name", EXACT)
def test_exact_rows(paper, name):
    case = CASES[name]
    evaluation = evaluate_plan(paper, METHODS[case["input"]["method"]](paper, Request()))
    for field, value in case["expected"].items():
        assert getattr(evaluation, field) == pytest.approx(value, rel=case["tolerance"]["relative"]), field


def test_exact_rows_equal_the_recomputation(paper):
    rows = {
        star: published.star(),
        edge_only: (published.hierarchical(200)[0], published.hierarchical(200, False)[1]),
        h_fedfm_2: published.hierarchical(2),
        h_fedfm_8: published.hierarchical(8),
    }
    for method, expected in rows.items():
        evaluation = evaluate_plan(paper, method(paper, Request()))
        assert (evaluation.latency_s, evaluation.energy_j) == pytest.approx(expected, rel=1e-12), method.__name__


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_rows(paper, name):
    """Each draw equals the recomputation for the same heads, and the published value lies inside the draws' range."""
    case, (period, cloud_energy) = CASES[name], PERIODS[name]
    seeds = range(case["input"]["first_seed"], case["input"]["first_seed"] + case["input"]["draws"])
    figures = []
    for seed in seeds:
        plan = METHODS[name](paper, Request(seed=seed))
        evaluation = evaluate_plan(paper, plan)
        figures.append((evaluation.latency_s, evaluation.energy_j))
        heads = [cell.names.index(_head(cell_plan)) for cell, cell_plan in zip(paper.cells, plan.cells, strict=True)]
        expected = published.relayed(heads, period, cloud_energy)
        assert figures[-1] == pytest.approx(expected, rel=1e-12), seed
    low, high = np.min(figures, axis=0), np.max(figures, axis=0)
    value = np.array([case["expected"]["latency_s"], case["expected"]["energy_j"]])
    assert (low <= value).all() and (value <= high).all(), (low, high)


def _head(cell_plan):
    """The head of a cell is the device that hands in to the edge, in its last kind of round or in the collection."""
    last = cell_plan.collection or cell_plan.rounds[-1]
    (uploader,) = {arc.source for arc in last.uplink.arcs if arc.target == cell_plan.edge}
    return uploader
