"""Further sections of the page, about what is no ordinary run of training: one view and one template each.

A kind of section is one entry of :data:`SECTIONS`: the class of its subjects, which the readers of
:mod:`hffm_opt.report.directories` return; a function that turns a subject into finished words, numbers and drawings;
and a template in ``templates/`` with the macro ``section(view, id, n)``, where ``id`` begins every identifier and ``n``
is :mod:`hffm_opt.report.numbers`. The sections stand in the order in which their subjects were read; their style is
``sections.css``, which pages about runs alone go without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hffm_opt.report.answered import Answered
from hffm_opt.report.inference import answers_view
from hffm_opt.report.lead import Lead
from hffm_opt.report.placed import Placed
from hffm_opt.report.placement_view import placement_view
from hffm_opt.report.relayed import Relaying
from hffm_opt.report.relaying_view import relaying_view
from hffm_opt.report.svg import Drawing
from hffm_opt.report.walk_view import walk_view
from hffm_opt.report.walked import Walked


class SectionView(Protocol):
    """What every view has, besides what its template shows."""

    @property
    def figures(self) -> Sequence[tuple[str, Drawing]]:
        """Its drawings with the names of their files."""

    @property
    def lead(self) -> Lead | None:
        """The headline of a page whose first directory this is about; None leaves it to the first run."""

    @property
    def provenance(self) -> Sequence[tuple[str, str]]:
        """Terms and descriptions for the end of the page; none where a run's own tell all."""


@dataclass(frozen=True)
class SectionKind:
    """A kind of section: its subjects, the template, and what makes the view of a subject.

    ``view`` takes the subject, what begins the identifiers of its drawings, and whether the page has several subjects
    of this kind, so that titles must name theirs.
    """

    subject: type
    view: Callable[[Any, str, bool], SectionView]
    template: str


SECTIONS = (
    SectionKind(Relaying, relaying_view, "relaying.html.j2"),
    SectionKind(Placed, placement_view, "placement.html.j2"),
    SectionKind(Answered, answers_view, "inference.html.j2"),
    SectionKind(Walked, walk_view, "walks.html.j2"),
)


@dataclass(frozen=True)
class Section:
    """A section of the page: what it is about, the view of it, and the template that shows it."""

    identity: str
    subject: object
    view: SectionView
    template: str


def sections_of(subjects: Sequence[object]) -> tuple[Section, ...]:
    """Return the sections of a page."""
    found = []
    for i, subject in enumerate(subjects):
        kind = next(kind for kind in SECTIONS if isinstance(subject, kind.subject))
        several = sum(isinstance(other, kind.subject) for other in subjects) > 1
        view = kind.view(subject, f"s{i}", several)
        found.append(Section(f"s{i}", subject, view, kind.template))
    return tuple(found)
