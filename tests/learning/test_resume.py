"""A run that was stopped goes on to the bits of one that was not; the run of another is refused."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from resume_cases import interrupt, quick_plan, quick_scenario

from hffm_opt import api, loop
from hffm_opt.errors import InputError
from hffm_opt.learning import checkpoint, prepare
from hffm_opt.learning.modules import StackedStates
from hffm_opt.scenario.model import Scenario
from hffm_opt.serial import dump_json, dump_yaml, write_text
from hffm_opt.trace import Intervals, read_trace, write_trace
from hffm_opt.trace.model import Algorithm

ROUNDS, SEED = 4, 3
KILLS = ((2, "between"), (3, "within"), (1, "within"))
KILLED = """
import json, os, signal, sys
import torch
from hffm_opt import api
from hffm_opt.learning import checkpoint
from hffm_opt.learning.backbones import load_backbone

# Loading torch and transformers takes longer than the training: it is done once, in one thread, so that none is lost
# when a child becomes a process of its own.
torch.set_num_threads(1)
load_backbone("vilt-small-random")
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write = checkpoint.write_bytes

def train(place, number, where):
    after = lambda record, _: die() if where == "between" and record.round == number else None
    if where == "within":
        count = [0]
        def write_bytes(path, data):
            count[0] += 1
            die() if count[0] == number else write(path, data)
        checkpoint.write_bytes = write_bytes
    api.train(place + "/scenario.yaml", place + "/plan.json", rounds=4, seed=3, evaluate_every=3, out=place + "/run",
              on_round=after)

for case in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        train(*case)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def train(out: Path, scenario: Scenario | None = None, **options: object) -> None:
    arguments = {"rounds": ROUNDS, "seed": SEED, "evaluate_every": 3} | options
    api.train(scenario or quick_scenario(), quick_plan(), out=out, **arguments)  # type: ignore[arg-type]


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(out)
    assert not (out / "checkpoint").exists()
    return contents(out)


def stop(monkeypatch: pytest.MonkeyPatch, out: Path, number: int, **options: object) -> None:
    """Run until Ctrl-C in a round."""
    with monkeypatch.context() as patched:
        interrupt(patched, number)
        train(out, **options)


