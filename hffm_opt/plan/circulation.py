"""Circulation: how often, and how deep in the hierarchy, each module is averaged.

A module has three periods in rounds, dyadic or never: ``d2d`` (inside the D2D cluster, at its head), ``edge`` (at the
edge server) and ``cloud``. Finite ones divide each other upwards. In round k (counted from 1) the deepest tier whose
period divides k averages the module. Because periods are powers of two, what happens in round k depends only on
``min(v2(k), K)``, the exponent of two in k: the *kind* of the round, 0..K, with K = log2 of the longest period.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Frozen, Name

# Far beyond any horizon; the referee walks a whole cycle, so an absurd period must not reach it.
LONGEST_PERIOD = 1 << 16
Period = Annotated[int, Field(ge=1, le=LONGEST_PERIOD)] | None


class Tier(IntEnum):
    """How deep a module travels in a round."""

    LOCAL = 0
    D2D = 1
    EDGE = 2
    CLOUD = 3


class ModuleCirculation(Frozen):
    """The three nested periods of one module; ``None`` is never.

    Example:
        >>> ModuleCirculation(module="adapters", d2d=1, edge=4, cloud=8).tier_in_kind(2).name
        'EDGE'
    """

    module: Name
    d2d: Period = None
    edge: Period = None
    cloud: Period = None

    @model_validator(mode="after")
    def _nested(self) -> ModuleCirculation:
        finite = [p for p in (self.d2d, self.edge, self.cloud) if p is not None]
        if any(p & (p - 1) for p in finite):
            raise ValueError(f"periods of '{self.module}' must be powers of two or null, got {finite}")
        if finite != sorted(finite):
            raise ValueError(f"periods of '{self.module}' must not shrink upwards (d2d <= edge <= cloud), got {finite}")
        return self

    def tier_in_kind(self, kind: int) -> Tier:
        """Return the tier that averages the module in rounds of a kind."""
        for tier, period in ((Tier.CLOUD, self.cloud), (Tier.EDGE, self.edge), (Tier.D2D, self.d2d)):
            if period is not None and (1 << kind) % period == 0:
                return tier
        return Tier.LOCAL

    @property
    def local_rounds(self) -> int | None:
        """I_m: rounds between averages of any tier; None if there are none."""
        finite = [p for p in (self.d2d, self.edge, self.cloud) if p is not None]
        return min(finite, default=None)


Circulation = tuple[ModuleCirculation, ...]


def top_kind(circulation: Circulation) -> int:
    """Return K, the last kind of round: log2 of the longest finite period (0 where there is none)."""
    periods = [p for c in circulation for p in (c.d2d, c.edge, c.cloud) if p is not None]
    return max(periods, default=1).bit_length() - 1


def kind_of_round(number: int, top: int) -> int:
    """Return the kind of round ``number`` (from 1): the exponent of two in it, at most ``top``."""
    return min((number & -number).bit_length() - 1, top)


def tiers(circulation: Circulation, kind: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the tier of every module (in the circulation's order) in rounds of a kind."""
    return np.array([int(c.tier_in_kind(kind)) for c in circulation], dtype=np.int64)


def hands_in(problem: Problem, circulation: Circulation) -> bool:
    """Return whether a run ends with the published collection: its arithmetic, and no module ever at the cloud."""
    return problem.published and all(c.cloud is None for c in circulation)


def uniform(problem: Problem, d2d: int | None, edge: int | None, cloud: int | None) -> Circulation:
    """Return the circulation that treats all modules of a problem alike."""
    return tuple(ModuleCirculation(module=name, d2d=d2d, edge=edge, cloud=cloud) for name in problem.modules)


def drift(problem: Problem, circulation: Circulation) -> float:
    """Return the learning penalty ``Phi = sum_m (I_m^2 - 1) eps_within^2 + (G_m^2 - 1) eps_between^2``.

    I_m are the rounds between any averages of m, G_m those between cloud averages; "never", and whatever is longer than
    the horizon, counts as the horizon.

    Source: the shape of two-level local-SGD bounds (Wang et al., arXiv 2010.12998) and of module-wise bounds (HSFL,
    arXiv 2412.07197); the weights are the mean importance of the module's tasks, held in the divergences.
    """
    horizon = problem.scenario.planning.horizon_rounds
    local = np.array([c.local_rounds or horizon for c in circulation], dtype=float)
    cloud = np.array([c.cloud or horizon for c in circulation], dtype=float)
    local, cloud = np.minimum(local, horizon), np.minimum(cloud, horizon)
    within = (local**2 - 1) * problem.divergence_within**2
    between = (cloud**2 - 1) * problem.divergence_between**2
    return float(within.sum() + between.sum())
