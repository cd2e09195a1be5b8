"""Where a run's seconds went: every instant is given to the one activity that was being waited for, from the ledger."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from hffm_opt.report.run import Run
from hffm_opt.trace.ledger import LedgerEntry

PARTS = ("train", "gather", "scatter", "uplink", "backhaul", "downlink", "relay", "waiting")
PART_NAMES = {
    "train": "training on devices",
    "gather": "gather at the heads",
    "scatter": "scatter from the heads",
    "uplink": "uplink",
    "backhaul": "backhaul edge to cloud",
    "downlink": "downlink",
    "relay": "fetching experts",
    "waiting": "waiting for other cells",
}
_BACKHAUL = {"backhaul-up": "backhaul", "backhaul-down": "backhaul"}
_SAME = 1e-9  # relative to the run's length: ends and starts that meet


def latency_parts(run: Run) -> dict[str, dict[str, float]]:
    """Return the seconds of every cell by part; those of a cell add up to the whole run."""
    by_cell: dict[str, list[LedgerEntry]] = {cell.edge.name: [] for cell in run.problem.cells}
    for entry in run.trace.ledger.entries():
        by_cell.setdefault(entry.cell, []).append(entry)
    end_s = run.measurement.measured.latency_s
    return {cell: path_parts(entries, end_s) for cell, entries in by_cell.items()}


def longest_path(run: Run) -> dict[str, float]:
    """Return the seconds by part of the chain of activities through all cells that made the run as long as it was."""
    return path_parts(run.trace.ledger.entries(), run.measurement.measured.latency_s)


def path_parts(entries: Iterable[LedgerEntry], end_s: float) -> dict[str, float]:
    """Walk back in time from the end, each time to an activity that ended when the one just seen began.

    An activity of the same cell comes before one of another. Where none had just ended, the time back to the end of the
    last one is waiting. So the parts are a partition of the seconds from 0 to ``end_s``.

    Example:
        >>> def entry(event, start_s, seconds):
        ...     return LedgerEntry(1, event, "edge-0", "a", "b", "m", 8, 8, start_s, seconds, 0.0)
        >>> path_parts([entry("train", 0.0, 2.0), entry("train", 0.0, 1.0), entry("uplink", 3.0, 0.5)], 4.0)
        {'waiting': 1.5, 'uplink': 0.5, 'train': 2.0}
    """
    same = _SAME * max(end_s, 1e-300)
    done = sorted((e for e in entries if e.seconds > same), key=lambda e: e.start_s + e.seconds)
    ends = [e.start_s + e.seconds for e in done]
    found: defaultdict[str, float] = defaultdict(float)
    now, cell = end_s, ""
    while now > same:
        last = bisect_right(ends, now + same) - 1
        if last < 0:
            found["waiting"] += now
            break
        if ends[last] < now - same:
            found["waiting"] += now - ends[last]
            now = ends[last]
        chosen = _ended(done, ends, last, now - same, cell)
        start = min(chosen.start_s, now)
        found[_BACKHAUL.get(chosen.event, chosen.event)] += now - max(start, 0.0)
        now, cell = start, chosen.cell
    return dict(found)


def _ended(done: Sequence[LedgerEntry], ends: Sequence[float], last: int, after: float, cell: str) -> LedgerEntry:
    """Return one of the entries that ended last: of the same cell if there is one."""
    first = last
    while first > 0 and ends[first - 1] >= after:
        first -= 1
    return next((entry for entry in done[first : last + 1] if entry.cell == cell), done[last])
