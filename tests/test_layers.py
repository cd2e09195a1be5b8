"""The layer contract of pyproject.toml holds, and would be missed if it did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(directory):
    """Run import-linter on the package of a directory and return its exit code and words."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(directory), "PATH": "", "COLUMNS": "200"},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_contracts_are_kept():
    code, words = lint(ROOT)
    assert code == 0, words
    assert "0 broken" in words


@pytest.fixture
def copy(tmp_path):
    """A copy of the package to break."""
    shutil.copytree(ROOT / "hffm_opt", tmp_path / "hffm_opt", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


BREACHES = {
    "plan/costs.py": "import torch",
    "trace/ledger.py": "import highspy",
    "solvers/request.py": "from hffm_opt.learning import rounds",
    "loop.py": "from hffm_opt.solvers import registry",
    "scenario/model.py": "from hffm_opt.problem import build",
    "newcomer.py": "",
}


def test_every_breach_is_seen(copy):
    for name, line in BREACHES.items():
        path = copy / "hffm_opt" / name
        text = path.read_text() if path.exists() else ""
        path.write_text(f"{text}\n{line}\n")
    code, words = lint(copy)
    assert code == 1
    for name in ("hffm_opt.plan.costs -> torch", "hffm_opt.trace.ledger -> highspy", "newcomer"):
        assert name in words
    for source, target in (
        ("solvers.request", "learning.rounds"),
        ("loop", "solvers.registry"),
        ("scenario.model", "problem.build"),
    ):
        assert f"hffm_opt.{source} -> hffm_opt.{target}" in words
