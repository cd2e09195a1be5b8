"""Heads that walk by a chain aimed at the data shares."""

from dataclasses import replace

import numpy as np
import pytest

import hffm_opt
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.heuristics.optimised_walk import data_shares, fastest, metropolis, walking_by

problem = build_problem(load_scenario("paper-si"))
cell = problem.cells[0]
able = np.arange(cell.size)


@pytest.mark.parametrize("chain", [metropolis, fastest])
def test_the_walk_is_everywhere_as_often_as_the_data(chain):
    heads = walking_by(chain)(problem, cell, able, 4000, 0)
    seen = np.bincount(heads, minlength=cell.size) / len(heads)
    assert seen == pytest.approx(data_shares(problem, cell.members), abs=0.04)


@pytest.mark.parametrize("chain", [metropolis, fastest])
def test_the_walk_steps_along_links_and_stays_on_its_island(chain):
    gain = np.where(np.add.outer(able, able) % 2 == 0, cell.d2d_gain, 0.0)
    split = replace(cell, d2d_gain=gain)
    heads = walking_by(chain)(problem, split, able, 50, 3)
    assert len({head % 2 for head in heads}) == 1 and len(set(heads)) == 2
    assert heads == walking_by(chain)(problem, split, able, 50, 3)


@pytest.mark.parametrize("method", ["x-learning+shares", "x-learning+optimised"])
def test_they_plan_and_never_beat_the_optimum(method):
    best = hffm_opt.plan("tiny")
    plan = hffm_opt.plan("tiny", method=method, seed=2)
    assert plan.feasible and plan.objective >= best.bound * (1 - 1e-9)
