"""Open answers: embeddings by hand, the lead that keeps the head's accuracy, and sounds that no head was taught."""

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.learning.inference.open_set import OpenSet, answer_embeddings, choose_lead, unit
from hffm_opt.seeds import derive

AXES = np.eye(3)


def test_a_new_answer_is_given_where_it_is_nearest_by_more_than_the_lead():
    unseen = np.array([False, False, True])
    samples = np.array([[1.0, 0.1, 0.0], [0.0, 0.6, 0.8], [0.0, 0.0, 5.0]])
    heads = np.array([0, 1, 1])
    assert OpenSet(AXES, unseen).answer(samples, heads).tolist() == [0, 2, 2]
    assert OpenSet(AXES, unseen, lead=0.5).answer(samples, heads).tolist() == [0, 1, 2]


def test_an_answer_without_an_example_is_never_near():
    embeddings = answer_embeddings(np.array([[1.0, 0.0]]), np.array([0]), 2)
    opened = OpenSet(embeddings, np.array([False, True]))
    assert opened.answer(np.array([[-1.0, 0.0]]), np.array([0])).tolist() == [0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_the_lead_is_the_least_that_keeps_the_heads_accuracy(seed, tolerance):
    rng = derive(seed, "lead")
    opened = OpenSet(unit(rng.normal(size=(4, 3))), np.array([False, False, True, True]))
    pooled, worth = rng.normal(size=(20, 3)), (rng.random(20) < 0.7).astype(float)
    lead = choose_lead(opened, pooled, worth, tolerance)
    leads, _ = opened.leads(pooled)

    def lost(limit):
        return worth[leads > limit].sum() / 20

    assert lost(lead) <= tolerance + 1e-9
    assert lead == 0 or lost(np.nextafter(lead, -1)) > tolerance


def test_without_samples_there_is_no_lead():
    opened = OpenSet(AXES, np.array([False, False, True]))
    with pytest.raises(InputError, match="calibration_samples"):
        choose_lead(opened, np.empty((0, 3)), np.empty(0), 0.1)
