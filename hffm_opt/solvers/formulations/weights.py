"""What a search over circulations weighs and keeps to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hffm_opt.problem.radio import Floats

State = tuple[int, ...]
RoundsTo = Callable[[ArrayLike], Floats]
"""N(Phi), the rounds to a target accuracy: nondecreasing, infinite where it is out of reach."""


@dataclass(frozen=True)
class Weights:
    """Objective weights and limits per round, and the limit on Phi (``inf``: none).

    With ``rounds`` the objective is ``N(Phi) (w_L latency + w_E energy)``, and ``drift`` is 0.
    """

    latency: float
    energy: float
    drift: float
    max_latency_s: float = np.inf
    max_energy_j: float = np.inf
    max_drift: float = np.inf
    rounds: RoundsTo | None = None

    def factor(self, phi: float) -> float:
        """Return by what a cost per round counts at a learning penalty: N(Phi), or 1."""
        return 1.0 if self.rounds is None else float(self.rounds(phi))

    def per_round(self) -> Weights:
        """Return the weights of a round's cost alone, over the circulations that reach the target."""
        rounds = self.rounds
        if rounds is None:
            return self
        return replace(self, rounds=lambda phi: np.where(np.isfinite(rounds(phi)), 1.0, np.inf))
