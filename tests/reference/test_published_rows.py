"""The referee against the published case study: one folder a row, and against an independent recomputation."""

import json
from pathlib import Path

import numpy as np
import published_arithmetic as published
import pytest

from hffm_opt.plan import evaluate_plan
from hffm_opt.problem import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import solve
from hffm_opt.solvers.request import Request

PERIODS = {"edge-only+d2d": (200, False), "h-fedfm-2+d2d": (2, True), "h-fedfm-8+d2d": (8, True)}
FOLDERS = {path.parent.name: json.loads(path.read_text()) for path in Path(__file__).parent.glob("*/params.json")}
CASES = {name: case for name, case in FOLDERS.items() if "method" in case["input"]}
EXACT = sorted(name for name, case in CASES.items() if "draws" not in case["input"])
DRAWN = sorted(name for name, case in CASES.items() if "draws" in case["input"])


@pytest.fixture(scope="module")
def paper():
    return build_problem(load_scenario("paper"))


def test_every_published_row_has_a_case():
    assert set(CASES) == {"star", "edge-only", "h-fedfm-2", "h-fedfm-8", *PERIODS}


@pytest.mark.parametrize("name", EXACT)
def test_exact_rows(paper, name):
    case = CASES[name]
    evaluation = evaluate_plan(paper, solve(paper, case["input"]["method"], Request()).plan)
    for field, value in case["expected"].items():
        assert getattr(evaluation, field) == pytest.approx(value, rel=case["tolerance"]["relative"]), field


def test_exact_rows_equal_the_recomputation(paper):
    rows = {
        "star": published.star(),
        "edge-only": (published.hierarchical(200)[0], published.hierarchical(200, False)[1]),
        "h-fedfm-2": published.hierarchical(2),
        "h-fedfm-8": published.hierarchical(8),
    }
    for method, expected in rows.items():
        evaluation = evaluate_plan(paper, solve(paper, method, Request()).plan)
        assert (evaluation.latency_s, evaluation.energy_j) == pytest.approx(expected, rel=1e-12), method


@pytest.fixture(scope="module")
def heads(paper):
    """The heads that each seed draws, by seed; the D2D rows share them."""
    return {seed: _heads(paper, solve(paper, "edge-only+d2d", Request(seed=seed)).plan) for seed in range(200)}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_rows(paper, heads, name):
    """The published value lies inside the range of the seeded draws.

    Every tenth draw is planned and judged, and equals the recomputation for the same heads; the recomputation then
    stands in for the other draws, which differ by the heads alone.
    """
    case, (period, cloud_energy) = CASES[name], PERIODS[name]
    figures = np.array([published.relayed(heads[seed], period, cloud_energy) for seed in range(case["input"]["draws"])])
    for seed in range(0, len(figures), 10):
        plan = solve(paper, name, Request(seed=seed)).plan
        evaluation = evaluate_plan(paper, plan)
        assert _heads(paper, plan) == heads[seed]
        assert (evaluation.latency_s, evaluation.energy_j) == pytest.approx(figures[seed], rel=1e-12), seed
    value = np.array([case["expected"]["latency_s"], case["expected"]["energy_j"]])
    assert (figures.min(axis=0) <= value).all()
    assert (value <= figures.max(axis=0)).all()


def _heads(paper, plan):
    """Return the position of every cell's head: the device that hands in to the edge at the end of a cycle."""
    positions = []
    for cell, cell_plan in zip(paper.cells, plan.cells, strict=True):
        last = cell_plan.collection or cell_plan.rounds[-1]
        (uploader,) = {arc.source for arc in last.uplink.arcs if arc.target == cell_plan.edge}
        positions.append(cell.names.index(uploader))
    return tuple(positions)
