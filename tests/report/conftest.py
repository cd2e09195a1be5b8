"""Runs that several tests of the report read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from report_cases import run_directory
from section_cases import answers_directory, placed_directory, relayed_directory

from hffm_opt.report import Run, read_run

# Needs a browser, which `make test` does not install: it is asked for by name, never silently skipped.
collect_ignore = [] if os.environ.get("HFFM_BROWSER") else ["test_in_browser.py"]


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Return run directories on ``tiny``: with D2D heads, without, and star."""
    place = tmp_path_factory.mktemp("runs")
    return tuple(run_directory(place / name, "tiny", name, 6) for name in ("h-fedfm-2+d2d", "h-fedfm-2", "star"))


@pytest.fixture(scope="session")
def runs(directories: tuple[Path, ...]) -> tuple[Run, ...]:
    return tuple(read_run(directory) for directory in directories)


@pytest.fixture(scope="session")
def relayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return relayed_directory(tmp_path_factory.mktemp("relayed") / "relayed")


@pytest.fixture(scope="session")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return placed_directory(tmp_path_factory.mktemp("placed") / "placed")


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return answers_directory(tmp_path_factory.mktemp("answers") / "answers")
