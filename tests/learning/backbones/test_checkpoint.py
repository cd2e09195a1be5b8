import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertTokenizer, ViltForMaskedLM

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.checkpoint import load_checkpoint, save_checkpoint
from hffm_opt.learning.backbones.zoo import SHIPPED, SMALL, build_random
from hffm_opt.learning.tasks import embedded_vocabulary, make_split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A writable copy of the shipped checkpoint."""
    return Path(shutil.copytree(SHIPPED / SMALL, tmp_path / "copy"))


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def findings(folder: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        load_checkpoint(folder, "copy")
    assert all(finding.repair for finding in error.value.findings)
    return [str(finding) for finding in error.value.findings]


def test_a_saved_backbone_comes_back_as_its_half_precision_rounding(tmp_path: Path) -> None:
    backbone = build_random("vilt-small-random", 4)
    save_checkpoint(backbone, tmp_path / "one", {"seed": 4})
    save_checkpoint(backbone, tmp_path / "two", {"seed": 4})
    loaded = load_checkpoint(tmp_path / "one", "again", need_manifest=True)
    for key, value in loaded.model.state_dict().items():
        original = backbone.model.state_dict()[key]
        expected = original.half().float() if original.is_floating_point() else original
        assert value.dtype == expected.dtype and torch.equal(value, expected), key
    for name in ("manifest.json", "model.safetensors", "config.json", "preprocessor_config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_a_flipped_byte_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    (finding,) = findings(folder)
    assert name in finding and "SHA-256" in finding


def test_missing_files_are_all_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    found = findings(folder)
    assert len(found) == 2 and "config.json" in found[0] and "model.safetensors" in found[1]


def test_a_manifest_can_be_demanded(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert load_checkpoint(folder, "copy").name == "copy"
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_checkpoint(folder, "copy", need_manifest=True)


def test_unknown_manifests_and_vocabularies_are_refused(folder: Path) -> None:
    edit_json(folder / "manifest.json", vocabulary_sha256="0" * 64)
    assert "another vocabulary" in findings(folder)[0]
    edit_json(folder / "manifest.json", format_version=99)
    assert "format version 99" in findings(folder)[0]
    edit_json(folder / "manifest.json", format_version=1, files={})
    assert len(findings(folder)) == 3  # an empty list would otherwise let every file pass
    (folder / "manifest.json").write_text("[]")
    assert "not a manifest" in findings(folder)[0]


def test_missing_surplus_and_misshapen_tensors_are_all_named(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    state = load_file(folder / "model.safetensors")
    del state["pooler.dense.bias"]
    state["layernorm.weight"] = torch.ones(3, dtype=torch.float16)
    state["surplus"] = torch.ones(1)
    save_file(state, folder / "model.safetensors")
    found = findings(folder)
    assert len(found) == 3
    assert "pooler.dense.bias: the tensor is missing" in found[0]
    assert "surplus: the model has no such tensor" in found[1]
    assert "layernorm.weight: shape (3,) where the configuration says (128,)" in found[2]


def test_files_of_another_kind_are_refused(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    edit_json(folder / "config.json", model_type="bert")
    assert "'bert'" in findings(folder)[0]
    (folder / "config.json").write_text("{")
    assert "not a configuration" in findings(folder)[0]
    shutil.copy(SHIPPED / SMALL / "config.json", folder)
    (folder / "model.safetensors").write_bytes(b"pickle?")
    assert "not a safetensors file" in findings(folder)[0]


def test_a_hugging_face_checkpoint_with_head_and_tokeniser_is_read(tmp_path: Path) -> None:
    """The folder that `save_pretrained` writes of a masked language model, as of `dandelin/vilt-b32-mlm`."""
    source = build_random("vilt-small-random", 9)
    model = ViltForMaskedLM(source.model.config)
    model.vilt.load_state_dict(source.model.state_dict())
    model.save_pretrained(tmp_path)
    source.processor.save_pretrained(tmp_path)
    BertTokenizer(vocab=dict(embedded_vocabulary())).save_pretrained(tmp_path)
    loaded = load_backbone(tmp_path)
    data = make_split("shapes", "test", 3, 0, loaded.tokenizer)
    assert (data.input_ids == make_split("shapes", "test", 3, 0).input_ids).all()
    arrays = (torch.from_numpy(data.input_ids), torch.from_numpy(data.attention_mask))
    pixels = loaded.preprocess(data.images)
    assert torch.equal(loaded(pixels, *arrays), source.eval()(pixels, *arrays))


def test_a_tokeniser_of_another_size_or_none_is_refused(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    BertTokenizer(vocab={**embedded_vocabulary(), "giraffe": len(embedded_vocabulary())}).save_pretrained(folder)
    assert "the tokeniser knows" in findings(folder)[0]
    (folder / "tokenizer.json").unlink()
    edit_json(folder / "config.json", vocab_size=80)
    state = load_file(folder / "model.safetensors")
    key = "embeddings.text_embeddings.word_embeddings.weight"
    state[key] = torch.zeros(80, 128, dtype=torch.float16)
    save_file(state, folder / "model.safetensors")
    assert "has no tokeniser" in findings(folder)[0]
