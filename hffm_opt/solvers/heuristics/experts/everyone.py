"""No specialists: every device trains every expert that it uses."""

from __future__ import annotations

from hffm_opt.plan.placement import PlacementProblem
from hffm_opt.problem.model import Bools


def everyone(placing: PlacementProblem, seed: int) -> Bools:
    """Return hosts [U, M]; limits are not looked at."""
    del seed
    return placing.uses.copy()
