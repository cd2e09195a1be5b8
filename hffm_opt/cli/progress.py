"""A line that follows long work on a terminal: how much is done, the time it took and has left, the best so far.

Only imported where there is a terminal, since rich takes long to load.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from time import monotonic

from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from hffm_opt.plan.outcome import relative_gap
from hffm_opt.steps import Step

BAR_WIDTH = 16


class Pace:
    """The seconds that are left, estimated from the pieces that are done since the first that was told.

    Args:
        clock: returns seconds.

    Example:
        >>> now = iter([0.0, 10.0, 12.0])
        >>> pace = Pace(lambda: next(now))
        >>> pace.reach(0), pace.reach(2)
        (None, None)
        >>> pace.left_s(5)  # 5 s each, 2 s into the third
        13.0
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)

    def reach(self, done: int) -> None:
        """Take note that so many pieces are done by now."""
        if self._first is None:
            self._first = self._last = (done, self._clock())
        elif done > self._last[0]:
            self._last = (done, self._clock())

    def left_s(self, total: int) -> float | None:
        """Return the seconds left until all pieces are done; None where that is unknown or was told too short."""
        if self._first is None or self._last[0] == self._first[0]:
            return None
        done, reached = self._last
        each = (reached - self._first[1]) / (done - self._first[0])
        left_s = (total - done) * each - (self._clock() - reached)
        return left_s if left_s >= 0 else None


class Bar:
    """The line itself, from its start until it is stopped; then it is gone.

    Args:
        console: of a terminal.
        title: what is done.
        total: how many pieces there are, if that is known before the first step tells it.
        unit: what the pieces are called.
        limit_s: the time limit of the whole in s.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        *,
        total: int | None = None,
        unit: str = "",
        limit_s: float | None = None,
    ) -> None:
        self._limit_s, self._unit, self._pace, self._news = limit_s, unit, Pace(), ""
        whole = Column(no_wrap=True)
        self._line = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=whole),
            _Column(self._share, whole),
            _Column(self._times, whole),
            _Column(lambda _: Text(self._news), Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._line.add_task(title, total=total)

    def start(self) -> None:
        """Show the line."""
        self._line.start()

    def stop(self) -> None:
        """Take the line away, if it is there."""
        self._line.stop()

    def show(self, step: str) -> None:
        """Show what is being done, and with a :class:`~hffm_opt.steps.Step` its figures."""
        if isinstance(step, Step):
            if step.total is not None:
                self._line.update(self._task, total=step.total)
            if step.done is not None:
                self._pace.reach(step.done)
                self._line.update(self._task, completed=step.done)
        self._news = "  ".join(filter(None, (figures(step), step)))

    def _share(self, task: Task) -> RenderableType:
        """Return a bar with its numbers where it is known how much there is to do."""
        if task.total is None:
            return Text()
        grid = Table.grid(Column(width=BAR_WIDTH), Column(no_wrap=True), padding=(0, 1))
        numbers = f"{task.completed:.0f}/{task.total:.0f} {self._unit}".rstrip()
        grid.add_row(ProgressBar(task.total, task.completed, width=BAR_WIDTH), numbers)
        return grid

    def _times(self, task: Task) -> RenderableType:
        """Return the time that has passed, and what is left by the pace so far and by the time limit."""
        elapsed = task.elapsed or 0.0
        words = [clock(elapsed)]
        left_s = None if task.total is None else self._pace.left_s(round(task.total))
        if left_s is not None:
            words.append(f"about {clock(left_s)} left")
        if self._limit_s is not None:
            words.append(f"at most {clock(max(self._limit_s - elapsed, 0.0))} left")
        return Text(", ".join(words))


class _Column(ProgressColumn):
    """A column that a function renders."""

    def __init__(self, render: Callable[[Task], RenderableType], table_column: Column) -> None:
        super().__init__(table_column)
        self._render = render

    def render(self, task: Task) -> RenderableType:
        return self._render(task)


def clock(seconds: float) -> str:
    """Return seconds as a clock shows them.

    Example:
        >>> clock(75.9), clock(3600)
        ('1:15', '1:00:00')
    """
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def figures(step: str) -> str:
    """Return what a search has found and proven so far; nothing for words alone.

    Example:
        >>> figures(Step("circulation 4", value=2.0, bound=1.9))
        'best 2, proven 1.9, gap 5.00 %'
        >>> figures("reading")
        ''
    """
    if not isinstance(step, Step):
        return ""
    found = [] if step.value is None else [f"best {step.value:.5g}"]
    if step.bound is not None and isfinite(step.bound):
        found.append(f"proven {step.bound:.5g}")
        found += [] if step.value is None else [f"gap {relative_gap(step.value, step.bound):.2%}".replace("%", " %")]
    return ", ".join(found)
