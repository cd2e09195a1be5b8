"""Greedy placement: classes one after another, the busiest first, each where it costs least beside those before it.

Of each class it tries every chain that moves away from the device in at most two steps: first segments on the device,
then some on a peer or the edge, the rest in the cloud or where the second step led.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hffm_opt.plan.inference.model import ClassPlan, InferencePlan
from hffm_opt.plan.inference.network import Asked, InferenceProblem
from hffm_opt.plan.inference.referee import evaluate_inference
from hffm_opt.scenario.model import CLOUD
from hffm_opt.solvers.heuristics.chains.fixed import placed


def two_step_chains(asked: Asked) -> Iterator[ClassPlan]:
    """Yield the placements of a class that leave the device once, and the node behind it at most once."""
    encoders = [part.name for part in asked.chain.encoders]
    steps = [encoders, *([part.name] for part in asked.chain.trunk)]
    for first in range(len(steps) + 1):
        for second in range(first, len(steps) + 1):
            for middle in asked.nodes[1:-1] if second > first else (CLOUD,):
                where = [asked.spec.device] * first + [middle] * (second - first) + [CLOUD] * (len(steps) - second)
                yield placed(asked, {name: node for names, node in zip(steps, where, strict=True) for name in names})


def greedy(inference: InferenceProblem, weights: tuple[float, float]) -> tuple[ClassPlan, ...]:
    """Return a placement; where no tried chain of a class keeps the limits, its cheapest one is taken regardless."""
    chosen: dict[str, ClassPlan] = {}
    for asked in sorted(inference.classes, key=lambda a: (-a.spec.rate_per_s, a.spec.name)):
        kept = tuple(a for a in inference.classes if a.spec.name in chosen or a is asked)
        part = replace(inference, classes=kept)

        def judged(candidate: ClassPlan, part: InferenceProblem = part) -> tuple[bool, float]:
            own = {**chosen, candidate.name: candidate}
            plans = tuple(own[a.spec.name] for a in part.classes)
            verdict = evaluate_inference(part, InferencePlan(scenario=part.reference, method="greedy", classes=plans))
            return not verdict.feasible, verdict.objective(*weights)

        chosen[asked.spec.name] = min(two_step_chains(asked), key=judged)
    return tuple(chosen[asked.spec.name] for asked in inference.classes)
