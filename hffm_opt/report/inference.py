"""Collaborative inference as rows of a table, for a report or a notebook."""

from __future__ import annotations

from typing import Any

from hffm_opt.plan.inference.model import InferenceOutcome
from hffm_opt.trace.inference import InferenceTrace


def placement_rows(outcome: InferenceOutcome) -> list[dict[str, Any]]:
    """Return one row per class: its name, and the segments that each node runs, in the order of the chain."""
    rows = []
    for part in outcome.plan.classes:
        by_node: dict[str, list[str]] = {}
        for segment, node in part.nodes.items():
            by_node.setdefault(node, []).append(segment)
        exits = [f"{place.after} ({place.share:.1%})" for place in part.exits]
        rows.append({"class": part.name, "nodes": by_node, "exits": exits})
    return rows


def answer_rows(trace: InferenceTrace) -> list[dict[str, Any]]:
    """Return one row per class: requests, accuracies, measured and predicted seconds and joules of a mean request."""
    return [
        {
            "class": found.name,
            "task": found.task,
            "requests": found.requests,
            "accuracy": found.accuracy,
            "accuracy_full": found.accuracy_full,
            "identical": found.identical == found.unsplit,
            "ended_early": 1.0 - found.unsplit / found.requests,
            "latency_s": found.measured.latency_s,
            "predicted_latency_s": found.predicted.latency_s,
            "energy_j": found.measured.energy_j,
            "predicted_energy_j": found.predicted.energy_j,
        }
        for found in trace.classes
    ]
