"""Where a command's words go: tables or one JSON document to standard output, all else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from hffm_opt.errors import Finding, HffmError, InfeasibleError, LimitReachedError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 120
SHOWN_FINDINGS = 10
INTERRUPTED = 130


def console(stream: TextIO) -> Console:
    """Return a console for a stream; into a pipe it writes lines of a fixed width, without colours."""
    from rich.console import Console

    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, highlight=False, width=PIPE_WIDTH if piped else None)


def show(*parts: RenderableType) -> None:
    """Print to standard output, a blank line between parts."""
    out = console(sys.stdout)
    for i, part in enumerate(parts):
        if i:
            out.print()
        out.print(part)


def note(text: str) -> None:
    """Print a line to standard error."""
    console(sys.stderr).print(text, soft_wrap=True)


def document(data: Mapping[str, object]) -> None:
    """Print the JSON document of a command to standard output."""
    sys.stdout.write(json.dumps(data, indent=1, allow_nan=False) + "\n")


@contextmanager
def waiting(text: str) -> Iterator[Callable[[str], None]]:
    """Show what a long call is doing, on standard error and only if that is a terminal."""
    err = console(sys.stderr)
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(text) as status:
        yield lambda message: status.update(f"{text}: {message}")


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
    return "Stopped without a plan" if isinstance(failure, LimitReachedError) else "Bad input"
