"""Every second of a run is given to exactly one part, along a chain of activities that really follow each other."""

from __future__ import annotations

import numpy as np
import pytest

from hffm_opt.report import Run
from hffm_opt.report.figures.bars import PART_LOOKS
from hffm_opt.report.latency import PART_NAMES, PARTS, latency_parts, longest_path, path_parts
from hffm_opt.trace import LedgerEntry


def entry(event: str, cell: str, start_s: float, seconds: float) -> LedgerEntry:
    return LedgerEntry(1, event, cell, "a", "b", "m", 8, 8, start_s, seconds, 0.0)


# Cell x trains 2 s, gathers and sends; y trains 5 s and sends; then both get the cloud's average at once.
X = [
    entry("train", "x", 0.0, 2.0),
    entry("train", "x", 0.0, 1.0),
    entry("gather", "x", 2.0, 0.5),
    entry("backhaul-up", "x", 2.5, 1.0),
    entry("backhaul-down", "x", 6.0, 0.5),
    entry("downlink", "x", 6.5, 0.25),
]
Y = [entry("train", "y", 0.0, 5.0), entry("backhaul-up", "y", 5.0, 1.0), entry("backhaul-down", "y", 6.0, 0.5)]


def test_a_cell_waits_for_the_slower_one() -> None:
    assert path_parts(X, 6.75) == {"train": 2.0, "gather": 0.5, "backhaul": 1.5, "waiting": 2.5, "downlink": 0.25}
    assert path_parts(Y, 6.75) == {"train": 5.0, "backhaul": 1.5, "waiting": 0.25}


def test_the_longest_path_goes_through_the_slower_cell_and_waits_for_nobody() -> None:
    assert path_parts([*X, *Y], 6.75) == {"train": 5.0, "backhaul": 1.5, "downlink": 0.25}


def test_parts_add_up_whatever_the_ledger_says(runs: tuple[Run, ...]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        spans = np.sort(rng.uniform(0, 10, (20, 2)), axis=1)
        events = rng.choice(["train", "gather", "uplink"], 20)
        cells = rng.choice(["x", "y"], 20)
        made = [entry(e, c, a, b - a) for e, c, (a, b) in zip(events, cells, spans, strict=True)]
        assert sum(path_parts(made, 11.0).values()) == pytest.approx(11.0, rel=1e-12)
    for run in runs:
        end_s = run.measurement.measured.latency_s
        for parts in (*latency_parts(run).values(), longest_path(run)):
            assert sum(parts.values()) == pytest.approx(end_s, rel=1e-9)
            assert parts.keys() <= set(PARTS)


def test_every_part_has_a_name_and_a_look() -> None:
    assert list(PART_NAMES) == list(PART_LOOKS) == list(PARTS)
