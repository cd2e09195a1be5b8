"""Help answers at once, and no stage loads another stage's libraries."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from hffm_opt.cli import screen

SOLVERS = {"cvxpy", "highspy", "pyomo", "clarabel"}
LEARNING = {"torch", "transformers", "peft"}
HELP_SECONDS = 0.3


def fresh(code, cwd=None):
    """Run code in a fresh interpreter and return its standard output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(arguments, tmp_path):
    """Return the libraries that a fresh call of the command line has loaded when it is done."""
    code = f"""
import sys
from hffm_opt.cli.main import main
code = main({arguments!r})
assert code == 0, code
print("\\n".join({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


def test_help_answers_at_once():
    """Processor time, since the wall clock of a busy machine tells nothing; the least of five runs."""

    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        fresh("from hffm_opt.cli.main import main; main(['--help'])")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < HELP_SECONDS


def test_help_loads_no_library_of_numbers(tmp_path):
    heavy = {"numpy", "scipy", "networkx", "matplotlib", "yaml"} | SOLVERS | LEARNING
    assert not loaded_by(["--help"], tmp_path) & (heavy | {"pydantic"})
    # Help on a command may load pydantic: typer itself does, to show defaults.
    assert not loaded_by(["plan", "--help"], tmp_path) & heavy


@pytest.mark.parametrize(
    "arguments",
    [
        ["scenarios"],
        ["check", "paper-si"],
        ["plan", "tiny", "-o", "plan.json"],
        ["compare", "tiny"],
        ["bench", "joint", "--quick"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_planning_never_loads_torch(arguments, tmp_path):
    loaded = loaded_by(arguments, tmp_path)
    assert "numpy" in loaded
    assert not loaded & LEARNING


def test_evaluating_loads_no_solver(tmp_path, tiny_plan):
    assert not loaded_by(["evaluate", "tiny", str(tiny_plan)], tmp_path) & (SOLVERS | LEARNING)


def test_training_a_given_plan_loads_no_solver(tmp_path, tiny_plan):
    loaded = loaded_by(["train", "tiny", "--plan", str(tiny_plan), "--rounds", "1"], tmp_path)
    assert "torch" in loaded
    assert not loaded & {"highspy", "pyomo", "clarabel"}


def test_the_vocabulary_loads_neither_torch_nor_a_solver():
    names = ("scenario.read", "problem", "plan", "trace", "measurement", "units", "seeds", "errors", "serial")
    imports = "\n".join(f"import hffm_opt.{name}" for name in names)
    loaded = set(fresh(f'{imports}\nimport sys\nprint("\\n".join(m.partition(".")[0] for m in sys.modules))').split())
    assert not loaded & (SOLVERS | LEARNING)


def test_a_reader_that_leaves_early_sees_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -m hffm_opt.cli scenarios | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_ctrl_c_ends_a_search_in_the_middle():
    """Interrupted at the first word of the search, so that the solver is at work."""
    code = """
import signal
import sys
from contextlib import contextmanager
from hffm_opt.cli import screen
from hffm_opt.cli.main import main

real = screen.waiting

@contextmanager
def waiting(text, limit_s=None):
    with real(text, limit_s) as say:
        yield lambda message: (print(message, flush=True), say(message))

screen.waiting = waiting
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent that ignores it hands that down
sys.exit(main(["plan", "paper"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as call:
        assert call.stdout.readline()
        call.send_signal(signal.SIGINT)
        _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (screen.INTERRUPTED, "Interrupted.\n")


def test_ctrl_c_that_a_library_swallows_is_not_lost():
    def swallow():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    def work(words):
        with screen.waiting("Working") as say:
            swallow()
            for word in words:
                say(word)

    for words in (["goes on"], []):
        with pytest.raises(KeyboardInterrupt):
            work(words)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with screen.waiting("Working") as say:
        say("nobody has interrupted this one")


def test_what_a_library_prints_by_itself_stays_out_of_the_document():
    """Printed from C, buffered there, and never asked for."""
    code = """
import ctypes
import sys
from hffm_opt.cli import main as cli
import hffm_opt.api

real = hffm_opt.api.plan

def noisy(*arguments, **options):
    ctypes.CDLL(None).printf(b"a library speaks\\n")
    return real(*arguments, **options)

hffm_opt.api.plan = noisy
code = cli.main(["plan", "tiny", "--method", "star", "--json"])
print("and standard output is back", flush=True)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document, after = done.stdout.rsplit("}\n", 1)
    assert json.loads(document + "}")["method"] == "star"
    assert after == "and standard output is back\n"
    assert done.stderr == "a library speaks\n"
