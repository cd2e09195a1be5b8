"""The figures that the case study's authors published, to stand beside what the tool computes.

Source: arXiv 2509.03695; its table labels the energies kJ, in truth they are J.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario


@dataclass(frozen=True)
class PublishedRow:
    """Published latency in s and energy in J per round, and final accuracy (a share)."""

    latency_s: float
    energy_j: float
    accuracy: float


PUBLISHED: Mapping[str, PublishedRow] = MappingProxyType(
    {
        "star": PublishedRow(12.10, 387.20, 0.3789),
        "edge-only": PublishedRow(3.59, 59.25, 0.2748),
        "edge-only+d2d": PublishedRow(2.00, 14.75, 0.2748),
        "h-fedfm-2": PublishedRow(9.58, 107.65, 0.3865),
        "h-fedfm-8": PublishedRow(5.04, 71.35, 0.3625),
        "h-fedfm-2+d2d": PublishedRow(8.86, 67.57, 0.3865),
        "h-fedfm-8+d2d": PublishedRow(3.66, 27.92, 0.3625),
    }
)


def published_rows(scenario: Scenario) -> Mapping[str, PublishedRow]:
    """Return the published rows by method if a scenario is the published one to the bit, else none."""
    from hffm_opt.scenario.builtin import BUILTINS

    if scenario.physics.profile != "reference" or scenario.fingerprint() != BUILTINS["paper"]().fingerprint():
        return {}
    return PUBLISHED
