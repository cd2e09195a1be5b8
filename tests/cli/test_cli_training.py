"""Commands that train: the run directory, what they tell, and the whole demo."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rich.console import Console

import hffm_opt
from hffm_opt import api
from hffm_opt.cli import screen
from hffm_opt.cli.views.train import run_view
from hffm_opt.plan.front import ParetoFront
from hffm_opt.report import read_run
from hffm_opt.report.run import FILES
from hffm_opt.serial import dump_json

TRAIN_KEYS = {"accuracy", "baseline", "predicted", "measured"}


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory, small, small_plan):
    """Two rounds of the D2D plan."""
    path = tmp_path_factory.mktemp("run") / "first"
    hffm_opt.train(small, small_plan, rounds=2, seed=3, out=path)
    return path


def test_train_tells_what_the_run_directory_holds(hffm, tmp_path, small, small_plan, run_directory):
    out = tmp_path / "run"
    answer = hffm("train", small, "--plan", small_plan, "--rounds", 2, "--seed", 3, "-o", out, "--json")
    assert answer.code == 0
    document = answer.document
    assert document.keys() >= TRAIN_KEYS
    assert document["accuracy"].keys() == document["baseline"].keys() == {"digits", "shapes"}
    assert document["predicted"].keys() == {"latency_s", "energy_j", "bits"} == document["measured"].keys()
    for key, value in document["predicted"].items():
        assert document["measured"][key] == pytest.approx(value, rel=1e-9)
    assert {path.name for path in out.iterdir()} == {*FILES, "metrics.csv", "weights"}
    assert document == json.loads((out / "measurement.json").read_text()) | {"run": str(out)}
    # The same seed gives the same figures, whoever calls.
    assert (out / "measurement.json").read_text() == (run_directory / "measurement.json").read_text()


def test_a_run_is_not_overwritten_unasked(hffm, run_directory, tmp_path, small):
    before = {name: (run_directory / name).read_text() for name in FILES}
    answer = hffm("train", small, "--method", "star", "--rounds", 1, "-o", run_directory)
    assert answer.code == 2
    assert "--overwrite" in answer.err
    assert before == {name: (run_directory / name).read_text() for name in FILES}
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, text in before.items():
        (copy / name).write_text(text)
    assert hffm("train", small, "--method", "star", "--rounds", 1, "-o", copy, "--overwrite").code == 0
    assert read_run(copy).measurement.method == "star"


def test_the_words_of_a_run(hffm, tmp_path, monkeypatch, small):
    monkeypatch.chdir(tmp_path)
    answer = hffm("train", small, "--method", "h-fedfm-2", "--rounds", 1, "--seed", 4)
    assert answer.code == 0
    run = read_run(tmp_path / "runs" / "tiny-h-fedfm-2-4")
    assert f"{run.measurement.accuracy['digits']:.1%}"[:-1] in answer.out
    assert "most frequent answer" in answer.out
    assert "right after the average at tier 'edge' in round 1" in answer.out
    assert "hffm report runs/tiny-h-fedfm-2-4" in answer.out


def test_learning_baselines(hffm, tmp_path, monkeypatch, small):
    """They combine, the directory's name and the header tell which they were, and the words explain them."""
    monkeypatch.chdir(tmp_path)
    answer = hffm("train", small, "--fedlama", 2, "--proximal", 0.5, "--rounds", 4, "--json")
    assert answer.code == 0
    document = answer.document
    for key, value in document["predicted"].items():
        assert document["measured"][key] == pytest.approx(value, rel=1e-9)
    run = read_run(tmp_path / "runs" / "tiny-fedlama-0")
    assert run.trace.header.algorithm.proximal == 0.5
    assert [revision.round for revision in run.trace.revisions] == [3]
    told = " ".join(shown(run).split())
    assert "mu = 0.5" in told
    assert "averaged every round at first; in the end every 2 rounds:" in told
    assert "The plan changed with these rounds: 3." in told
    monkeypatch.setattr("hffm_opt.learning.baselines.fedpft.PROXY_SAMPLES", 32)
    compressed = ("--method", "star", "--kept-neurons", 0.5, "--realign-every", 1)
    answer = hffm("train", small, *compressed, "--rounds", 2)
    assert answer.code == 0
    assert "devices trained with 50.0 % of the backbone's feed-forward neurons" in " ".join(answer.out.split())
    assert "Neurons were realigned after these rounds" in answer.out
    answer = hffm("train", small, "--centralised", "--rounds", 1)
    assert answer.code == 0
    assert "One model on the data of all devices" in answer.out
    assert read_run(tmp_path / "runs" / "tiny-centralised-0").measurement.measured.bits == 0


def shown(run):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*run_view(run))
    return capture.get()


def test_left_out_records_are_told(run_directory, capsys):
    run = read_run(run_directory)
    skipped = {"photos": {"broken picture": 2, "missing picture": 1}}
    header = run.trace.header.model_copy(update={"skipped": skipped})
    screen.show(*run_view(replace(run, trace=run.trace.model_copy(update={"header": header}))))
    told = " ".join(capsys.readouterr().out.split())
    assert "Left out of 'photos': 3 records (2 with broken picture, 1 with missing picture)." in told


def test_report_needs_the_directory_alone(hffm, run_directory, tmp_path):
    page = tmp_path / "page.html"
    answer = hffm("report", run_directory, "-o", page, "--json")
    assert (answer.code, answer.document) == (0, {"path": str(page)})
    assert "h-fedfm-2+d2d" in page.read_text()
    assert hffm("report", run_directory).out.strip().endswith("report.html")
    assert (run_directory / "report.html").read_bytes() == page.read_bytes()


