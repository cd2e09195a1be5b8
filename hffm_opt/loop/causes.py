"""Why a plan is looked at again, in words: what is known now and was not when it was made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hffm_opt.scenario.conditions import Conditions, factor_of_link
from hffm_opt.units import linear_to_db

NOTICED_DB = 0.1
"""Change of a gain below which it is not told."""
NOTICED_SHARE = 0.05
"""Relative change of a speed or a divergence below which it is not told."""
_NAMED = 3


def causes(before: Conditions, now: Conditions) -> tuple[str, ...]:
    """Return what has changed from one set of conditions to another; nothing where nothing has worth telling.

    Example:
        >>> causes(Conditions(), Conditions(absent=("device-0",)))
        ('device-0 left',)
    """
    return tuple(
        text
        for part in (_presence(before, now), _links(before, now), _speeds(before, now), _divergence(before, now))
        for text in part
    )


def _named(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _presence(before: Conditions, now: Conditions) -> Iterator[str]:
    left = sorted(set(now.absent) - set(before.absent))
    joined = sorted(set(before.absent) - set(now.absent))
    for names, word in ((left, "left"), (joined, "joined")):
        if names:
            yield f"{_named(names)} {word}"


def _links(before: Conditions, now: Conditions) -> Iterator[str]:
    old, new = factor_of_link(before.gains), factor_of_link(now.gains)
    failed, back, changed = [], [], []
    for pair in sorted({*old, *new}):
        was, is_now = old.get(pair, 1.0), new.get(pair, 1.0)
        if was > 0 and is_now == 0:
            failed.append(pair)
        elif was == 0 and is_now > 0:
            back.append(pair)
        elif is_now > 0 and abs(linear_to_db(is_now / was)) >= NOTICED_DB:
            changed.append((linear_to_db(is_now / was), pair))
    if failed:
        yield f"{_link_words(failed)[0]} failed"
    if back:
        who, count = _link_words(back)
        yield f"{who} {'is' if count == 1 else 'are'} back"
    if changed:
        yield _changed_words(changed)


def _link_words(pairs: list[tuple[str, str]]) -> tuple[str, int]:
    """Name links, both directions of one as one, and count them."""
    names = list(dict.fromkeys(f"{min(pair)} - {max(pair)}" for pair in pairs))
    return f"{'link' if len(names) == 1 else 'links'} {_named(names)}", len(names)


def _changed_words(changed: list[tuple[float, tuple[str, str]]]) -> str:
    """Tell the one node that all changed links share, if there is one."""
    shared = set.intersection(*(set(pair) for _, pair in changed))
    low, high = min(value for value, _ in changed), max(value for value, _ in changed)
    levels = f"{low:+.1f} dB" if math.isclose(low, high, abs_tol=NOTICED_DB) else f"{low:+.1f} to {high:+.1f} dB"
    who = f"links of {min(shared)}" if len(shared) == 1 else _link_words([pair for _, pair in changed])[0]
    return f"{who} changed by {levels}"


def _speeds(before: Conditions, now: Conditions) -> Iterator[str]:
    old = {item.device: item.factor for item in before.speeds}
    new = {item.device: item.factor for item in now.speeds}
    for device in sorted({*old, *new}):
        ratio = new.get(device, 1.0) / old.get(device, 1.0)
        if abs(ratio - 1.0) >= NOTICED_SHARE:
            yield f"{device} computes at {ratio:.3g} times its speed before"


def _divergence(before: Conditions, now: Conditions) -> Iterator[str]:
    old = {item.module: item for item in before.divergence}
    moved = []
    for item in now.divergence:
        was = old.get(item.module)
        if was is None or any(
            abs(new - known) > NOTICED_SHARE * max(known, 1e-12)
            for new, known in ((item.within, was.within), (item.between, was.between))
        ):
            moved.append(item.module)
    if moved:
        yield f"divergence measured of {_named(moved)}"
