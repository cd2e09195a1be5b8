"""Standard streams and output paths of every sort: full, closed, devices, pipes, links, in ASCII, with spaces."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from hffm_opt.cli import screen
from hffm_opt.cli.main import main

CALL = f"{sys.executable} -m hffm_opt.cli"


def shell(line, **environment):
    """Run a line of shell that calls the command line as ``$HFFM``."""
    env = os.environ | {"HFFM": CALL} | environment
    return subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, env=env, check=False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", ["scenarios", "scenarios --json", "plan nix --json", "--help"])
def test_a_full_disk_is_told_in_words(arguments):
    done = shell(f"$HFFM {arguments} > /dev/full")
    assert done.returncode == 2
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [("scenarios", 0), ("scenarios --json", 0), ("plan nix --json", 2)])
def test_closed_streams_change_no_exit_code(arguments, code):
    assert shell(f"$HFFM {arguments} >&-").returncode == code
    done = shell(f"$HFFM {arguments} >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_terminal_without_signs_beyond_ascii_shows_a_plan():
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell("$HFFM plan tiny --method star", **plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert "latency per round" in done.stdout
    assert done.stdout.isascii()


def test_a_device_is_written_into_and_stays(hffm, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert hffm("plan", "tiny", "--method", "star", "-o", pipe).code == 0
    reader.join()
    assert json.loads(read[0])["method"] == "star"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_and_its_target_is_written(hffm, tmp_path):
    target, link = tmp_path / "far" / "plan.json", tmp_path / "link.json"
    target.parent.mkdir()
    link.symlink_to(target)
    for method in ("star", "h-fedfm-2"):
        assert hffm("plan", "tiny", "--method", method, "-o", link).code == 0
        assert link.is_symlink()
        assert json.loads(target.read_text())["method"] == method
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "link.json"]


def test_the_next_call_is_told_as_a_shell_takes_it(hffm, tmp_path, monkeypatch, tiny_text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my net [red].yaml").write_text(tiny_text)
    answer = hffm("plan", "my net [red].yaml", "--method", "star", "-o", "a plan :car:.json")
    assert "Next: hffm train 'my net [red].yaml' --plan 'a plan :car:.json' --rounds 16" in answer.err
    assert hffm("evaluate", "my net [red].yaml", "a plan :car:.json").code == 0


def test_a_scenario_may_come_through_a_pipe(tiny_text, tmp_path):
    (tmp_path / "tiny.yaml").write_text(tiny_text)
    done = shell(f"$HFFM check /dev/stdin < <(cat {tmp_path / 'tiny.yaml'})")
    assert done.stdout.startswith("Sound: tiny")


def test_a_call_to_terminate_is_as_ctrl_c(capsys, monkeypatch):
    def work(*_, **__):
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("went on")

    monkeypatch.setattr("hffm_opt.api.plan", work)
    assert main(["plan", "tiny"]) == screen.INTERRUPTED
    assert capsys.readouterr().err == "Interrupted.\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a job that a script starts with '&'
    try:
        assert main(["plan", "tiny"]) == screen.INTERRUPTED
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
