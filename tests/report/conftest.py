"""Runs that several tests of the report read."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_cases import run_directory

from hffm_opt.report import Run, read_run


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Return run directories on ``tiny``: with D2D heads, without, and star."""
    place = tmp_path_factory.mktemp("runs")
    return tuple(run_directory(place / name, "tiny", name, 6) for name in ("h-fedfm-2+d2d", "h-fedfm-2", "star"))


@pytest.fixture(scope="session")
def runs(directories: tuple[Path, ...]) -> tuple[Run, ...]:
    return tuple(read_run(directory) for directory in directories)
