r"""How far the copies of a module stand apart after training, inside cells and between them.

    within^2  = sum_c p_c sum_{u in c} p_{u|c} ||w_u - w_c||^2 / s^2        w_c = sum_{u in c} p_{u|c} w_u
    between^2 = sum_c p_c ||w_c - w||^2 / g^2                               w = sum_c p_c w_c

over the owners of the module, p their shares by samples; s are the rounds since the copies of a cell were last alike
(after any average), g those since all were (after a cloud average), the round just trained included. So both are per
squared round, as the learning penalty Phi takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from hffm_opt.learning.aggregation import sample_weights
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.plan.circulation import Tier, kind_of_round, top_kind
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import in_force
from hffm_opt.problem.model import Problem
from hffm_opt.problem.radio import Floats
from hffm_opt.trace.model import Divergence


def divergences(
    problem: Problem, trained: StackedStates, plans: Sequence[tuple[int, Plan]], number: int
) -> dict[str, Divergence]:
    """Return the divergences of every module that several devices own.

    Args:
        problem: who owns what, and which cell serves whom.
        trained: what the training of the round has left, [U, ...].
        plans: the first round of each plan of the run, and the plan, in order.
        number: the round.
    """
    weights = sample_weights(problem)
    found = {}
    for m, module in enumerate(problem.modules):
        rows = np.flatnonzero(weights[:, m])
        if rows.size < 2:
            continue
        local, whole = (rounds_since(plans, m, number, tier) for tier in (Tier.D2D, Tier.CLOUD))
        within, between = _scatter(problem, trained.modules[module], weights[:, m])
        found[module] = Divergence(within=within / local**2, between=between / whole**2)
    return found


def _scatter(problem: Problem, state: Mapping[str, Tensor], weights: Floats) -> tuple[float, float]:
    """Return the weighted squared distances of the copies from their cells' means, and of these from their mean."""
    total = weights.sum()
    within = between = 0.0
    for tensor in state.values():
        means, shares = [], []
        for cell in problem.cells:
            rows = cell.members[weights[cell.members] > 0]
            if not rows.size:
                continue
            copies = tensor[rows.tolist()].double().flatten(1).cpu().numpy()
            share = weights[rows] / total
            mean = share @ copies / share.sum()
            within += float(share @ np.square(copies - mean).sum(axis=1))
            means.append(mean)
            shares.append(float(share.sum()))
        centre = np.array(shares) @ np.array(means)
        between += float(np.array(shares) @ np.square(np.array(means) - centre).sum(axis=1))
    return within, between


def rounds_since(plans: Sequence[tuple[int, Plan]], module: int, number: int, tier: Tier) -> int:
    """Return the rounds of training up to a round, since a tier or a deeper one last averaged a module before it."""
    for before in range(number - 1, 0, -1):
        plan = in_force(plans, before)
        kind = kind_of_round(before, top_kind(plan.circulation))
        if plan.circulation[module].tier_in_kind(kind) >= tier:
            return number - before
    return number
