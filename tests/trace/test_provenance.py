"""Provenance names the software and, in a source tree only, the commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from hffm_opt.trace import Provenance, provenance
from hffm_opt.trace.provenance import source_commit


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_are_those_installed() -> None:
    found = provenance()
    assert found.packages["numpy"] == np.__version__
    assert {"hffm_opt", "torch"} <= found.packages.keys()
    assert Provenance.model_validate_json(found.model_dump_json()) == found


def test_commit_of_a_tracked_file_with_its_state(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "module.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert source_commit(file) == head
    file.write_text("a = 2\n")
    assert source_commit(file) == f"{head}-dirty"


def test_no_commit_is_borrowed_from_a_repository_that_does_not_track_the_file(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "installed.py").write_text("")
    assert source_commit(tmp_path / "installed.py") is None


def test_no_commit_outside_of_repositories(tmp_path: Path) -> None:
    assert source_commit(tmp_path / "nowhere" / "file.py") is None
