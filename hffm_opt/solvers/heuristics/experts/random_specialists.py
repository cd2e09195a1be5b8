"""Specialists drawn at random, as many experts on each device as fit."""

from __future__ import annotations

import math

import numpy as np

from hffm_opt.plan.placement import PlacementProblem
from hffm_opt.problem.model import Bools
from hffm_opt.seeds import derive


def random_specialists(placing: PlacementProblem, seed: int) -> Bools:
    """Return hosts [U, M] drawn at random within all limits; whoever comes last takes what nobody has yet."""
    rng = derive(seed, "random specialists")
    count = len(placing.experts)
    hosted: Bools = np.zeros((placing.devices, count), dtype=bool)
    most = placing.settings.experts_per_device or count
    time_s = placing.settings.max_train_s or math.inf
    for u in rng.permutation(np.flatnonzero(placing.uses.any(axis=1))).tolist():
        missing = np.asarray(hosted.sum(axis=0) == 0)
        order = sorted(rng.permutation(np.flatnonzero(placing.uses[u])).tolist(), key=lambda m: not missing[m])
        for m in order:
            wanted = hosted[u] | (np.arange(count) == m)
            fits = placing.bits @ wanted <= placing.room[u] and placing.base_s[u] + placing.time_s[u] @ wanted <= time_s
            if wanted.sum() <= most and fits:
                hosted[u] = wanted
    return hosted
