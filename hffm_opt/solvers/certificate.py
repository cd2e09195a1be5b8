"""What a proven bound says of a plan, once the referee has found the plan's value."""

from __future__ import annotations

from typing import Any

from hffm_opt.plan.outcome import relative_gap


def certificate(method: str, value: float, bound: float) -> tuple[float, float]:
    """Return a proven bound, at most the value, and the relative gap to it.

    Args:
        method: what proved it.
        value: what the referee finds, in the objective's unit.
        bound: what no plan falls below, in the same unit.

    Raises:
        RuntimeError: the bound exceeds the value by more than rounding, so that one of the two is wrong.

    Example:
        >>> certificate("optimal", 4.0, 3.0)
        (3.0, 0.25)
    """
    # Rounding between the solver's figures and the referee's must not make a bound exceed the value.
    if bound > value * (1 + 1e-6) + 1e-12:
        raise RuntimeError(f"{method}: proven bound {bound!r} exceeds the referee's value {value!r}")
    bound = min(bound, value)
    return bound, relative_gap(value, bound)


def within(left: float, gap: float) -> bool:
    """Return whether the gap that is left is the one asked for, up to rounding.

    >>> within(0.01, 0.01), within(0.011, 0.01)
    (True, False)
    """
    return left <= gap * (1 + 1e-6) + 1e-9


def certified(method: str, value: float, bound: float, gap: float) -> dict[str, Any]:
    """Return what a plan's certificate says as its fields ``bound``, ``gap`` and ``status``.

    Args:
        method, value, bound: as for :func:`certificate`.
        gap: the relative gap that was asked for; a plan that is not within it met another limit first.

    Example:
        >>> certified("optimal", 4.0, 3.0, 0.01)
        {'bound': 3.0, 'gap': 0.25, 'status': 'limit'}
    """
    bound, left = certificate(method, value, bound)
    return {"bound": bound, "gap": left, "status": "optimal" if within(left, gap) else "limit"}
