"""Where a command's words go: tables or one JSON document to standard output, all else to standard error."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from hffm_opt.errors import Finding, HffmError, InfeasibleError, LimitReachedError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 120
SHOWN_FINDINGS = 10
INFEASIBLE, INTERRUPTED = InfeasibleError.exit_code, 130


def console(stream: TextIO, least_width: int = 0) -> Console:
    """Return a console for a stream: as wide as the terminal, and without colours in a pipe."""
    from rich.console import Console, ConsoleDimensions

    width = PIPE_WIDTH if not stream.isatty() else None
    # No markup, no emoji codes: a path may hold brackets and colons.
    found = Console(file=stream, highlight=False, markup=False, emoji=False, width=width)
    found.size = ConsoleDimensions(max(found.width, least_width), found.height)
    return found


def show(*parts: RenderableType) -> None:
    """Print to standard output, a blank line between parts; numbers are never cut, however narrow the terminal."""
    from rich.measure import Measurement

    out = console(sys.stdout)
    wide = out.options.update(width=PIPE_WIDTH * 10)
    for part in parts:
        _hold_widths(part)
    out = console(sys.stdout, max((Measurement.get(out, wide, part).minimum for part in parts), default=0))
    for i, part in enumerate(parts):
        if i:
            out.print()
        out.print(part)


def _hold_widths(part: RenderableType) -> None:
    """Keep the columns that must not wrap as wide as their content: rich itself would cut them."""
    from rich.cells import cell_len
    from rich.console import Group
    from rich.table import Table

    if isinstance(part, Group):
        for inner in part.renderables:
            _hold_widths(inner)
    elif isinstance(part, Table):
        for column in part.columns:
            if column.no_wrap:
                column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))


def command(*words: object) -> str:
    """Return a call of this program as a shell takes it: words with spaces in quotes."""
    return shlex.join(["hffm", *map(str, words)])


def note(text: str) -> None:
    """Print a line to standard error."""
    console(sys.stderr).print(text, soft_wrap=True)


def document(data: Mapping[str, object]) -> None:
    """Print the JSON document of a command to standard output; a figure without end (a broken link's) is null."""
    # Imported late: help does without the file formats.
    from hffm_opt.serial import finite

    sys.stdout.write(json.dumps(finite(data), indent=1, allow_nan=False) + "\n")


def have_streams() -> None:
    """Make both standard streams take every word: one that is closed drops it, one in ASCII shows ``?`` for a sign."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- for the process
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="replace")


def drop_output() -> None:
    """Let what standard output still holds go nowhere, so that Python does not fail at it again when it exits."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep standard output for the JSON document: what a library prints there by itself goes to standard error.

    What is printed from C passes by ``sys.stdout``, and not every library has an option that silences it.
    """
    if sys.stdout is not sys.__stdout__ or sys.stdout is None or os.name != "posix":
        yield
        return
    import ctypes

    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(os.dup(own), "w", encoding="utf-8")
    try:
        yield
    finally:
        with suppress(BrokenPipeError):
            sys.stdout.close()
        sys.stdout = sys.__stdout__
        # What C still holds back belongs to standard error too.
        ctypes.CDLL(None).fflush(None)
        os.dup2(own, 1)
        os.close(own)


@contextmanager
def interrupts() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C, and yield a call that raises it again; a call to terminate counts as one.

    numpy swallows whatever is raised while it looks up an attribute, a Ctrl-C that arrives in that moment included.
    """
    seen = False

    def handle(_signal: int, _frame: object) -> None:
        nonlocal seen
        seen = True
        raise KeyboardInterrupt

    def check() -> None:
        if seen:
            raise KeyboardInterrupt

    on_main = threading.current_thread() is threading.main_thread()
    interrupted = signal.getsignal(signal.SIGINT) if on_main else None
    # A shell lets the jobs that it starts in the background ignore Ctrl-C; they can be terminated all the same.
    if interrupted not in (signal.default_int_handler, signal.SIG_IGN):
        yield check
        return
    handled = {signal.SIGINT: interrupted} if interrupted is not signal.SIG_IGN else {}
    # Batch systems and ``timeout`` terminate; what is complete should be kept then too.
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        handled[signal.SIGTERM] = signal.SIG_DFL
    for number in handled:
        signal.signal(number, handle)
    try:
        yield check
    finally:
        for number, before in handled.items():
            signal.signal(number, before)


@contextmanager
def waiting(text: str, limit_s: float | None = None) -> Iterator[Callable[[str], None]]:
    """Show how far a long call is and what it is doing, on standard error and only if that is a terminal.

    Yields what the call is to tell its steps (see :mod:`hffm_opt.steps`).

    Args:
        text: what is done.
        limit_s: the time limit of the whole call in s, if it has one.
    """
    with interrupts() as check, line(text, limit_s=limit_s) as show_step:

        def say(message: str) -> None:
            check()
            show_step(message)

        yield say
        check()


@contextmanager
def line(
    title: str, *, total: int | None = None, unit: str = "", limit_s: float | None = None
) -> Iterator[Callable[[str], None]]:
    """Yield what shows a step on the line that follows long work; without a terminal it does nothing.

    Arguments are those of :class:`hffm_opt.cli.progress.Bar`.
    """
    err = console(sys.stderr)
    if not err.is_terminal:
        yield lambda _: None
        return
    from hffm_opt.cli.progress import Bar

    bar = Bar(err, title, total=total, unit=unit, limit_s=limit_s)
    try:
        # In here: Ctrl-C may arrive while the line is drawn for the first time.
        bar.start()
        yield bar.show
    finally:
        bar.stop()


def error(failure: HffmError, as_json: bool) -> int:
    """Tell the user what went wrong, and return the exit code."""
    if as_json:
        document(
            {
                "error": _title(failure),
                "exit_code": failure.exit_code,
                "findings": [findings_json(finding) for finding in failure.findings],
            }
        )
    from rich.text import Text

    err = console(sys.stderr)
    count = len(failure.findings)
    err.print(Text(f"{_title(failure)}{f' ({count} findings)' if count > 1 else ''}", style="bold red"), soft_wrap=True)
    for finding in failure.findings[:SHOWN_FINDINGS]:
        err.print(finding_text(finding), soft_wrap=True)
    if count > SHOWN_FINDINGS:
        err.print(f"  ... and {count - SHOWN_FINDINGS} more; 'hffm check' and --json show all")
    return failure.exit_code


def finding_text(finding: Finding) -> RenderableType:
    """Return a finding as two lines: what is wrong where, and the repair."""
    from rich.text import Text

    return Text.assemble(
        "  ", (finding.path, "bold"), f": {finding.message}\n", ("    repair: ", "green"), finding.repair
    )


def findings_json(finding: Finding) -> dict[str, str]:
    """Return a finding as the JSON documents carry it."""
    return {"path": finding.path, "message": finding.message, "repair": finding.repair}


def _title(failure: HffmError) -> str:
    if isinstance(failure, InfeasibleError):
        return "Proven infeasible"
    if isinstance(failure, LimitReachedError):
        return "Stopped without a plan"
    return f"Bad input in {failure.source}" if failure.source else "Bad input"
