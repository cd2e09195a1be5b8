import numpy as np
import pytest

from hffm_opt.learning.tasks import TaskData, blind_baseline, majority_baseline


def data_of(answers: list[int], families: list[str]) -> TaskData:
    number = len(answers)
    tokens = np.zeros((number, 4), dtype=np.int64)
    images = np.zeros((number, 2, 2, 3), dtype=np.uint8)
    return TaskData(images, tokens, tokens, np.array(answers, dtype=np.int64), tuple(families))


def test_baselines_by_hand() -> None:
    data = data_of([0, 0, 1, 1, 1, 2], ["a", "a", "a", "b", "b", "b"])
    assert majority_baseline(data) == pytest.approx(3 / 6)
    assert blind_baseline(data) == pytest.approx((2 + 2) / 6)
    assert majority_baseline(data.select([])) == blind_baseline(data.select([])) == 0.0


def test_select_keeps_the_order_asked_for() -> None:
    chosen = data_of([5, 6, 7], ["a", "b", "c"]).select([2, 0])
    assert chosen.answers.tolist() == [7, 5] and chosen.families == ("c", "a") and len(chosen) == 2


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        data_of([1, 2], ["a"])
