"""What goes wrong, in words that name the place and the repair.

Every error that a user can cause is a subclass of :class:`HffmError` and carries findings; the command line turns
them into one screen of text and the exit code of the class.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One fault in an input: where it is, what is wrong, how to mend it."""

    path: str
    message: str
    repair: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} -- {self.repair}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the question whether the nearest of some names was meant; nothing where none is near.

    >>> did_you_mean("optimum", ["star", "optimal"]), did_you_mean("x", ["star"])
    ("did you mean 'optimal'?", '')
    """
    # Every command loads this module, and few end in an error.
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def one_of(name: str, names: Collection[str]) -> str:
    """Return the repair of a wrong name: the nearest one, and all that there are.

    >>> one_of("stars", ["star", "optimal"])
    "did you mean 'star'? use one of: star, optimal"
    """
    return f"{did_you_mean(name, names)} use one of: {', '.join(names)}".lstrip()


def near_or_some(name: str, names: Iterable[str]) -> str:
    """Return the repair of a wrong name where there may be very many: the nearest one, else the first few.

    >>> near_or_some("edge-7", ["cloud"])
    'use one of: cloud'
    """
    known = sorted(names)
    return did_you_mean(name, known) or f"use one of: {', '.join(known[:8])}"


class HffmError(Exception):
    """Base of all errors that are answered with a message instead of a traceback.

    ``source`` is the file whose fields the findings' paths name, where it is one.
    """

    exit_code = 2

    def __init__(self, findings: Iterable[Finding] | Finding, source: str = "") -> None:
        self.findings = (findings,) if isinstance(findings, Finding) else tuple(findings)
        self.source = source
        super().__init__("\n".join([*([f"in {source}"] if source else []), *map(str, self.findings)]))

    @classmethod
    def one(cls, path: str, message: str, repair: str) -> HffmError:
        """Build the error from a single finding."""
        return cls(Finding(path, message, repair))


class InputError(HffmError):
    """The input is wrong: a file, a scenario, a plan, an argument (exit code 2)."""

    exit_code = 2


class InfeasibleError(HffmError):
    """The request is proven impossible; the finding names the limit that binds (exit code 3)."""

    exit_code = 3


class LimitReachedError(HffmError):
    """A time or node limit ended the search before any feasible plan was found (exit code 4)."""

    exit_code = 4
