"""Threads: results in order, first fault in order, torch's setting as it was."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from hffm_opt.learning.threads import map_threads


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_results_come_in_order_and_torch_is_left_as_it_was(threads: int | None) -> None:
    before = torch.get_num_threads()

    def run(item: int) -> tuple[int, int]:
        time.sleep(0.002 * (5 - item))
        return item * item, torch.get_num_threads()

    found = map_threads(run, range(5), threads)
    assert [value for value, _ in found] == [0, 1, 4, 9, 16]
    assert {count for _, count in found} == ({before} if threads is None else {1})
    assert torch.get_num_threads() == before


def test_items_really_run_at_a_time() -> None:
    meeting = threading.Barrier(2, timeout=20.0)
    assert sorted(map_threads(lambda _: meeting.wait(), range(2), 2)) == [0, 1]


def test_the_first_fault_is_raised_and_the_rest_is_dropped() -> None:
    started = []

    def run(item: int) -> None:
        started.append(item)
        if item in (1, 2):
            raise ValueError(f"item {item}")
        time.sleep(0.01)

    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="item 1"):
        map_threads(run, range(100), 1)
    assert len(started) < 100
    assert torch.get_num_threads() == before
