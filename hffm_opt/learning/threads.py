"""Work on many cores whose bits do not depend on how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@contextmanager
def _single_threaded_torch() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_threads(run: Callable[[ItemT], ResultT], items: Iterable[ItemT], threads: int | None) -> list[ResultT]:
    """Return ``run(item)`` for each item, in order.

    torch's own threads split a product of matrices in ways that change its last bits, and wait for each other at
    every operation, which costs dearly on a busy machine. So here each item runs on one core, several at a time.

    Args:
        run: called once for each item; calls must not depend on one another.
        items: the items.
        threads: how many run at a time, each with one torch thread; None runs one after another in the caller's
            thread and leaves torch's setting alone.

    Raises:
        Exception: the first in the order of items; items that have not started by then are dropped.
    """
    if threads is None:
        return [run(item) for item in items]
    with (
        _single_threaded_torch(),
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        return list(pool.map(run, items))
