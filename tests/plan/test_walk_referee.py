"""The referee of walks finds every fault, and the moduli that the planner tells."""

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.walk_referee import check_walk, passage_times, second_modulus
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.seeds import derive
from hffm_opt.solvers.walks import CHAINS, plan_walk

problem = build_problem(load_scenario("tiny"))
plan = plan_walk(problem)
first = plan.islands[0]


def changed(**update):
    return plan.model_copy(update={"islands": (first.model_copy(update=update), *plan.islands[1:])})


@pytest.mark.parametrize("chain", CHAINS)
def test_plans_of_the_planner_are_sound(chain):
    check_walk(problem, plan_walk(problem, chain))


def test_moduli_are_those_of_powers():
    """After k steps the distance from the law has shrunk by the modulus to the k."""
    chain = np.array([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]])
    law = np.array([0.25, 0.5, 0.25])
    far = [np.abs(np.linalg.matrix_power(chain, k) - law).max() for k in (20, 21)]
    assert second_modulus(chain) == pytest.approx(far[1] / far[0])
    assert second_modulus([[1.0]]) == 0


def test_passage_times_are_those_of_walks():
    """On a cycle of one direction the way back is long; what is never reached takes for ever."""
    assert passage_times(np.roll(np.eye(3), 1, axis=1)).tolist() == [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    assert passage_times(np.eye(2)).tolist() == [[0, np.inf], [np.inf, 0]]
    chain, rng = np.array([[0.2, 0.8, 0.0], [0.4, 0.1, 0.5], [0.0, 0.7, 0.3]]), derive(0, "passage")
    taken = []
    for _ in range(2000):
        at, steps = 0, 0
        while at != 2:
            at, steps = int(rng.choice(3, p=chain[at])), steps + 1
        taken.append(steps)
    assert np.mean(taken) == pytest.approx(passage_times(chain)[0, 2], abs=4 * np.std(taken) / np.sqrt(len(taken)))


@pytest.mark.parametrize(
    ("update", "told"),
    [({"constant": 0.9}, "not 0.9"), ({"bound": 99.0}, "below the bound 99")],
)
def test_wrong_constants_are_told(update, told):
    soon = plan_walk(problem, "minimal-kemeny")
    island = soon.islands[0]
    wrong = island.model_copy(update={"kemeny": island.kemeny.model_copy(update=update)})
    with pytest.raises(InputError, match=told):
        check_walk(problem, soon.model_copy(update={"islands": (wrong, *soon.islands[1:])}))


def test_no_constant_is_that_of_a_chain_which_never_arrives():
    soon = plan_walk(problem, "minimal-kemeny")
    islands = [island.model_copy(update={"transition": STAY, "slem": 1.0}) for island in soon.islands]
    with pytest.raises(InputError, match="takes inf steps"):
        check_walk(problem, soon.model_copy(update={"islands": tuple(islands)}))


STAY = tuple(tuple(float(i == j) for j in range(3)) for i in range(3))


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"devices": first.devices[:2]}, "stands on 0 islands"),
        ({"devices": ("nobody", *first.devices[1:])}, "no device is named 'nobody'"),
        ({"law": first.law[:2]}, "3 x 3 probabilities"),
        ({"transition": ((0.5, 0.0, 0.0), *first.transition[1:])}, "does not sum to 1"),
        ({"law": (0.2, 0.2, 0.6)}, "the chain does not keep it"),
        ({"slem": 0.9}, "not 0.9"),
        ({"bound": 0.99}, "below the bound"),
    ],
)
def test_faults_are_told(update, told):
    with pytest.raises(InputError, match=told):
        check_walk(problem, changed(**update))


def test_steps_need_links_and_somebody_moves():
    near = problem.scenario.physics.model_copy(update={"d2d_range_m": 1.0})
    cut = build_problem(problem.scenario.model_copy(update={"physics": near}))
    reference = plan.scenario.model_copy(update={"fingerprint": cut.fingerprint})
    with pytest.raises(InputError, match="no links both ways"):
        check_walk(cut, plan.model_copy(update={"scenario": reference}))
    still = [island.model_copy(update={"transition": STAY, "slem": 1.0}) for island in plan.islands]
    with pytest.raises(InputError, match="ever leaves"):
        check_walk(problem, plan.model_copy(update={"islands": tuple(still)}))


def test_plans_for_other_networks_are_refused():
    with pytest.raises(InputError, match="planned for 'tiny'"):
        check_walk(build_problem(load_scenario("senses")), plan)
