"""The chain of minimal Kemeny constant: against grids, closed forms and Metropolis-Hastings; law exact, bound held."""

from itertools import product

import numpy as np
import pytest

from hffm_opt.errors import InfeasibleError, InputError
from hffm_opt.plan.walk_referee import passage_times
from hffm_opt.seeds import derive
from hffm_opt.solvers.formulations.fastest_mixing import fastest_mixing, metropolis_hastings
from hffm_opt.solvers.formulations.minimal_kemeny import kemeny_constant, minimal_kemeny


def path(n):
    return np.eye(n, k=1, dtype=bool) | np.eye(n, k=-1, dtype=bool)


def drawn(seed, n, share=0.4):
    """A connected graph of n nodes and a law on it."""
    rng = derive(seed, "graph")
    graph = np.triu(rng.random((n, n)) < share, 1)
    graph[np.arange(n - 1), np.arange(1, n)] = True
    return graph | graph.T, rng.dirichlet(np.full(n, 2.0)) * 0.9 + 0.1 / n


def chains_on_grid(graph, law, steps):
    """Yield all chains whose flows lie on a grid."""
    upper = np.argwhere(np.triu(graph))
    top = [min(law[i], law[j]) for i, j in upper]
    for point in product(*(np.linspace(0, limit, steps) for limit in top)):
        flow = np.zeros(graph.shape)
        flow[upper[:, 0], upper[:, 1]] = point
        flow += flow.T
        stays = law - flow.sum(axis=1)
        if (stays >= -1e-12).all():
            yield (flow + np.diag(stays)) / law[:, None]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_chain_of_three_nodes_on_a_grid_reaches_sooner(seed, share):
    graph, law = drawn(seed, 3, share)
    chain = minimal_kemeny(graph, law)
    grid = min(kemeny_constant(other, law) for other in chains_on_grid(graph, law, 25))
    assert chain.bound <= chain.constant <= grid * (1 + 1e-7)
    assert chain.constant == pytest.approx(grid, rel=0.1)
    assert chain.bound == pytest.approx(chain.constant, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_mean_of_first_passage_times_from_every_node(seed):
    graph, law = drawn(seed, 3 + seed)
    for chain in (minimal_kemeny(graph, law).transition, metropolis_hastings(graph, law)):
        assert passage_times(chain) @ law == pytest.approx(kemeny_constant(chain, law), rel=1e-12)
    assert minimal_kemeny(graph, law).constant == kemeny_constant(minimal_kemeny(graph, law).transition, law)


def test_a_chain_that_never_arrives_takes_for_ever():
    assert kemeny_constant(np.eye(3), np.ones(3) / 3) == np.inf


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_on_a_complete_graph_it_never_stays(n):
    """Eigenvalues -1 / (n - 1): K = (n - 1)^2 / n."""
    chain = minimal_kemeny(~np.eye(n, dtype=bool), np.full(n, 1 / n))
    assert chain.constant == pytest.approx((n - 1) ** 2 / n, rel=1e-9)
    assert chain.bound == pytest.approx(chain.constant, rel=1e-9)
    assert np.diag(chain.transition) == pytest.approx(0, abs=1e-7)


def test_on_paths_and_stars_it_is_known():
    """On a tree K = sum of a_e / q_e, a_e the product of the laws of both sides; few flows are easily chosen by hand.

    Path of 4, uniform: 2 (3/16) / (1/4 - q) + (4/16) / q is least at ``4 (sqrt(3/8) + 1/2)^2``. Star whose hub limits
    all: q_k in the ratio of sqrt(a_k), and K = ``(sum sqrt(a_k))^2 / pi_hub``.
    """
    assert minimal_kemeny(path(3), np.ones(3) / 3).constant == pytest.approx(8 / 3, rel=1e-8)
    known = 4 * (np.sqrt(3 / 8) + 1 / 2) ** 2
    assert minimal_kemeny(path(4), np.ones(4) / 4).constant == pytest.approx(known, rel=1e-8)
    star = np.zeros((4, 4), dtype=bool)
    star[0, 1:] = star[1:, 0] = True
    law = np.array([0.1, 0.2, 0.3, 0.4])
    known = np.sqrt(law[1:] * (1 - law[1:])).sum() ** 2 / law[0]
    found = minimal_kemeny(star, law)
    assert found.constant == pytest.approx(known, rel=1e-8)
    assert found.bound == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_never_worse_than_metropolis_hastings_and_the_law_is_exact(seed):
    graph, law = drawn(seed, 4 + seed)
    chain = minimal_kemeny(graph, law)
    usual = kemeny_constant(metropolis_hastings(graph, law), law)
    assert chain.bound <= chain.constant <= min(usual, kemeny_constant(fastest_mixing(graph, law).transition, law))
    assert chain.constant - chain.bound < 1e-6 * chain.constant
    found = chain.transition
    assert (found >= 0).all() and not found[~graph & ~np.eye(len(law), dtype=bool)].any()
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-14
    assert np.abs(law @ found - law).max() < 1e-15
    assert np.abs(law[:, None] * found - (law[:, None] * found).T).max() < 1e-16


@pytest.mark.parametrize("seed", range(4))
def test_no_drawn_chain_is_below_the_bound(seed):
    """Flows of any symmetric weights, scaled until no row gives too much."""
    graph, law = drawn(seed, 7)
    bound, rng = minimal_kemeny(graph, law).bound, derive(seed, "weights")
    least = np.inf
    for _ in range(300):
        flow = np.triu(rng.exponential(size=graph.shape) * graph)
        flow += flow.T
        flow /= (flow.sum(axis=1) / law).max()
        least = min(least, kemeny_constant((flow + np.diag(law - flow.sum(axis=1))) / law[:, None], law))
    assert bound <= least


def rounds_to_spread(transition, law, rng):
    """Return after how many steps of one walk all nodes know, by what it carried there, from all."""
    n = len(law)
    cumulated, everything = transition.cumsum(axis=1), frozenset(range(n))
    at, knows, steps = int(rng.choice(n, p=law)), [frozenset()] * n, 0
    while any(known != everything for known in knows):
        knows[at] |= {at}
        target = min(n - 1, int(np.searchsorted(cumulated[at], rng.random())))
        # What arrives takes the place of what was there, as in a training by walks.
        knows[target] = knows[at]
        at, steps = target, steps + 1
    return steps


def test_walks_spread_sooner_by_it():
    """Over four graphs of uneven laws, at least a twentieth sooner than by Metropolis-Hastings or the fastest chain."""
    taken = {}
    for seed in range(4):
        graph, law = drawn(seed, 6, 0.2)
        chains = {
            "soon": minimal_kemeny(graph, law).transition,
            "usual": metropolis_hastings(graph, law),
            "fast": fastest_mixing(graph, law).transition,
        }
        for name, chain in chains.items():
            rng = derive(seed, "spread")
            taken[name] = taken.get(name, 0.0) + np.mean([rounds_to_spread(chain, law, rng) for _ in range(150)])
    assert taken["soon"] < 0.95 * min(taken["usual"], taken["fast"]), taken


def test_modulus_and_constant_are_two_things():
    """Two nodes of equal law: the chain that reaches soonest alternates, and never forgets where it began."""
    chain = minimal_kemeny(path(2), [0.5, 0.5])
    assert chain.transition == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]), abs=1e-9)
    assert chain.constant == pytest.approx(0.5)
    assert kemeny_constant(fastest_mixing(path(2), [0.5, 0.5]).transition, [0.5, 0.5]) == pytest.approx(1.0)


def test_one_node_is_there_and_bad_input_is_told():
    chain = minimal_kemeny([[False]], [1.0])
    assert (chain.transition.tolist(), chain.constant, chain.bound) == ([[1.0]], 0.0, 0.0)
    with pytest.raises(InputError, match="linked"):
        minimal_kemeny([[False, True], [False, False]], [0.5, 0.5])
    with pytest.raises(InputError, match="law"):
        minimal_kemeny(path(2), [1.0, 0.0])
    with pytest.raises(InfeasibleError, match="node 0 to node 2"):
        minimal_kemeny([[False, True, False], [True, False, False], [False, False, False]], np.ones(3) / 3)


@pytest.mark.parametrize("samples", [(32, 26), (48, 26), (7, 3)])
def test_no_probability_is_rounded_above_one(samples):
    law = np.array(samples) / sum(samples)
    chain = minimal_kemeny(~np.eye(2, dtype=bool), law).transition
    assert chain.max() <= 1.0
    assert law @ chain == pytest.approx(law, rel=1e-12)
