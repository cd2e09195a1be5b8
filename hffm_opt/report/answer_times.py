"""Where the seconds and joules of answers went: computing and sending by tier, from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hffm_opt.report.answered import Answered
from hffm_opt.report.energy import BAND_NAMES
from hffm_opt.trace.inference import InferenceEntry

PART_NAMES = {
    "device": "computing on the device",
    "peer": "computing on a peer",
    "edge": "computing at the edge",
    "cloud": "computing in the cloud",
    **{band: BAND_NAMES[band] for band in ("d2d", "uplink", "downlink", "backhaul", "direct")},
    "waiting": "waiting",
}
PARTS = tuple(PART_NAMES)
_LINKS = {
    frozenset({"device", "peer"}): "d2d",
    frozenset({"peer"}): "d2d",
    frozenset({"edge", "cloud"}): "backhaul",
    frozenset({"device", "cloud"}): "direct",
    frozenset({"peer", "cloud"}): "direct",
}
_SAME = 1e-12  # relative to the clock: ends and starts that meet


def part_of(answered: Answered, entry: InferenceEntry, device: str) -> str:
    """Return the part that an entry of a request of ``device`` belongs to."""
    source, target = answered.tier(entry.source, device), answered.tier(entry.target, device)
    if entry.event == "compute":
        return source
    usual = "uplink" if target == "edge" else "downlink"
    return _LINKS.get(frozenset({source, target}), usual)


def mean_seconds(answered: Answered) -> dict[str, dict[str, float]]:
    """Return by class what a mean request waited for, in s by part; the parts add up to its latency."""
    found: dict[str, dict[str, float]] = {}
    for asked, device, requests in _by_class(answered):
        total: defaultdict[str, float] = defaultdict(float)
        for entries in requests:
            for entry, seconds in waited_for(entries):
                total["waiting" if entry is None else part_of(answered, entry, device)] += seconds / len(requests)
        found[asked] = dict(total)
    return found


def mean_joules(answered: Answered) -> dict[str, dict[str, float]]:
    """Return by class the joules of a mean request by part."""
    found: dict[str, dict[str, float]] = {}
    for asked, device, requests in _by_class(answered):
        total: defaultdict[str, float] = defaultdict(float)
        for entry in (entry for entries in requests for entry in entries):
            total[part_of(answered, entry, device)] += entry.joules / len(requests)
        found[asked] = dict(total)
    return found


def waited_for(entries: Sequence[InferenceEntry]) -> list[tuple[InferenceEntry | None, float]]:
    """Walk one request back in time from its end, each time to an entry that ended when the one just seen began.

    Computing and sending at the same time counts once. None stands for seconds in which nothing was under way.

    Example:
        >>> def entry(event, start_s, seconds):
        ...     return InferenceEntry("a", 0, event, "head", "watch", "edge", 0, 0, start_s, seconds, 0.0)
        >>> steps = waited_for([entry("compute", 1.0, 2.0), entry("compute", 1.0, 1.0), entry("send", 3.0, 0.5)])
        >>> [(step.event, seconds) for step, seconds in steps]
        [('send', 0.5), ('compute', 2.0)]
    """
    begun = min(entry.start_s for entry in entries)
    now = max(entry.start_s + entry.seconds for entry in entries)
    same = _SAME * (1.0 + now)
    done = sorted((entry for entry in entries if entry.seconds > 0), key=lambda entry: entry.start_s + entry.seconds)
    found: list[tuple[InferenceEntry | None, float]] = []
    while done and now > begun + same:
        entry = done.pop()
        end = entry.start_s + entry.seconds
        if end > now + same:
            continue
        if end < now - same:
            found.append((None, now - end))
        found.append((entry, min(now, end) - entry.start_s))
        now = entry.start_s
    return found


def _by_class(answered: Answered) -> Iterator[tuple[str, str, list[list[InferenceEntry]]]]:
    """Yield each class with the device that asks, and the entries of each of its requests."""
    found: dict[str, dict[int, list[InferenceEntry]]] = {part.name: {} for part in answered.plan.classes}
    for entry in answered.ledger:
        found[entry.name].setdefault(entry.request, []).append(entry)
    devices = {asked.spec.name: asked.spec.device for asked in answered.problem.classes}
    for name, requests in found.items():
        yield name, devices[name], list(requests.values())
