"""What the slider shows adds up to the ledger, stays small, and keeps every kind of round."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hffm_opt.report import Run
from hffm_opt.report.figures.replay import replay_map
from hffm_opt.report.groups import module_groups
from hffm_opt.report.in_force import plans_in_force
from hffm_opt.report.replay import OTHERS, Replay, replay
from hffm_opt.trace import Ledger


def replayed(run: Run, most: int = 10_000) -> Replay:
    plans = plans_in_force(run)
    return replay(run, plans, module_groups(run.problem, [plan.plan.circulation for plan in plans]), most)


def test_each_round_moves_what_the_trace_counts(runs: tuple[Run, ...]) -> None:
    for run in runs:
        found = replayed(run)
        assert [item.number for item in found.rounds] == [record.round for record in run.trace.rounds]
        for item, record in zip(found.rounds, run.trace.rounds, strict=True):
            moved = 1e3 * sum(sum(move.kilobits) for move in item.moves)
            assert moved == pytest.approx(record.bits, rel=1e-3)
            sent = [e for e in run.trace.ledger.entries() if e.round == record.round and e.event != "train"]
            assert sum(int(row[1]) for row in item.steps()) == len(item.moves) == len(sent)


def test_rounds_that_are_alike_are_kept_once(runs: tuple[Run, ...]) -> None:
    found = replayed(runs[0])
    data = json.loads(found.data({}, "x"))
    # Odd rounds go to the heads, even ones to the cloud.
    assert [row[:2] for row in data["rounds"]] == [[1, 0], [2, 1], [3, 0], [4, 1], [5, 0], [6, 1]]
    assert found.transfers == sum(map(len, data["patterns"]))


def test_a_long_run_is_thinned_by_an_odd_stride(runs: tuple[Run, ...]) -> None:
    whole = replayed(runs[0])
    thinned = replayed(runs[0], whole.transfers - 1)
    assert thinned.stride % 2 == 1 and len(thinned.rounds) < len(whole.rounds) == thinned.of
    assert thinned.transfers < whole.transfers
    records = tuple(
        record.model_copy(update={"round": 6 * turn + record.round})
        for turn in range(2000)
        for record in runs[0].trace.rounds
    )
    trace = runs[0].trace.model_copy(update={"rounds": records, "ledger": Ledger()})
    measured = runs[0].measurement.model_copy(update={"rounds": len(records)})
    kept = replayed(replace(runs[0], trace=trace, measurement=measured)).rounds
    assert len(kept) <= 5_000
    assert {item.kind for item in kept} == {"every 2nd round", "all rounds but each 2nd"}


def test_a_message_without_modules_is_shown_as_another(runs: tuple[Run, ...]) -> None:
    entries = list(runs[2].trace.ledger.entries())
    told = entries[-1]._replace(modules="", charged_bits=64_000)
    run = replace(runs[2], trace=runs[2].trace.model_copy(update={"ledger": Ledger.of([*entries, told])}))
    found = replayed(run)
    assert found.groups[-1] is OTHERS
    assert found.rounds[-1].moves[-1].kilobits[-1] == 64


def test_names_cannot_end_the_data(runs: tuple[Run, ...]) -> None:
    found = replayed(runs[0])
    hostile = "</script><script>alert(1)</script>"
    first = replace(found.rounds[0], tiers=hostile)
    data = replace(found, rounds=(first, *found.rounds[1:])).data({}, "x")
    assert "<" not in data and hostile in json.loads(data)["texts"]


def test_places_are_where_the_drawing_has_the_nodes(runs: tuple[Run, ...]) -> None:
    found = replayed(runs[0])
    drawing, places = replay_map(runs[0].problem, found, "x")
    width, height = (float(size) for size in drawing.svg.split('viewBox="0 0 ')[1].split('"')[0].split())
    assert all(0 < x < width and 0 < y < height for x, y in places.values())
    # Metres are equally long both ways, and up is up.
    devices = {device.name: device for device in runs[0].problem.scenario.devices}
    a, *_, b = devices
    metres = np.array([devices[b].x_m - devices[a].x_m, devices[a].y_m - devices[b].y_m])
    drawn = np.array(places[b]) - np.array(places[a])
    assert drawn[0] / metres[0] == pytest.approx(drawn[1] / metres[1], rel=1e-2)
    assert places["cloud"][1] < min(y for name, (_, y) in places.items() if name != "cloud")
