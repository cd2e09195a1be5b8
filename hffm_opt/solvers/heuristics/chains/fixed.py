"""One rule for all classes: everything in one place, or a split behind one fixed segment."""

from __future__ import annotations

from collections.abc import Callable

from hffm_opt.plan.inference.model import ClassPlan
from hffm_opt.plan.inference.network import Asked, InferenceProblem
from hffm_opt.scenario.model import CLOUD

Rule = Callable[[InferenceProblem], tuple[ClassPlan, ...]]
ENCODERS = "encoders"
"""The name of the split behind all encoders, ahead of the trunk."""


def placed(asked: Asked, nodes: dict[str, str]) -> ClassPlan:
    """Return the plan of a class with its exits as calibrated."""
    return ClassPlan(name=asked.spec.name, nodes=nodes, exits=asked.exits, open_answers=asked.open_answers)


def edge_of(asked: Asked) -> str:
    """Return the edge server of a class: the nodes that serve it end with edge and cloud."""
    return asked.nodes[-2]


def everywhere(where: Callable[[Asked], str]) -> Rule:
    """Return the rule that runs each class's whole chain on one node."""

    def rule(inference: InferenceProblem) -> tuple[ClassPlan, ...]:
        return tuple(placed(asked, dict.fromkeys(asked.chain.names, where(asked))) for asked in inference.classes)

    return rule


def split(behind: str, then: Callable[[Asked], str]) -> Rule:
    """Return the rule that runs all up to segment ``behind`` on the device and the rest on one node."""

    def rule(inference: InferenceProblem) -> tuple[ClassPlan, ...]:
        plans = []
        for asked in inference.classes:
            trunk = [part.name for part in asked.chain.trunk]
            kept = 0 if behind == ENCODERS else trunk.index(behind) + 1
            nodes = dict.fromkeys(asked.chain.names, asked.spec.device)
            plans.append(placed(asked, nodes | dict.fromkeys(trunk[kept:], then(asked))))
        return tuple(plans)

    return rule


def split_points(inference: InferenceProblem) -> tuple[str, ...]:
    """Return the points at which every class's chain can be cut: behind the encoders, and behind segments all have."""
    common = [{part.name for part in asked.chain.trunk[:-1]} for asked in inference.classes]
    first = inference.classes[0].chain.trunk[:-1]
    return (ENCODERS, *(part.name for part in first if all(part.name in names for names in common)))


def fixed_rules(inference: InferenceProblem) -> dict[str, Rule]:
    """Return all rules by method name: ``device-only``, ``edge-only``, ``cloud-only``, ``split-SEGMENT[-cloud]``."""
    rules = {
        "device-only": everywhere(lambda asked: asked.spec.device),
        "edge-only": everywhere(edge_of),
        "cloud-only": everywhere(lambda _: CLOUD),
    }
    for point in split_points(inference):
        name = f"split-{point.replace(' ', '-')}"
        rules |= {name: split(point, edge_of), f"{name}-cloud": split(point, lambda _: CLOUD)}
    return rules
