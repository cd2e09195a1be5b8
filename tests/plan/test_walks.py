"""Walks: copies step along links, meet, are lost and started anew, and are in the long run where the data are."""

from collections import Counter

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.walks import walk, walk_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.heuristics.optimised_walk import data_shares
from hffm_opt.solvers.walks import CHAINS, plan_walk

problem = build_problem(load_scenario("tiny"))
cells = {int(u): i for i, cell in enumerate(problem.cells) for u in cell.members}


@pytest.mark.parametrize("chain", CHAINS)
def test_copies_are_where_the_data_are(chain):
    plan = plan_walk(problem, chain)
    m = problem.modules.index("adapters")
    hosts, stood = Counter(), Counter()
    for part in walk(problem, plan, 4000, 1):
        stood.update(u for module, u in part.standing if module == m)
        hosts.update(step.target for step in part.hops if step.module == m)
    for cell, island in zip(problem.cells, plan.islands, strict=True):
        law = data_shares(problem, cell.members)
        assert island.law == pytest.approx(law.tolist())
        assert [stood[int(u)] / 4000 for u in cell.members] == pytest.approx(law, abs=0.04)
        # Arrivals at u from elsewhere: pi_u (1 - P_uu) of all rounds.
        leaves = law * (1 - np.diag(np.array(island.transition)))
        assert [hosts[int(u)] / 4000 for u in cell.members] == pytest.approx(leaves, abs=0.03)


def test_hops_follow_links_and_one_copy_an_island_stays_one():
    plan = plan_walk(problem, walkers=3)
    count = Counter()
    for part in walk(problem, plan, 200, 2):
        assert all(cells[step.source] == cells[step.target] and step.source != step.target for step in part.hops)
        assert part.training == tuple(sorted(set(part.training)))
        for (m, _), found in part.meetings.items():
            count[m] += len(found) - 1
        assert all(age >= 0 for found in part.meetings.values() for _, age in found)
    # At most 3 copies of a module begin on each of two islands, on as many devices; one is left of each island's.
    assert count and all(1 <= met <= 4 for met in count.values())


def test_lost_copies_are_started_anew_where_they_were_missed_longest():
    plan = plan_walk(problem, late=4, loss=0.3)
    rounds = list(walk(problem, plan, 60, 3))
    lost = [(part.number, step.module) for part in rounds for step in part.hops if not step.arrived]
    made = [(part.number, m) for part in rounds for m, _ in part.created]
    assert lost and made
    assert all(problem.owners[u, m] for part in rounds for m, u in part.created)
    # Nobody can have waited for more than `late` rounds before so many have passed.
    assert min(number for number, _ in made) > 4
    never = plan_walk(problem, loss=0.3)
    ends = list(walk(problem, never, 400, 3))
    assert not ends[-1].training and not any(part.created for part in ends)


def test_equal_arguments_give_equal_walks_and_costs_add_up():
    plan = plan_walk(problem, late=5, loss=0.1)
    assert list(walk(problem, plan, 20, 4)) == list(walk(problem, plan, 20, 4))
    assert list(walk(problem, plan, 20, 4)) != list(walk(problem, plan, 20, 5))
    short, long = (walk_cost(problem, plan, rounds, 4) for rounds in (7, 20))
    assert short.latency_s < long.latency_s and short.energy_j < long.energy_j and short.lost <= long.lost


@pytest.mark.parametrize("bad", [{"chain": "levy"}, {"walkers": 0}, {"late": 0}, {"loss": 1.0}])
def test_bad_arguments_are_told(bad):
    with pytest.raises(InputError):
        plan_walk(problem, **bad)
