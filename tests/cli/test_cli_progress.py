"""The line that follows long work: on a terminal it shows and goes, in a pipe there is none."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from conftest import Answer

from hffm_opt.cli import screen
from hffm_opt.cli.main import main
from hffm_opt.cli.progress import Pace, clock
from hffm_opt.cli.rounds import round_progress
from hffm_opt.steps import Step
from hffm_opt.trace import RoundRecord

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
GONE = "\x1b[2K"
CURSOR, NO_CURSOR = "\x1b[?25h", "\x1b[?25l"


Watch = Callable[[str], None]


@pytest.fixture
def at_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Do some work with standard error at a terminal; ``err`` is what that terminal received.

    ``watch`` is called with all that it has received whenever that grows.
    """
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "160", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)

    def do(work: Callable[[], int], watch: Watch = lambda _: None) -> Answer:
        ours, theirs = pty.openpty()
        received = bytearray()

        def read() -> None:
            # Reading from a terminal that nobody holds any more is an error, not an end.
            with suppress(OSError):
                while data := os.read(ours, 65536):
                    received.extend(data)
                    watch(received.decode(errors="replace"))

        reader = threading.Thread(target=read)
        reader.start()
        capsys.readouterr()
        with monkeypatch.context() as patched, os.fdopen(theirs, "w") as terminal:
            patched.setattr(sys, "stderr", terminal)
            code = work()
        reader.join()
        os.close(ours)
        return Answer(code, capsys.readouterr().out, received.decode())

    return do


@pytest.fixture
def hffm_at_terminal(at_terminal: Callable[..., Answer]) -> Callable[..., Answer]:
    """Call the command line there."""
    return lambda *words, **options: at_terminal(lambda: main([str(word) for word in words]), **options)


def words(answer: Answer) -> str:
    """Return what was shown, without the codes that place and colour it."""
    return CODES.sub("", answer.err)


def went(answer: Answer) -> bool:
    """Whether the line was taken away and the cursor is back."""
    return answer.err.rstrip().endswith(GONE) and answer.err.rindex(CURSOR) > answer.err.rindex(NO_CURSOR)


def test_planning_shows_time_and_gap(hffm_at_terminal):
    answer = hffm_at_terminal("plan", "tiny", "--time-limit", 90)
    assert answer.code == 0
    assert "Planning tiny" in words(answer)
    assert re.search(r"0:0\d, at most 1:\d\d left", words(answer))
    best, proven, gap = map(float, re.search(r"best (\S+), proven (\S+), gap (\S+) %", words(answer)).groups())
    assert proven <= best and gap == pytest.approx(100 * (best - proven) / best, abs=0.02)
    assert went(answer)
    assert not CODES.search(answer.out)


def test_the_best_is_told_in_the_units_asked_for(hffm_at_terminal):
    """Inside, the search divides the objective by its largest weight."""
    answer = hffm_at_terminal("plan", "tiny", "--latency-weight", 50, "--energy-weight", 20, "--json")
    best = [float(found) for found in re.findall(r"best (\S+), proven", words(answer))]
    assert best[-1] == pytest.approx(answer.document["objective"], rel=1e-4)


def test_comparing_counts_methods_and_leaves_the_document_alone(hffm_at_terminal):
    answer = hffm_at_terminal("compare", "tiny", "--methods", "star,h-fedfm-2,optimal", "--json")
    assert [row["method"] for row in answer.document["rows"]] == ["star", "h-fedfm-2", "optimal"]
    assert re.search(r"2/3 .* optimal", words(answer))
    assert went(answer)


def test_a_front_counts_its_searches(hffm_at_terminal):
    answer = hffm_at_terminal("plan", "tiny", "--objective", "pareto", "--points", 2, "--json")
    assert len(answer.document["points"]) == 2
    assert re.search(r"4/5 .* point 2 of 2", words(answer)) and went(answer)


def test_training_counts_rounds(at_terminal):
    def work():
        with round_progress("Training star", 3) as (say, on_round):
            say(Step("circulation 1", value=2.0, bound=1.5))
            for number in (1, 2, 3):
                loss = {"digits": 2.0 / number}
                on_round(RoundRecord(round=number, kind=0, end_s=1.0, energy_j=1.0, bits=0.0, loss=loss), ())
                time.sleep(0.15)
        return 0

    answer = at_terminal(work)
    assert re.search(r"2/3 rounds 0:0\d, about 0:0\d left +digits loss 1.00", words(answer))
    assert "3/3 rounds" in words(answer) and went(answer)


def test_a_benchmark_counts_its_pieces(hffm_at_terminal):
    answer = hffm_at_terminal("bench", "joint", "--quick", "--seeds", 2)
    assert re.search(r"Benchmark joint .* 1/2 .* tiny, seed 1", words(answer)) and went(answer)


def test_ctrl_c_takes_the_line_away(hffm_at_terminal):
    sent = []

    def interrupt(received):
        if "Planning paper" in received and not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    answer = hffm_at_terminal("plan", "paper", watch=interrupt)
    assert answer.code == screen.INTERRUPTED and sent
    shown, interrupted, _ = answer.err.rpartition("Interrupted.")
    assert interrupted and went(Answer(0, "", shown))


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "tiny", "--json"),
        ("compare", "tiny", "--methods", "star", "--json"),
        ("bench", "joint", "--quick", "--json"),
        ("associate", "tiny", "--max-devices", 4, "-o", "{out}", "--json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_pipe_stays_silent(hffm, tmp_path, arguments):
    answer = hffm(*(str(word).format(out=tmp_path / "out.yaml") for word in arguments))
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)


def test_the_pace_counts_from_the_first_piece_that_was_told():
    """A resumed run begins in the middle; what came before the first step was no work on the pieces."""
    now = [100.0]
    pace = Pace(lambda: now[0])
    assert pace.left_s(9) is None
    pace.reach(5)
    assert pace.left_s(9) is None
    now[0] += 6.0
    pace.reach(7)
    assert pace.left_s(9) == 6.0
    now[0] += 2.0
    pace.reach(7)
    assert pace.left_s(9) == 4.0
    now[0] += 5.0
    assert pace.left_s(9) is None, "the piece takes longer than the pace foretold"
    assert clock(4.0 + 60 * 61) == "1:01:04"