@pytest.mark.parametrize("every", [1, 3])
def test_after_ctrl_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: dict[str, bytes], every: int) -> None:
    stop(monkeypatch, tmp_path / "run", 3, checkpoint_every=every)
    assert contents(tmp_path / "run").keys() >= {"checkpoint/state.safetensors", "weights/manifest.json", "trace.json"}
    stop(monkeypatch, tmp_path / "run", 4, resume=True)
    train(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == whole


def test_after_being_killed(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """One test, so that one process loads torch for all kills."""
    cases = [(str(tmp_path / f"{number}-{where}"), number, where) for number, where in KILLS]
    for place, _, _ in cases:
        write_text(Path(place) / "scenario.yaml", dump_yaml(quick_scenario()))
        write_text(Path(place) / "plan.json", dump_json(quick_plan()))
    call = [sys.executable, "-c", KILLED, json.dumps(cases)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines() == ["-9"] * len(cases)
    for place, number, where in cases:
        run = Path(place) / "run"
        left = contents(run)
        assert left.keys() & {"trace.json", "measurement.json"} == set()
        assert ("checkpoint/state.safetensors" in left) == ((number, where) != (1, "within"))
        assert left["metrics.csv"].count(b"\nround,") == number - (where == "within")
        train(run, resume=True)
        assert contents(run) == whole, (number, where)


def test_after_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: dict[str, bytes]) -> None:
    write, calls = checkpoint.write_bytes, []

    def full(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_bytes", full)
        with pytest.raises(InputError, match=r"round 3 cannot be written: No space left.*from round 2: --resume"):
            train(tmp_path / "run")
    train(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == whole


def restore(directory: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(data)


def test_a_complete_run_is_returned_as_it_is(tmp_path: Path, whole: dict[str, bytes]) -> None:
    restore(tmp_path, whole)
    train(tmp_path, resume=True)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("rounds (4 there, 5 now)", "seed (3 there, 4 now)"), {"rounds": 5, "seed": 4}),
        (
            ('precision ("fp32" there, "bf16" now)', "proximal (0.0 there, 0.1 now)"),
            {"proximal": 0.1, "precision": "bf16"},
        ),
    ],
)
def test_a_complete_run_with_other_arguments_is_refused(
    tmp_path: Path, whole: dict[str, bytes], words: tuple[str, ...], options: dict[str, object]
) -> None:
    restore(tmp_path, whole)
    refused(tmp_path, "the run there is complete, and differs in", *words, **options)


@pytest.mark.parametrize(
    ("there", "now"),
    [
        (Algorithm(), Algorithm(fedlama=Intervals(tau=1, phi=4))),
        (Algorithm(fedlama=Intervals(tau=1, phi=2)), Algorithm(fedlama=Intervals(tau=1, phi=4))),
        (Algorithm(centralised=True), Algorithm()),
        (Algorithm(), Algorithm(kept_neurons=0.5)),
        (Algorithm(kept_neurons=0.5, realign_every=2), Algorithm(kept_neurons=0.5, realign_every=4)),
    ],
)
def test_a_complete_run_of_another_algorithm_is_refused(
    tmp_path: Path, whole: dict[str, bytes], there: Algorithm, now: Algorithm
) -> None:
    restore(tmp_path, whole)
    trace = read_trace(tmp_path)
    header = trace.header.model_copy(update={"algorithm": there})
    write_trace(trace.model_copy(update={"header": header}), tmp_path)
    assert loop.finished_run(tmp_path, ROUNDS, SEED, "fp32", there) is not None
    with pytest.raises(InputError, match="complete, and differs in") as caught:
        loop.finished_run(tmp_path, ROUNDS, SEED, "fp32", now)
    assert len(caught.value.findings) == 1


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that was stopped in its second round."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patched:
        stop(patched, out, 2)
    return contents(out)


@pytest.fixture
def place(tmp_path: Path, stopped: dict[str, bytes]) -> Path:
    restore(tmp_path, stopped)
    return tmp_path


def refused(place: Path, *words: str, **options: object) -> None:
    """The run is refused with one finding that has all the words, and the directory is left as it was."""
    before = contents(place)
    with pytest.raises(InputError) as caught:
        train(place, resume=True, **options)
    assert len(caught.value.findings) == 1
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert contents(place) == before


def test_another_run_is_refused(place: Path) -> None:
    refused(place, "seed (3 there, 4 now)", seed=4)
    refused(place, "rounds (4 there, 5 now)", "seed (3 there, 4 now)", rounds=5, seed=4)
    refused(place, "evaluate_every (3 there, null now)", evaluate_every=None)
    refused(place, "the run there is of 'tiny'", scenario=quick_scenario(seed=9))
    refused(place, "--resume / --overwrite", overwrite=True)
    with pytest.raises(InputError, match="begun with another plan"):
        api.train(quick_scenario(), api.plan(quick_scenario(), method="star"), rounds=4, out=place, resume=True)
    with pytest.raises(InputError, match="there is no run to resume"):
        train(place / "elsewhere", resume=True)
    with pytest.raises(InputError, match="no directory to resume from"):
        api.train(quick_scenario(), quick_plan(), rounds=4, resume=True)


def test_other_software_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = prepare.provenance()
    other = found.model_copy(update={"packages": found.packages | {"torch": "1.0"}})
    monkeypatch.setattr(prepare, "provenance", lambda: other)
    refused(place, "provenance.packages.torch (", '"1.0" now)')


def test_another_plan_in_the_directory_is_refused(place: Path) -> None:
    outcome = api.plan(quick_scenario(), method="star")
    write_text(place / "outcome.json", dump_json(outcome))
    before = contents(place)
    with pytest.raises(InputError, match=r"differs in method .*, plan \("):
        api.train(quick_scenario(), rounds=ROUNDS, seed=SEED, evaluate_every=3, out=place, resume=True)
    assert contents(place) == before


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("state.safetensors", lambda data: flipped(data, len(data) - 9), "its tensors are not those"),
        ("state.safetensors", lambda data: data[:-1], "not a whole safetensors file"),
        ("state.safetensors", lambda data: data.replace(b"hffm-checkpoint/1", b"hffm-checkpoint/9"), "this is no"),
        ("rounds.jsonl", lambda data: flipped(data, 40), "it is not the file"),
        ("rounds.jsonl", lambda data: data[:-1], "it is not the file"),
        ("rounds.jsonl", lambda _: None, "cannot be read"),
    ],
)
def test_damage_is_refused(place: Path, name: str, damage: object, words: str) -> None:
    path = place / "checkpoint" / name
    data = damage(path.read_bytes())  # type: ignore[operator]
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    refused(place, words)


def test_what_stands_behind_the_checkpoint_is_dropped(place: Path, whole: dict[str, bytes]) -> None:
    with open(place / "checkpoint" / "rounds.jsonl", "ab") as stream:
        stream.write(b'{"round": {"rou')
    train(place, resume=True)
    assert contents(place) == whole


def test_equal_copies_are_kept_once(tmp_path: Path) -> None:
    import torch

    states = StackedStates({"m": {"w": torch.tensor([[1.0], [2.0], [1.0], [1.0]])}})
    tensors = checkpoint._tensors(states)
    assert tensors["m/"].tolist() == [0, 1, 0, 0] and tensors["m/w"].tolist() == [[1.0], [2.0]]
    assert checkpoint._stacked(tmp_path, tensors, states, "").equal(states)


@pytest.mark.parametrize(
    "way",
    [
        {"method": "h-fedfm-2", "proximal": 0.5},
        {"method": "fedlama", "fedlama": 2},
        {"method": "star", "kept_neurons": 0.5, "realign_every": 1},
        {"centralised": True},
    ],
    ids=["fedprox", "fedlama", "fedpft", "centralised"],
)
def test_what_baselines_keep_from_round_to_round(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: dict[str, object]
) -> None:
    # Less to learn the sub-model from: what is kept of it is the same in kind.
    monkeypatch.setattr("hffm_opt.learning.baselines.fedpft.PROXY_SAMPLES", 32)

    def train_so(out: Path, **options: object) -> None:
        api.train(quick_scenario(), rounds=5, seed=SEED, out=out, **(way | options))  # type: ignore[arg-type]

    train_so(tmp_path / "whole")
    with monkeypatch.context() as patched:
        interrupt(patched, 4)
        train_so(tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint").is_dir()
    train_so(tmp_path / "run", resume=True)
    whole, resumed = contents(tmp_path / "whole"), contents(tmp_path / "run")
    # Planned twice, in other seconds.
    del whole["outcome.json"], resumed["outcome.json"]
    assert resumed == whole
