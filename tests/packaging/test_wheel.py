"""The wheel installs one name and everything that the package needs at run time; the root's links resolve."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = (
    "py.typed",
    "scenario/cards/vilt-small.json",
    "learning/tasks/vocabulary.txt",
    "learning/backbones/weights/vilt-small/model.safetensors",
)


def call(*command, cwd):
    # A source tree that the caller put on the path would stand before the wheel.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [str(part) for part in command]
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: building leaves files behind."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    left = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "*-run")
    shutil.copytree(ROOT, source, symlinks=True, ignore=left)
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, cwd=source)
    (path,) = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment with the wheel, and with this environment's other packages."""
    place = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    python = place / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", wheel, cwd=place)
    (packages,) = place.glob("lib/python*/site-packages")
    # A path in a .pth file is searched last and its own .pth files are not read: no way to the source tree.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"


def test_the_wheel_has_one_top_level_name(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"hffm_opt"}


def test_the_wheel_has_all_files_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"hffm_opt/{name}" for name in DATA} <= names
    tracked = call("git", "ls-files", "hffm_opt", cwd=ROOT).splitlines() if (ROOT / ".git").exists() else []
    assert set(tracked) <= names


def test_the_clean_environment_uses_the_wheel(installed, tmp_path):
    place = call(installed / "python", "-c", "import hffm_opt; print(hffm_opt.__file__)", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(installed.parent)


def test_the_installed_program_compares(installed, tmp_path):
    rows = json.loads(call(installed / "hffm", "compare", "tiny", "--json", cwd=tmp_path))["rows"]
    assert {row["method"] for row in rows if row["feasible"]} >= {"star", "optimal"}


def test_the_installed_program_trains_and_reports(installed, tmp_path):
    """Needs the shipped model card, vocabulary, weights and templates."""
    run = tmp_path / "run"
    call(installed / "hffm", "train", "tiny", "--method", "star", "--rounds", "1", "-o", run, cwd=tmp_path)
    call(installed / "hffm", "report", run, cwd=tmp_path)
    assert "</html>" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["solvers", "learning"])
def test_links_at_the_root_resolve(name):
    assert (ROOT / name).is_symlink()
    assert os.readlink(ROOT / name) == f"hffm_opt/{name}"
    assert (ROOT / name / "__init__.py").is_file()
