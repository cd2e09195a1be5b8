"""What the benchmark of random walks follows and judges."""

from pathlib import Path

import pytest

from hffm_opt.bench.random_walks import Point, network, off_law, spread_rounds
from hffm_opt.bench.random_walks import _row as row_of
from hffm_opt.plan.walks import walk
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.walks import plan_walk
from hffm_opt.trace.costs import SpentCosts

EXAMPLE = Path(__file__).parents[2] / "examples" / "random-walk.yaml"


def test_its_network_is_the_example():
    assert network(1).fingerprint() == load_scenario(EXAMPLE).fingerprint()


@pytest.mark.parametrize(("walkers", "loss"), [(1, 0.0), (2, 0.0), (1, 0.2)])
def test_spreading_is_that_of_sets_followed_round_by_round(walkers, loss):
    """Held against one set of (module, device) pairs after another, each copied by hand, without early ends."""
    problem = build_problem(network(1))
    plan = plan_walk(problem, walkers=walkers, late=3, loss=loss)
    rows = {device.name: u for u, device in enumerate(problem.scenario.devices)}
    (pair,) = [island for island in plan.islands if len(island.devices) == 2]
    a, b = (rows[name] for name in pair.devices)
    m = problem.modules.index("adapters")
    knows = {a: set(), b: set()}
    first = None
    for part in walk(problem, plan, 300, 7):
        for u in {a, b} & set(part.training):
            knows[u] = knows[u] | {u}
        moved = {hop.source: hop for hop in part.hops if hop.module == m and hop.source in (a, b)}
        after = dict(knows)
        for source, hop in moved.items():
            if hop.arrived:
                met = (m, hop.target) in part.meetings and hop.target not in moved
                after[hop.target] = knows[source] | (knows[hop.target] if met else set())
        knows = after
        if first is None and knows[a] == knows[b] == {a, b}:
            first = part.number
    assert spread_rounds(problem, plan, 7, 300)[m, plan.islands.index(pair)] == first


def test_accuracy_within_a_budget_is_the_last_one():
    cost = SpentCosts(latency_s=4.0, energy_j=8.0, bits=0.0)
    curve = [Point(1.0, 3.0, 0.2), Point(2.0, 5.0, 0.3), Point(4.0, 8.0, 0.4)]
    row = row_of("m", 0, (2.0, 2.0), curve, 4, cost, cost.model_copy(update={"energy_j": 8.8}))
    assert (row["accuracy at s"], row["accuracy at J"]) == (0.3, None)
    assert (row["s a round"], row["off"]) == (1.0, pytest.approx(0.1))


def test_chains_near_their_law():
    plan = plan_walk(build_problem(network(1)))
    assert 0 < off_law(plan, 10) < off_law(plan, 5) < off_law(plan, 1)
