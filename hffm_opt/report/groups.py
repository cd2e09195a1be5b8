"""Groups of modules that always travel together: what the colours of the maps stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hffm_opt.plan.circulation import Circulation
from hffm_opt.problem.model import Problem

GROUP_INKS = ("group1", "group2", "group3", "group4", "group5")
REST_INK = "compute"


@dataclass(frozen=True)
class ModuleGroup:
    """Modules that every plan of a run averages in the same rounds at the same tiers, and their colour."""

    name: str
    modules: tuple[str, ...]
    ink: str


def module_groups(problem: Problem, circulations: Iterable[Circulation]) -> tuple[ModuleGroup, ...]:
    """Return the groups, in the order of their first modules.

    There are colours for five; with more, the four heaviest keep theirs and all others share one.
    """
    plans = [{c.module: (c.d2d, c.edge, c.cloud) for c in circulation} for circulation in circulations]
    groups = grouped(problem, {module: tuple(plan[module] for plan in plans) for module in problem.modules})
    return groups if len(groups) > 1 else (replace(groups[0], name="all modules"),)


def grouped(problem: Problem, ways: Mapping[str, object]) -> tuple[ModuleGroup, ...]:
    """Return groups of the modules that go one way; ``ways`` has that of each, and colours are given as above."""
    found: dict[object, list[str]] = {}
    for module, way in ways.items():
        found.setdefault(way, []).append(module)
    groups = [tuple(modules) for modules in found.values()]
    payload = dict(zip(problem.modules, problem.payload_bit, strict=True))
    kept = groups
    if len(groups) > len(GROUP_INKS):
        heaviest = sorted(groups, key=lambda group: -sum(payload[module] for module in group))
        kept = [group for group in groups if group in heaviest[: len(GROUP_INKS) - 1]]
    named = [ModuleGroup(", ".join(group), group, ink) for group, ink in zip(kept, GROUP_INKS, strict=False)]
    rest = tuple(module for group in groups if group not in kept for module in group)
    return (*named, ModuleGroup("all other modules", rest, REST_INK)) if rest else tuple(named)


def bits_by_group(groups: Sequence[ModuleGroup], bits: Mapping[str, float]) -> tuple[float, ...]:
    """Return the bits of each group, given those of each module."""
    return tuple(sum(bits.get(module, 0.0) for module in group.modules) for group in groups)


def bits_by_module(problem: Problem, modules: Sequence[str], bits: float) -> dict[str, float]:
    """Return the bits of a message by module, parted as the payloads of its modules are.

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> problem = SimpleNamespace(modules=("a", "b"), payload_bit=np.array([3.0, 1.0]))
        >>> bits_by_module(problem, ("a", "b"), 8.0)
        {'a': 6.0, 'b': 2.0}
    """
    payload = dict(zip(problem.modules, map(float, problem.payload_bit), strict=True))
    total = sum(payload[module] for module in modules)
    if total <= 0:
        return {module: bits / len(modules) for module in modules}
    return {module: bits * payload[module] / total for module in modules}
