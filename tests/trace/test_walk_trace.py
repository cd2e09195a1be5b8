"""The trace of walks comes back from its files as it was, and damaged ones are refused."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.files import LEDGER
from hffm_opt.trace.ledger import Ledger, LedgerEntry
from hffm_opt.trace.provenance import Provenance
from hffm_opt.trace.walks import (
    WALK_TRACE,
    WalkCreation,
    WalkHeader,
    WalkHop,
    WalkMeeting,
    WalkPoint,
    WalkRecord,
    WalkTrace,
    read_walk_trace,
    write_walk_trace,
)

COST = SpentCosts(latency_s=0.5, energy_j=0.1, bits=8.0)
TRACE = WalkTrace(
    header=WalkHeader(
        scenario="tiny",
        fingerprint="f",
        method="fastest-mixing",
        backbone="vilt-small",
        seed=0,
        rounds=2,
        evaluate_every=1,
        baseline={"digits": 0.1, "shapes": 0.2},
        provenance=Provenance(python="3.11", packages={}, machine="m"),
    ),
    rounds=(
        WalkRecord(
            round=1,
            stood={"head": ("a", "c", "d")},
            trained=("a",),
            hops=(
                WalkHop(module="head", source="a", target="b", arrived=True),
                WalkHop(module="head", source="c", target="b", arrived=False),
            ),
            met=(WalkMeeting(module="head", device="b", sources=("a", "b", "d")),),
            created=(WalkCreation(module="head", device="c"),),
            clock_s=0.5,
            energy_j=0.1,
        ),
    ),
    curve=(WalkPoint(round=1, clock_s=0.5, energy_j=0.1, accuracy={"digits": 0.3, "shapes": 0.5}),),
    predicted=COST,
    measured=COST,
    ledger=Ledger.of([LedgerEntry(1, "relay", "edge-0 d2d", "a", "b", "head", 8, 16, 0.0, 0.5, 0.1)]),
)


def test_a_trace_comes_back(tmp_path):
    assert write_walk_trace(TRACE, tmp_path) == tmp_path / WALK_TRACE
    assert read_walk_trace(tmp_path) == TRACE


def test_a_summary_counts():
    found = TRACE.summary()
    assert [found[name] for name in ("hops", "lost", "met", "created", "complete")] == [2, 1, 2, 1, False]
    assert (found["accuracy"], found["serialised_bits"]) == ({"digits": 0.3, "shapes": 0.5}, 16)
    assert TRACE.curve[0].mean == 0.4
    never = TRACE.model_copy(update={"curve": ()})
    assert (never.accuracy, never.summary()["accuracy_round"]) == ({}, None)


def test_another_runs_ledger_is_refused(tmp_path):
    write_walk_trace(TRACE, tmp_path)
    text = (tmp_path / LEDGER).read_text()
    (tmp_path / LEDGER).write_text(text.replace("0.1", "0.2"))
    with pytest.raises(InputError, match="not the file that"):
        read_walk_trace(tmp_path)
    (tmp_path / LEDGER).unlink()
    with pytest.raises(InputError):
        read_walk_trace(tmp_path)


def test_accuracies_that_nothing_is_held_against_are_refused(tmp_path):
    header = TRACE.header.model_copy(update={"baseline": {"digits": 0.1}})
    write_walk_trace(TRACE.model_copy(update={"header": header}), tmp_path)
    with pytest.raises(InputError, match="no accuracy of majority answers for 'shapes'"):
        read_walk_trace(tmp_path)
