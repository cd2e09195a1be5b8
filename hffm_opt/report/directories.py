"""Which kinds of directories a report is written about, how they are told apart, and what each holds.

Another kind of directory is one more entry of :data:`KINDS`. What it holds besides runs of training, its *subjects*,
are values of any class that :data:`hffm_opt.report.sections.SECTIONS` knows a section for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hffm_opt.errors import Finding, InputError
from hffm_opt.report.answered import read_answered
from hffm_opt.report.placed import read_placed
from hffm_opt.report.relayed import phases_of, read_relayed
from hffm_opt.report.run import FILES, Run, read_run
from hffm_opt.report.walked import WALK_FILES, read_walked
from hffm_opt.trace import inference
from hffm_opt.trace.files import PLACEMENT
from hffm_opt.trace.metrics import METRICS_TABLE
from hffm_opt.trace.relaying import RELAYING, RELAYING_PLAN
from hffm_opt.trace.walks import WALK, WALK_TRACE

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What directories hold: runs of training, and subjects that have a section of their own.

    ``lead`` is the subject that the page's headline is about; without one it is about the first run.
    """

    runs: tuple[Run, ...] = ()
    subjects: tuple[object, ...] = ()
    lead: object | None = None


@dataclass(frozen=True)
class DirectoryKind:
    """A kind of directory: how it is known, which of its files a page must not take the place of, and its reader.

    ``read`` raises an InputError where something is missing or does not belong together.
    """

    name: str
    holds: Callable[[Path], bool]
    read: Callable[[Path], Found]
    files: Callable[[Path], Iterable[Path]]


def _phases(directory: Path) -> Found:
    phases, relayings = read_relayed(directory)
    return Found(phases, relayings, relayings[0] if relayings else None)


def _answers(directory: Path) -> Found:
    answered = read_answered(directory)
    return Found((), (answered,), answered)


def _walks(directory: Path) -> Found:
    walked = read_walked(directory)
    return Found((), (walked,), walked)


def _run(directory: Path) -> Found:
    run = read_run(directory)
    placed = read_placed(directory, run)
    return Found((run,), () if placed is None else (placed,))


_RUN = (*FILES, METRICS_TABLE, PLACEMENT)
_ANSWERS = (inference.INFERENCE, inference.LEDGER, inference.SCENARIO, inference.PLAN)

KINDS = (
    DirectoryKind(
        "a run with requests",
        lambda directory: bool(phases_of(directory)),
        _phases,
        lambda directory: [phase / name for phase in phases_of(directory) for name in (*_RUN, RELAYING, RELAYING_PLAN)],
    ),
    DirectoryKind(
        "answers",
        lambda directory: (directory / inference.INFERENCE).is_file(),
        _answers,
        lambda directory: [directory / name for name in _ANSWERS],
    ),
    DirectoryKind(
        "a training by walks",
        lambda directory: any((directory / name).is_file() for name in (WALK, WALK_TRACE)),
        _walks,
        lambda directory: [directory / name for name in WALK_FILES],
    ),
    # Last: files of runs lie in directories of other kinds too.
    DirectoryKind(
        "a run",
        lambda directory: any((directory / name).is_file() for name in FILES),
        _run,
        lambda directory: [directory / name for name in _RUN],
    ),
)


def kind_of(directory: Path) -> DirectoryKind:
    """Return which kind of directory it is.

    Raises:
        InputError: there is none, or it holds nothing that a report can be about.
    """
    for kind in KINDS:
        if kind.holds(directory):
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    raise InputError.one(
        str(directory),
        f"it holds nothing to report on ({known})" if directory.is_dir() else "there is no such directory",
        "give one that 'hffm train -o' or 'hffm infer -o' wrote",
    )


def files_in(directory: Path) -> list[Path]:
    """Return the files of a directory that a page must not take the place of."""
    return [path for kind in KINDS if kind.holds(directory) for path in kind.files(directory)]


@dataclass
class _Gathered:
    runs: list[Run] = field(default_factory=list)
    subjects: list[object] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def read_directories(directories: Sequence[Path], progress: Progress = lambda _: None) -> Found:
    """Read directories of any kinds, and tell which; the headline is about the first.

    Raises:
        InputError: no directory, or directories that are missing, incomplete or broken, all findings at once.
    """
    if not directories:
        raise InputError.one("RUN", "no run directory", "name at least one that 'hffm train' wrote")
    all_found, lead = _Gathered(), None
    for i, directory in enumerate(directories):
        progress(f"reading {directory}")
        try:
            found = kind_of(Path(directory)).read(Path(directory))
        except InputError as error:
            all_found.findings += error.findings
            all_found.sources += [error.source] if error.source else []
            continue
        all_found.runs += found.runs
        all_found.subjects += found.subjects
        lead = found.lead if i == 0 else lead
    if all_found.findings:
        raise InputError(all_found.findings, ", ".join(all_found.sources))
    return Found(tuple(all_found.runs), tuple(all_found.subjects), lead)
