"""A run with requests: the directories of its phases, and the copying of modules between each two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from hffm_opt.measurement.model import Costs
from hffm_opt.plan.module_relaying import RelayingPlan
from hffm_opt.report.run import Run, read_run
from hffm_opt.report.whole import refuse_strangers
from hffm_opt.serial import read_model
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.relaying import RELAYING, RELAYING_PLAN, RelayingTrace


@dataclass(frozen=True, eq=False)
class Relaying:
    """One event of module relaying in a run; ``phases`` and ``relayings`` are those of the whole run.

    ``plan`` is None where an earlier version of the package did not keep it.
    """

    name: str
    phase: Run
    plan: RelayingPlan | None
    trace: RelayingTrace
    phases: tuple[Run, ...]
    relayings: tuple[RelayingTrace, ...]


def phases_of(directory: Path) -> list[Path]:
    """Return the directories of a run's phases in order; none where it has no phases."""
    return sorted((path for path in directory.glob("phase-*") if path.is_dir()), key=lambda p: (len(p.name), p.name))


def read_relayed(directory: Path) -> tuple[tuple[Run, ...], tuple[Relaying, ...]]:
    """Read the phases of a run with requests, and what was copied after each.

    Raises:
        InputError: files are missing, broken, or do not belong together.
    """
    name = directory.resolve().name
    parts = phases_of(directory)
    runs = [replace(run, name=f"{name}/{run.name}") for run in map(read_run, parts)]
    events = [
        (run, *_read_event(part, run)) for part, run in zip(parts, runs, strict=True) if (part / RELAYING).is_file()
    ]
    traces = tuple(trace for _, _, trace in events)
    phases = tuple(_one_after_another(runs, traces))
    return phases, tuple(Relaying(name, run, plan, trace, phases, traces) for run, plan, trace in events)


def _one_after_another(runs: Sequence[Run], relayings: Sequence[RelayingTrace]) -> Iterator[Run]:
    """Yield phases with what had been spent when each began: on the phases before it and the copying between them."""
    spent: list[Costs | SpentCosts] = []
    for run, relaying in zip_longest(runs, relayings[: len(runs)]):
        yield replace(
            run,
            began=Costs(
                latency_s=sum(each.latency_s for each in spent),
                energy_j=sum(each.energy_j for each in spent),
                bits=sum(each.bits for each in spent),
            ),
        )
        spent += [run.measurement.measured] + ([] if relaying is None else [relaying.measured])


def _read_event(part: Path, run: Run) -> tuple[RelayingPlan | None, RelayingTrace]:
    path, planned = part / RELAYING, part / RELAYING_PLAN
    trace = read_model(path, RelayingTrace, "relaying")
    if not planned.is_file():
        return None, trace
    plan = read_model(planned, RelayingPlan, "relaying plan")
    meant = [(t.device, t.module, t.source) for t in plan.transfers if t.source is not None]
    done = [(copy.device, copy.module, copy.source) for copy in trace.copies]
    told = (run.measurement.fingerprint, trace.round, trace.method, done)
    fits = (plan.scenario.fingerprint, plan.round, plan.method, meant) == told
    refuse_strangers(part, {RELAYING_PLAN: fits}, "hffm train")
    return plan, trace
