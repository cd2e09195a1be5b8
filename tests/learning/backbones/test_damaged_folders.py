"""A folder whose files are damaged, and no manifest to tell: one error names the file, whatever transformers raises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.assemble import main
from hffm_opt.learning.backbones.zoo import SHIPPED

SHIPPED_NAMES = pytest.mark.parametrize("name", ["vilt-small", "multi-small"])


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Path:
    made = Path(shutil.copytree(SHIPPED / name, tmp_path / "copy"))
    (made / "manifest.json").unlink()
    return made


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_backbone(str(folder))
    assert all(finding.repair for finding in caught.value.findings)
    return str(caught.value)


@SHIPPED_NAMES
@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"model_type', b"\x85", b"null"])
def test_a_file_that_is_no_configuration_is_named(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)
    assert file in refused(folder)


@SHIPPED_NAMES
@pytest.mark.parametrize("value", [-1, "x", None, 10**15])
def test_a_size_that_no_model_has_is_named(folder: Path, name: str, value: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    (config if name == "vilt-small" else config["encoders"]["image"])["hidden_size"] = value
    path.write_text(json.dumps(config))
    assert "config.json" in refused(folder)


@SHIPPED_NAMES
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_weight_that_is_not_finite_is_named(folder: Path, value: float) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    key = sorted(tensors)[0]
    tensors[key].view(-1)[-1] = value
    save_file(tensors, path)
    assert f"{key}: a value is not finite" in refused(folder)


@pytest.mark.parametrize("name", ["", "a b", "../..", "a/b/c"])
def test_a_name_that_the_hub_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        load_backbone(f"hub:{name}")


def test_folders_that_cannot_be_put_together_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "clip", "vision_config": {"model_type": "clip_vision_model"}}'
    )
    given = [f"--{kind}={tmp_path}" for kind in ("image", "text")]
    assert main([*given, f"--out={tmp_path / 'out'}"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
