"""A search in words: its steps, why it ended, and what to do where it found no plan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hffm_opt.errors import HffmError, LimitReachedError
from hffm_opt.solvers.joint.search import Found, Tell
from hffm_opt.solvers.request import Request
from hffm_opt.steps import Step

Progress = Callable[[str], None]


def telling(progress: Progress, unit: float | None) -> Tell:
    """Return what puts a search's figures into words, in the request's own objective; without ``unit`` words alone."""

    def tell(number: int, value: float, best: float, bound: float) -> None:
        scale = 1.0 if unit is None else unit
        words = f"{value * scale:.6g}" if value < np.inf else "not better"
        step = f"circulation {number}: {words} (proven so far: {bound * scale:.6g})"
        known = unit is not None and best < np.inf
        progress(Step(step, value=best * scale if known else None, bound=bound * scale if unit is not None else None))

    return tell


def without_plan(found: Found, request: Request) -> HffmError:
    """Return what to raise where a search ended without a plan, and none is proven impossible."""
    if found.reason == "undecided":
        return LimitReachedError.one(
            "--max-latency / --max-energy",
            "no plan that keeps the limits was found, and none is proven impossible",
            "loosen a limit slightly",
        )
    if found.reason == "time limit":
        return LimitReachedError.one(
            "--time-limit", f"no plan was found within {request.time_limit_s:g} s", "allow more time"
        )
    return LimitReachedError.one("optimal", f"the search ended without a plan: {found.reason}", "report this")


def reason_in_words(found: Found, gap: float) -> str:
    """Return why a search with a plan ended."""
    assert found.best is not None
    if found.reason != "proven":
        return f"the {found.reason} ended the search"
    closed = found.best.value - found.bound <= gap * abs(found.best.value) + 1e-15
    if closed:
        return f"gap closed after {found.proposals} circulation{'s' if found.proposals != 1 else ''}"
    return "every circulation was judged; what remains is the duality gap inside the cells"
