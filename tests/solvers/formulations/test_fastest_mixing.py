"""The fastest mixing chain: against grids, closed forms and Metropolis-Hastings; its law exact, its bound held."""

from itertools import product

import numpy as np
import pytest

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.fastest_mixing import fastest_mixing, metropolis_hastings, slem


def path(n):
    return np.eye(n, k=1, dtype=bool) | np.eye(n, k=-1, dtype=bool)


def drawn(seed, n):
    """A connected graph of n nodes and a law on it."""
    rng = derive(seed, "graph")
    graph = np.triu(rng.random((n, n)) < 0.4, 1)
    graph[np.arange(n - 1), np.arange(1, n)] = True
    return graph | graph.T, rng.dirichlet(np.full(n, 2.0)) * 0.9 + 0.1 / n


def best_on_grid(graph, law, steps):
    """Return the least modulus over all flows on a grid."""
    upper = np.argwhere(np.triu(graph))
    top = [min(law[i], law[j]) for i, j in upper]
    best = 1.0
    for point in product(*(np.linspace(0, limit, steps) for limit in top)):
        flow = np.zeros(graph.shape)
        flow[upper[:, 0], upper[:, 1]] = point
        flow += flow.T
        stays = law - flow.sum(axis=1)
        if (stays >= -1e-12).all():
            best = min(best, slem((flow + np.diag(stays)) / law[:, None], law))
    return best


@pytest.mark.parametrize(("seed", "n", "steps"), [(0, 3, 20), (1, 3, 20), (2, 3, 20), (3, 4, 12), (4, 4, 12)])
def test_no_chain_on_a_grid_mixes_faster(seed, n, steps):
    graph, law = drawn(seed, n)
    chain = fastest_mixing(graph, law)
    grid = best_on_grid(graph, law, steps)
    assert chain.slem <= grid + 1e-7
    assert chain.slem >= grid - 3 / steps
    assert chain.bound == pytest.approx(chain.slem, abs=1e-5)
    assert chain.bound <= grid + 1e-9


@pytest.mark.parametrize("n", [3, 4, 6, 9])
def test_the_fastest_chain_on_a_path_is_known(n):
    """On a path with a uniform law it steps with probability 1/2 (Boyd, Diaconis, Sun, Xiao 2006)."""
    chain = fastest_mixing(path(n), np.full(n, 1 / n))
    assert chain.slem == pytest.approx(np.cos(np.pi / n), abs=1e-6)
    assert chain.transition[path(n)] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_never_worse_than_metropolis_hastings_and_the_law_is_exact(seed):
    graph, law = drawn(seed, 4 + seed)
    chain, usual = fastest_mixing(graph, law), metropolis_hastings(graph, law)
    assert chain.bound <= chain.slem <= slem(usual, law)
    assert chain.slem - chain.bound < 1e-4
    for found in (chain.transition, usual):
        assert (found >= 0).all() and not found[~graph & ~np.eye(len(law), dtype=bool)].any()
        assert np.abs(found.sum(axis=1) - 1).max() < 1e-14
        assert np.abs(law @ found - law).max() < 1e-15
        assert np.abs(law[:, None] * found - (law[:, None] * found).T).max() < 1e-16


def test_some_graphs_mix_much_faster_than_metropolis_hastings_lets_them():
    graph = np.zeros((5, 5), dtype=bool)
    graph[0, 1:] = graph[1:, 0] = True
    law = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    assert fastest_mixing(graph, law).slem < slem(metropolis_hastings(graph, law), law) - 0.05


def test_slower_chains_may_cost_less():
    graph, law = drawn(3, 6)
    cost = derive(3, "cost").uniform(1, 5, (6, 6))
    fast = fastest_mixing(graph, law, cost)
    costs = [fastest_mixing(graph, law, cost, limit) for limit in (fast.slem + 0.02, fast.slem + 0.1)]
    assert costs[1].cost < costs[0].cost < fast.cost
    assert all(
        chain.slem <= limit + 1e-6 for chain, limit in zip(costs, (fast.slem + 0.02, fast.slem + 0.1), strict=True)
    )
    with pytest.raises(InfeasibleError, match="second eigenvalue"):
        fastest_mixing(graph, law, cost, fast.slem - 0.05)


def test_one_node_stays_at_home():
    chain = fastest_mixing([[False]], [1.0])
    assert (chain.transition.tolist(), chain.slem) == ([[1.0]], 0.0)


@pytest.mark.parametrize(
    ("linked", "law", "place"),
    [
        ([[False, True], [False, False]], [0.5, 0.5], "linked"),
        ([[False, True]], [1.0], "linked"),
        (path(2), [0.5, 0.6], "law"),
        (path(2), [1.0, 0.0], "law"),
    ],
)
def test_bad_input_is_told(linked, law, place):
    with pytest.raises(InputError) as caught:
        fastest_mixing(linked, law)
    assert caught.value.findings[0].path == place


def test_islands_and_bad_costs_are_told():
    with pytest.raises(InfeasibleError, match="node 0 to node 2"):
        fastest_mixing([[False, True, False], [True, False, False], [False, False, False]], np.ones(3) / 3)
    with pytest.raises(InputError, match="cost"):
        fastest_mixing(path(2), [0.5, 0.5], [[0, -1], [1, 0]])
