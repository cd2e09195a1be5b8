"""A run directory is read whole, or refused with what is wrong and how to mend it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hffm_opt.errors import InputError
from hffm_opt.report import read_run, write_report
from hffm_opt.report.run import FILES


@pytest.fixture
def directory(directories: tuple[Path, ...], tmp_path: Path) -> Path:
    return Path(shutil.copytree(directories[0], tmp_path / "run"))


def test_a_whole_run_is_read(directory: Path) -> None:
    run = read_run(directory)
    assert run.name == "run" and run.rounds == 6
    assert run.plan == run.outcome.plan
    assert run.evaluation.latency_s == pytest.approx(run.outcome.latency_s, rel=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_the_repair(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(InputError) as caught:
        read_run(directory)
    (finding,) = caught.value.findings
    assert finding.path == str(directory)
    assert name in finding.message and "hffm train" in finding.repair


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such directory"):
        read_run(tmp_path / "nowhere")


def test_files_of_another_run_are_refused(directory: Path, directories: tuple[Path, ...]) -> None:
    shutil.copy(directories[1] / "plan.json", directory)
    with pytest.raises(InputError) as caught:
        read_run(directory)
    # Outcome and trace do not fit the stranger; the measurement still fits the trace.
    assert [Path(finding.path).name for finding in caught.value.findings] == ["outcome.json", "trace.json"]


def test_a_measurement_of_another_seed_is_refused(directory: Path) -> None:
    path = directory / "measurement.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 5}))
    with pytest.raises(InputError, match=r"measurement\.json: it belongs to another run"):
        read_run(directory)


def test_all_broken_directories_are_reported_and_nothing_is_written(directory: Path, tmp_path: Path) -> None:
    (directory / "plan.json").write_text("{")
    with pytest.raises(InputError) as caught:
        write_report([directory, tmp_path / "nowhere"], tmp_path / "out.html")
    assert len(caught.value.findings) == 2
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize("name", [*FILES, "metrics.csv"])
def test_a_page_takes_the_place_of_no_file_of_a_run(directory: Path, name: str) -> None:
    before = (directory / name).read_bytes()
    with pytest.raises(InputError, match="would be lost"):
        write_report([directory], directory / name)
    assert (directory / name).read_bytes() == before


def test_no_directory_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run directory"):
        write_report([], tmp_path / "out.html")
