"""Which kind of file is which, so that one given in place of another is told in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from hffm_opt.errors import Finding

KINDS: dict[str, tuple[str, str, str]] = {
    "hffm-scenario": ("a scenario", "hffm scenarios tiny -o FILE", "hffm plan FILE"),
    "hffm-plan": ("a plan of training", "hffm plan S -o FILE", "hffm train S --plan FILE"),
    "hffm-inference-plan": ("a plan of inference", "hffm plan S --for inference -o FILE", "hffm infer S --plan FILE"),
    "hffm-relaying-plan": (
        "a plan of module relaying",
        "hffm plan S --for requests -o FILE",
        "hffm train S --plan FILE, S with its requests",
    ),
    "hffm-placement-plan": (
        "a placement of experts",
        "hffm plan S --for specialise -o FILE",
        "hffm train S --placement FILE",
    ),
    "hffm-walk-plan": ("a plan of walks", "hffm plan S --for walks -o FILE", "hffm train S --walk FILE"),
    "hffm-front": (
        "a front of many plans",
        "hffm plan S --objective pareto -o FILE",
        "hffm report RUN --front FILE, or one entry of its 'points' as a file",
    ),
    "hffm-exits": (
        "a calibration of early exits",
        "hffm infer S --calibrate DIR",
        "hffm plan S --for inference --exits DIR",
    ),
}
"""Format without its version to what such a file is, how it is made, and how it is used."""


def other_kind(data: Mapping[str, Any], model: type[BaseModel]) -> Finding | None:
    """Return what to do with a file of another kind than ``model`` reads; None where it may be of this kind.

    Outcomes are of the kind of the plan that they hold.

    >>> from hffm_opt.plan.walks import WalkPlan
    >>> other_kind({"plan": {"format": "hffm-plan/1"}}, WalkPlan).message
    'this is a plan of training, and a plan of walks is needed here'
    >>> other_kind({"format": "hffm-walk-plan/1"}, WalkPlan) is None
    True
    """
    inner = data.get("plan")
    given = _kind(data.get("format", inner.get("format") if isinstance(inner, Mapping) else None))
    needed = _needed(model)
    if given is None or needed is None or given == needed:
        return None
    (what, _, use), (wanted, made, _) = KINDS[given], KINDS[needed]
    return Finding(
        "(whole file)", f"this is {what}, and {wanted} is needed here", f"make one: {made}; this file is for: {use}"
    )


def _kind(told: object) -> str | None:
    kind = told.split("/")[0] if isinstance(told, str) else None
    return kind if kind in KINDS else None


def _needed(model: type[BaseModel]) -> str | None:
    if "format" in model.model_fields:
        return _kind(next(iter(get_args(model.model_fields["format"].annotation)), None))
    plan = model.model_fields.get("plan")
    inner = None if plan is None else plan.annotation
    return _needed(inner) if isinstance(inner, type) and issubclass(inner, BaseModel) else None
