"""What long work tells on its way: words, and the figures behind them for whoever shows more than words."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


class Step(str):
    """A word of progress that is a plain ``str`` to everybody who expects one.

    ``done`` of ``total`` equal pieces of the work are complete, in its own count; ``value`` is the best objective found
    so far and ``bound`` what no plan falls below. None where there is no such figure.

    Example:
        >>> step = Step("seed 3", done=3, total=10)
        >>> step, step.done, step.total, step.value is None
        ('seed 3', 3, 10, True)
    """

    done: int | None
    total: int | None
    value: float | None
    bound: float | None

    def __new__(
        cls,
        words: str,
        *,
        done: int | None = None,
        total: int | None = None,
        value: float | None = None,
        bound: float | None = None,
    ) -> Step:
        """Return the words with their figures."""
        step = super().__new__(cls, words)
        step.done, step.total, step.value, step.bound = done, total, value, bound
        return step


def nested(words: str, inner: str, *, done: int | None = None, total: int | None = None, unit: float = 1.0) -> Step:
    """Return what a part of the work tells as a step of the whole: its words behind ours, its figures if any.

    Args:
        words: what the part is.
        inner: what the part tells, or nothing; how many of its own pieces are done is dropped.
        done, total: pieces of the whole.
        unit: what value and bound are multiplied by.

    Example:
        >>> step = nested("point 2 of 9", Step("circulation 4", value=2.0), done=4, total=12, unit=0.5)
        >>> step, step.done, step.value, step.bound is None
        ('point 2 of 9: circulation 4', 4, 1.0, True)
    """
    value, bound = (inner.value, inner.bound) if isinstance(inner, Step) else (None, None)
    return Step(
        f"{words}: {inner}" if inner else words,
        done=done,
        total=total,
        value=None if value is None else value * unit,
        bound=None if bound is None else bound * unit,
    )


def pieces(tell: Callable[[str], None], total: int) -> Callable[[str], None]:
    """Return what to call with the name of each of ``total`` pieces of the work as it begins.

    Example:
        >>> begin = pieces(lambda step: print(f"{step.done} of {step.total} done, now {step}"), 2)
        >>> begin("seed 0"), begin("seed 1")
        0 of 2 done, now seed 0
        1 of 2 done, now seed 1
        (None, None)
    """
    done = count()

    def begin(words: str) -> None:
        tell(Step(words, done=next(done), total=total))

    return begin
