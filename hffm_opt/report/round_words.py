"""Kinds of round, and what is averaged in them, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hffm_opt.plan.circulation import Tier, kind_of_round

_MOST_NAMED = 4  # rounds that are named one by one


def rounds_of(kinds: Sequence[int], top: int) -> str:
    """Return which rounds are of some kinds, in words.

    >>> rounds_of((0,), 0), rounds_of((3,), 3), rounds_of((0, 1, 2), 3)
    ('every round', 'every 8th round', 'all rounds but each 8th')
    >>> rounds_of((1,), 3), rounds_of((0,), 4)
    ('rounds 2, 6 of each 8', 'rounds 1, 3, 5, … of each 16')
    """
    cycle = 1 << top
    last = "2nd" if cycle == 2 else f"{cycle}th"
    if len(kinds) == top + 1:
        return "every round"
    if tuple(kinds) == (top,):
        return f"every {last} round"
    if tuple(kinds) == tuple(range(top)):
        return f"all rounds but each {last}"
    found = [number for number in range(1, cycle + 1) if kind_of_round(number, top) in kinds]
    shown = ", ".join(map(str, found if len(found) <= _MOST_NAMED else [*found[:3], "…"]))
    return f"round{'s' if len(found) > 1 else ''} {shown} of each {cycle}"


def tier_words(tier_of_module: Mapping[str, Tier]) -> str:
    """Return where modules are averaged, in words."""
    places = {Tier.LOCAL: "nowhere", Tier.D2D: "at the heads", Tier.EDGE: "at the edges", Tier.CLOUD: "at the cloud"}
    parts = []
    for tier in sorted(set(tier_of_module.values())):
        modules = [module for module, found in tier_of_module.items() if found == tier]
        who = "all modules" if len(modules) == len(tier_of_module) else ", ".join(modules)
        parts.append(f"{who} averaged {places[tier]}")
    return "; ".join(parts)