def test_report_writes_figures_and_shows_a_front(hffm, run_directory, tmp_path):
    best = read_run(run_directory).outcome
    front = ParetoFront(
        scenario=best.plan.scenario, latency_bound_s=0, energy_bound_j=0, points=(best,), max_latency_s=(9.0,)
    )
    (tmp_path / "front.json").write_text(dump_json(front))
    page, figures = tmp_path / "page.html", tmp_path / "figures"
    asked = ["-o", page, "--figures", figures, "--json"]
    answer = hffm("report", run_directory, "--front", tmp_path / "front.json", *asked)
    assert (answer.code, answer.document) == (0, {"path": str(page), "figures": str(figures)})
    assert "Latency against energy" in page.read_text()
    assert {"front.svg", "front.pdf"} <= {path.name for path in figures.iterdir()}
    answer = hffm("report", run_directory, "--front", run_directory / "plan.json", *asked)
    assert answer.code == 2 and "plan.json" in answer.err


def test_ctrl_c_keeps_complete_rounds(hffm, tmp_path, monkeypatch, small, small_plan):
    @contextmanager
    def interrupting(_title, _rounds):
        def on_round(record, _accuracies):
            if record.round == 1:
                raise KeyboardInterrupt

        yield lambda _: None, on_round

    monkeypatch.setattr("hffm_opt.cli.training.round_progress", interrupting)
    out = tmp_path / "run"
    answer = hffm("train", small, "--plan", small_plan, "--rounds", 3, "-o", out, "--json")
    assert answer.code == 130
    memory, interrupted = answer.err.splitlines()
    assert interrupted == "Interrupted."
    assert memory.startswith("Memory: about ") and " GB at the peak: " in memory
    assert not answer.document["complete"]
    run = read_run(out)
    assert (run.rounds, run.trace.header.rounds) == (1, 3)
    again = hffm("train", small, "--plan", small_plan, "--rounds", 3, "-o", out, "--overwrite")
    assert again.code == 130 and "Go on with the same command and --resume" in " ".join(again.out.split())
    monkeypatch.undo()

    same = ("train", small, "--rounds", 3, "-o", out)
    assert "--resume" in hffm(*same, "--plan", small_plan).err
    assert "begun as 'h-fedfm-2+d2d' plans" in hffm(*same, "--method", "star", "--resume").err
    assert "seed (0 there, 1 now)" in hffm(*same, "--seed", 1, "--resume").err
    assert hffm(*same, "--resume", "--json").document["complete"]
    whole = tmp_path / "whole"
    assert hffm("train", small, "--plan", small_plan, "--rounds", 3, "-o", whole).code == 0
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert all((whole / name).read_bytes() == (out / name).read_bytes() for name in files)


def test_memory_is_told_kept_and_refused(hffm, tmp_path, small, small_plan):
    way = ("train", small, "--plan", small_plan, "--rounds", 1, "-o")
    assert hffm(*way, tmp_path / "free").code == 0
    header = read_run(tmp_path / "free").trace.header.execution
    assert (header.device, header.precision, header.group_size) == ("cpu", "fp32", 4)
    assert 1e7 < header.memory_bytes < 1e9
    answer = hffm(*way, tmp_path / "none", "--max-memory", 0.1)
    assert answer.code == 2 and "0.1 GB are allowed" in answer.err
    assert not (tmp_path / "none").exists()
    before = {path: path.read_bytes() for path in (tmp_path / "free").rglob("*") if path.is_file()}
    assert hffm(*way, tmp_path / "free", "--overwrite", "--max-memory", 0.1).code == 2
    assert before == {path: path.read_bytes() for path in (tmp_path / "free").rglob("*") if path.is_file()}
    assert hffm(*way, tmp_path / "none", "--precision", "bf16").code == 0
    assert read_run(tmp_path / "none").trace.header.execution.precision == "bf16"
    answer = hffm(*way, tmp_path / "cuda", "--device", "cuda:99")
    assert answer.code == 2 and "'cuda:99' cannot be used" in answer.err
    for option in (("--max-memory", "inf"), ("--device", "meta")):
        answer = hffm(*way, tmp_path / "cuda", *option)
        assert answer.code == 2 and option[0] in answer.err
    assert not (tmp_path / "cuda").exists()


def test_demo(hffm, tmp_path, monkeypatch, small):
    """All methods are compared on `paper` where the README's table is held against it; here three do."""
    compare = api.compare

    def compare_some(scenario, names=None, **options):
        return compare(scenario, ["star", "h-fedfm-8+d2d", "optimal"] if scenario == "paper" else names, **options)

    monkeypatch.setattr(api, "compare", compare_some)
    out = tmp_path / "demo"
    answer = hffm("demo", "--scenario", small, "--rounds", 1, "-o", out, "--json")
    assert answer.code == 0
    document = answer.document
    assert document.keys() >= {"plan", "compare", "train", "report"}
    assert document["plan"]["method"] == "optimal"
    assert document["compare"]["scenario"] == "paper"
    assert document["train"].keys() == {"optimal", "star"}
    page = out / "report.html"
    assert document["report"] == {"path": str(page)}
    assert page.stat().st_size > 10_000
    assert [read_run(out / name).measurement.method for name in ("optimal", "star")] == ["optimal", "star"]
    again = hffm("demo", "--scenario", small, "--rounds", 1, "-o", out)
    assert again.code == 2
    assert "--overwrite" in again.err
