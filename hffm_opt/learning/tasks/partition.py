"""Which device holds which samples: exact counts, with answers as unevenly spread as a Dirichlet law says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.learning.tasks.values import Int64Array, TaskData
from hffm_opt.scenario.heterogeneity import answer_law, device_stream
from hffm_opt.seeds import derive


def partition(data: TaskData, samples_per_device: Sequence[int], alpha: float, seed: int) -> tuple[Int64Array, ...]:
    """Return the indices into ``data`` that each device holds, disjoint and exactly as many as asked for.

    Device u draws the law of its answers ``q_u ~ Dirichlet(alpha, ..., alpha)`` over the answers that occur
    in ``data`` and its samples from q_u without replacement. Where an answer runs out, q_u is restricted to
    the answers that are left, so the devices keep their laws best while ``data`` is well above the sum of the
    counts.

    Args:
        data: the samples to share out.
        samples_per_device: how many samples each device gets; zero is allowed.
        alpha: concentration, above 0; small is uneven (0.1 gives a device a few answers), large is even.
        seed: root seed; the law of device u depends on (seed, u) alone.

    Returns:
        One int64 array per device.

    Raises:
        InputError: a count is negative, alpha is not a positive number, or ``data`` is too small.

    The law is that of :mod:`hffm_opt.scenario.heterogeneity`.
    """
    counts = [int(count) for count in samples_per_device]
    findings = [
        Finding(f"samples_per_device[{device}]", f"{count} samples are asked for", "use 0 or more")
        for device, count in enumerate(counts)
        if count < 0
    ]
    if not (np.isfinite(alpha) and alpha > 0):
        findings.append(Finding("alpha", f"{alpha} is no concentration", "use a finite number above 0"))
    if not findings and sum(counts) > len(data):
        findings.append(
            Finding(
                "samples_per_device",
                f"{sum(counts)} samples are asked for and {len(data)} exist",
                "make a larger split or ask for fewer samples; no sample is used twice",
            )
        )
    if findings:
        raise InputError(findings)

    answers = np.unique(data.answers)
    pools = [
        list(derive(seed, "partition", "pool", int(answer)).permutation(np.flatnonzero(data.answers == answer)))
        for answer in answers
    ]
    shares: list[Int64Array] = []
    for device, count in enumerate(counts):
        rng = device_stream(seed, device)
        law = answer_law(rng, len(answers), alpha)
        share: list[int] = []
        while len(share) < count:
            left = np.array([len(pool) for pool in pools], dtype=np.float64)
            weights = np.where(left > 0, law, 0.0)
            # A law whose answers have all run out carries no more information: go on with what is left.
            weights = weights if weights.sum() > 0 else left
            wanted = rng.multinomial(count - len(share), weights / weights.sum())
            for pool, number in zip(pools, wanted, strict=True):
                share += [pool.pop() for _ in range(min(int(number), len(pool)))]
        shares.append(rng.permutation(np.array(share, dtype=np.int64)))
    return tuple(shares)
