"""The command line, called in this process as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hffm_opt
from hffm_opt.cli.main import main
from hffm_opt.serial import dump_json, dump_yaml


@dataclass(frozen=True)
class Answer:
    """What a call left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document of standard output; anything beside it makes this fail."""
        return json.loads(self.out)


@pytest.fixture
def hffm(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Answer(code, out, err)

    return call


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """The scenario `tiny` as YAML."""
    return dump_yaml(hffm_opt.load_scenario("tiny"))


@pytest.fixture(scope="session")
def tiny_plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outcome file with the D2D plan of `tiny` that averages at heads and at the cloud."""
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    path.write_text(dump_json(hffm_opt.plan("tiny", method="h-fedfm-2+d2d")))
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny` as a file, with a sixth of its samples and few test questions: a network that trains in a moment."""
    whole = hffm_opt.load_scenario("tiny")
    devices = tuple(
        device.model_copy(update={"samples": {task: count // 6 for task, count in device.samples.items()}})
        for device in whole.devices
    )
    tasks = tuple(task.model_copy(update={"test_samples": 24}) for task in whole.tasks)
    path = tmp_path_factory.mktemp("scenarios") / "small.yaml"
    path.write_text(dump_yaml(whole.model_copy(update={"devices": devices, "tasks": tasks})))
    return path


@pytest.fixture(scope="session")
def small_plan(tmp_path_factory: pytest.TempPathFactory, small: Path) -> Path:
    """The same plan for it as `tiny_plan` for `tiny`."""
    path = tmp_path_factory.mktemp("plans") / "small.json"
    path.write_text(dump_json(hffm_opt.plan(small, method="h-fedfm-2+d2d")))
    return path
