"""What commands that train rounds show: a bar on the way, and where the run is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.cli import screen
from hffm_opt.steps import Step, nested

if TYPE_CHECKING:
    from hffm_opt.trace import AccuracyRecord, RoundRecord

OnRound = Callable[["RoundRecord", "tuple[AccuracyRecord, ...]"], None]


def kept_in(directory: Path, complete: bool) -> str:
    """Say where a run is, and what to do with it.

    >>> kept_in(Path("run"), complete=True)
    'Kept in run. Next: hffm report run'
    """
    report = screen.command("report", directory)
    if complete:
        return f"Kept in {directory}. Next: {report}"
    return f"Kept in {directory} as far as it went. Go on with the same command and --resume, or see: {report}"


@contextmanager
def round_progress(title: str, rounds: int) -> Iterator[tuple[Callable[[str], None], OnRound]]:
    """Show a bar over the rounds with the time left, on standard error and only if that is a terminal.

    Yields what to call with the words of a planning search, and what to call after each round.
    """
    with screen.interrupts() as check, screen.line(title, total=rounds, unit="rounds") as show:

        def say(message: str) -> None:
            check()
            show(nested("planning", message))

        def on_round(record: RoundRecord, accuracies: tuple[AccuracyRecord, ...]) -> None:
            known = {f"{a.task} {a.accuracy:.1%}" for a in accuracies if a.phase == "after-average"}
            losses = ", ".join(f"{name} loss {value:.2f}" for name, value in record.loss.items())
            show(Step(", ".join(sorted(known)) or losses, done=record.round, total=rounds))
            check()

        yield say, on_round
