"""What the page says of copied modules is what was planned and what the ledger has."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from section_cases import NEW

from hffm_opt.errors import InputError
from hffm_opt.report import numbers, render_report
from hffm_opt.report.relayed import Relaying, read_relayed
from hffm_opt.report.relaying_view import relaying_view
from hffm_opt.report.repeats import run_groups


@pytest.fixture(scope="module")
def event(relayed: Path) -> Relaying:
    phases, (found,) = read_relayed(relayed)
    assert [run.rounds for run in phases] == [2, 2]
    return found


def test_every_transfer_has_its_row(event: Relaying) -> None:
    view = relaying_view(event, "s0", several=False)
    assert event.plan is not None and len(view.rows) == len(event.plan.transfers) == 2
    entries = list(event.trace.ledger.entries())
    for row, transfer, copy in zip(view.rows, event.plan.transfers, event.trace.copies, strict=True):
        assert (row.device, row.module) == (NEW, transfer.module)
        assert row.path.split(" → ") == [str(transfer.source), *(hop.target for hop in transfer.hops)]
        assert row.source.startswith(str(transfer.source))
        assert row.misfit == numbers.number(transfer.misfit or 0.0)
        assert row.arrived == numbers.seconds(copy.arrived_s)
        mine = [entry for entry in entries if entry.modules == transfer.module]
        assert row.energy == numbers.joules(sum(entry.joules for entry in mine))
    assert [row[1] for row in view.costs][:2] == [
        numbers.seconds(event.trace.predicted.latency_s),
        numbers.joules(event.trace.predicted.energy_j),
    ]
    assert view.verdict.startswith("Proven optimal") and numbers.number(event.plan.bound or 0.0, 6) in view.proof


def test_modules_that_took_the_same_paths_share_a_colour(event: Relaying) -> None:
    view = relaying_view(event, "s0", several=False)
    entries = list(event.trace.ledger.entries())
    ways = {m: [(e.source, e.target) for e in entries if e.modules == m] for m in {e.modules for e in entries}}
    assert len(view.groups) == len({str(way) for way in ways.values()})
    assert view.drawing is not None
    for group in view.groups:
        assert f"var(--{group.ink})" in view.drawing.svg
    assert NEW in view.drawing.svg


def test_the_headline_adds_up_phases_and_copies(event: Relaying) -> None:
    lead = relaying_view(event, "s0", several=False).lead
    parts = [*(p.measurement.measured for p in event.phases), event.trace.measured]
    assert lead.tiles[0].value == numbers.seconds(sum(part.latency_s for part in parts))
    assert lead.claim == "4 rounds, 2 modules copied after round 2" and lead.warnings == ()
    stopped = replace(event, phases=event.phases[:1])
    assert "stopped early" in relaying_view(stopped, "s0", several=False).lead.warnings[0]


def test_a_phase_goes_on_where_the_phase_before_and_the_copying_ended(event: Relaying) -> None:
    first = event.phases[0]
    assert first.began is not None and first.began.latency_s == 0.0
    spent = first.measurement.measured, event.trace.measured
    for group, began in zip(run_groups(event.phases), ((), spent), strict=True):
        points = group.first.measurement.curve
        assert [p.clock_s for p in group.curve] == [sum(c.latency_s for c in began) + p.clock_s for p in points]
        assert [p.energy_j for p in group.curve] == [sum(c.energy_j for c in began) + p.energy_j for p in points]
    page = render_report(event.phases)
    assert "each begins where the phase before it" in page and "These runs are of different scenarios" not in page


def test_modules_that_begin_from_scratch_come_from_nobody(event: Relaying) -> None:
    assert event.plan is not None
    kept, other = event.plan.transfers
    plan = event.plan.model_copy(
        update={"transfers": (other.model_copy(update={"source": None, "hops": (), "misfit": None}), kept)}
    )
    done = [copy for copy in event.trace.copies if copy.module == kept.module]
    ledger = event.trace.ledger.of([e for e in event.trace.ledger.entries() if e.modules == kept.module])
    trace = event.trace.model_copy(update={"copies": tuple(done), "ledger": ledger})
    rows = relaying_view(replace(event, plan=plan, trace=trace), "s0", several=False).rows
    assert [row.source.startswith("nobody") for row in rows] == [True, False]


def test_runs_of_earlier_versions_are_shown_without_certificate(relayed: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(relayed, tmp_path / "old"))
    (old / "phase-0" / "relaying-plan.json").unlink()
    _, (found,) = read_relayed(old)
    view = relaying_view(found, "s0", several=True)
    assert (view.verdict, view.label) == ("No certificate kept", "old")
    assert [row.misfit for row in view.rows] == ["—", "—"]


def test_a_plan_of_another_run_is_refused(relayed: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(relayed, tmp_path / "other"))
    path = other / "phase-0" / "relaying-plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"round": 3}))
    with pytest.raises(InputError, match=r"relaying-plan\.json: it belongs to another run"):
        read_relayed(other)
