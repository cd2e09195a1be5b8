"""What the page says of answers: every piece in its place, and parts that add up to what was measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hffm_opt.errors import InputError
from hffm_opt.plan.inference import Exit
from hffm_opt.report import numbers
from hffm_opt.report.answer_times import mean_joules, mean_seconds
from hffm_opt.report.answered import Answered, read_answered
from hffm_opt.report.inference import answers_view, messages_of, pieces_of
from hffm_opt.trace.inference import read_inference


@pytest.fixture(scope="module")
def answered(answers: Path) -> Answered:
    return read_answered(answers)


def test_the_directory_has_all_that_was_run(answers: Path, answered: Answered) -> None:
    trace, ledger = read_inference(answers)
    assert answered.trace == trace and answered.ledger == tuple(ledger)
    assert answered.outcome is not None and answered.outcome.plan == answered.plan
    assert sum(entry.joules for entry in ledger) == pytest.approx(
        sum(found.requests * found.measured.energy_j for found in trace.classes), rel=1e-9
    )


def test_the_parts_of_a_request_add_up_to_what_was_measured(answered: Answered) -> None:
    seconds, joules = mean_seconds(answered), mean_joules(answered)
    for found in answered.trace.classes:
        assert sum(seconds[found.name].values()) == pytest.approx(found.measured.latency_s, rel=1e-9)
        assert sum(joules[found.name].values()) == pytest.approx(found.measured.energy_j, rel=1e-9)
        assert "waiting" not in seconds[found.name]
    # The first class runs everywhere, the second at the edge alone.
    assert {"peer", "edge", "cloud", "uplink", "backhaul"} <= seconds["digits-asked"].keys()
    assert seconds["shapes-asked"].keys() == {"edge", "uplink", "downlink"}


def test_every_piece_is_drawn_once_where_it_ran(answered: Answered) -> None:
    for asked, part, result in zip(
        answered.problem.classes, answered.plan.classes, answered.trace.classes, strict=True
    ):
        pieces, encoders = pieces_of(asked, part, result.ended)
        placed = [(segment, piece.node) for piece in pieces for segment in piece.segments]
        assert sorted(placed) == sorted(part.nodes.items())
        trunk = [segment for piece in pieces[encoders:] for segment in piece.segments]
        assert trunk == [segment.name for segment in asked.chain.trunk]
        # What the first request sent, once for each message, however many links it crossed.
        sent = {
            (e.segments, e.source if e.segments == "input" else "", e.charged_bits)
            for e in answered.ledger
            if (e.name, e.request, e.event) == (asked.spec.name, 0, "send")
        }
        messages = messages_of(asked, part, pieces, encoders)
        assert sorted(message.bits for message in messages) == sorted(bits for _, _, bits in sent)


def test_an_exit_ends_a_piece(answered: Answered) -> None:
    from dataclasses import replace

    asked, part = answered.problem.classes[1], answered.plan.classes[1]
    place = Exit(after="layer 1", threshold=0.5, share=0.25, flop=1.0, weight_bit=8)
    pieces, encoders = pieces_of(replace(asked, exits=(place,)), part, {"layer 1": 0.5, "head": 0.5})
    assert [(piece.segments[-1], piece.ends, piece.early) for piece in pieces[encoders:]] == [
        ("layer 1", 0.5, True),
        ("head", 0.5, False),
    ]


def test_the_section_shows_what_was_measured_beside_what_was_predicted(answered: Answered) -> None:
    view = answers_view(answered, "s0", several=False)
    for row, chain, found in zip(view.rows, view.chains, answered.trace.classes, strict=True):
        assert row.latency[:2] == (
            numbers.seconds(found.measured.latency_s),
            numbers.seconds(found.predicted.latency_s),
        )
        assert row.latency[2].startswith("below") and row.energy[2].startswith("below")
        assert row.identical == "2 of 2" and row.accuracy == row.unsplit
        assert [ended for _, ended, _ in chain.ends] == ["100.0\u202f%"]
    first = view.chains[0].drawing
    for name in ("device-0-0", "device-0-1", "edge-0", "cloud", "encode image", "head"):
        assert name in first.svg
    assert "encode text on device-0-0" in first.label and "encode image on device-0-1" in first.label
    assert view.lead.warnings == () and "to the last bit" in view.lead.notes[0]


@pytest.mark.parametrize("name", ["scenario.yaml", "plan.json", "ledger.csv", "inference.json"])
def test_files_of_other_answers_are_refused(answers: Path, tmp_path: Path, name: str) -> None:
    other = Path(shutil.copytree(answers, tmp_path / "other"))
    path = other / name
    text = path.read_text()
    if name == "ledger.csv":
        path.write_text(text.rpartition("digits")[0])
    elif name == "inference.json":
        path.write_text(json.dumps(json.loads(text) | {"method": "greedy"}))
    else:
        path.write_text(
            text.replace("rate_per_s: 2.0", "rate_per_s: 3.0").replace('"fingerprint": "', '"fingerprint": "0')
        )
    with pytest.raises(InputError, match="belongs to"):
        read_answered(other)


def test_a_plan_without_certificate_has_none(answers: Path, answered: Answered, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(answers, tmp_path / "bare"))
    plan = bare / "plan.json"
    plan.write_text(json.dumps(json.loads(plan.read_text())["plan"]))
    found = read_answered(bare)
    assert found.outcome is None and found.plan == answered.plan
    view = answers_view(found, "s0", several=True)
    assert (view.verdict, view.label) == ("No certificate kept", "bare")
