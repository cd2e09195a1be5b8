"""Whether a directory is whole: all files are there, and all are of one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hffm_opt.errors import Finding, InputError


def refuse_missing(directory: Path, names: Iterable[str], what: str, call: str) -> None:
    """Refuse a directory that lacks files.

    Args:
        directory: where they are to be.
        names: of the files.
        what: a directory that has them all.
        call: what writes such a directory, up to its name.

    Raises:
        InputError: some are missing, all of which it names.
    """
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        there = f"not {what}: {', '.join(missing)} missing" if directory.is_dir() else "there is no such directory"
        raise InputError.one(str(directory), there, f"write one with: {call} -o {directory}")


def refuse_strangers(directory: Path, fits: Mapping[str, bool], call: str) -> None:
    """Refuse a directory in which some files do not fit the others.

    Args:
        directory: where they are.
        fits: whether each file does, by name.
        call: the command that writes such a directory.

    Raises:
        InputError: with a finding for each that does not.
    """
    message = "it belongs to another run than the files beside it"
    repair = f"give a directory as one call of '{call}' wrote it"
    findings = [Finding(str(directory / name), message, repair) for name, fit in fits.items() if not fit]
    if findings:
        raise InputError(findings)
