"""Checkpoints on disk: a folder in the Hugging Face layout, read strictly, with safetensors only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from hffm_opt.errors import Finding, HffmError, InputError
from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.modules.payload import all_finite

if TYPE_CHECKING:
    from hffm_opt.learning.tasks.tokens import Tokenizer

CONFIG, WEIGHTS, PROCESSOR, MANIFEST = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "manifest.json",
)
FORMAT_VERSION = 1
ModelT = TypeVar("ModelT", bound=nn.Module)
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
_HEADS = ("mlm_score.", "classifier.", "rank_output.")  # what checkpoints carry on top of the backbone
_BUFFERS = ("embeddings.text_embeddings.position_ids", "embeddings.text_embeddings.token_type_ids")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def telling(place: Path | str, repair: str = "save it again with `save_pretrained`") -> Iterator[None]:
    """Turn whatever is raised inside about a file into one error that names it: transformers has no class for that.

    Raises:
        InputError: anything was raised.
    """
    try:
        yield
    except HffmError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError.one(str(place), f"cannot be used: {words}", repair) from error


def check_files(folder: Path, *, need_manifest: bool) -> dict[str, Any]:
    """Return the folder's manifest, empty where there is none, once every file matches its SHA-256.

    Raises:
        InputError: a needed file is missing, the manifest cannot be read, or a file differs from it.
    """
    needed = (CONFIG, WEIGHTS, PROCESSOR, *((MANIFEST,) if need_manifest else ()))
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        repair = "save model (safetensors), image processor and tokeniser there with `save_pretrained`"
        raise InputError(Finding(str(folder / name), "the file is missing", repair) for name in missing)
    if not (folder / MANIFEST).is_file():
        return {}
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest["format_version"], dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError.one(str(folder / MANIFEST), f"not a manifest: {error}", "restore the folder") from error
    if version != FORMAT_VERSION:
        raise InputError.one(str(folder / MANIFEST), f"format version {version}", f"use version {FORMAT_VERSION}")
    findings = [
        Finding(str(folder / MANIFEST), f"{name} is not listed", "restore the folder")
        for name in (CONFIG, PROCESSOR, WEIGHTS)
        if name not in files
    ]
    findings += [
        Finding(str(folder / name), "the SHA-256 differs from the manifest's", "restore the file, it is damaged")
        for name, expected in sorted(files.items())
        if not (folder / name).is_file() or file_sha256(folder / name) != expected
    ]
    if findings:
        raise InputError(findings)
    return manifest


def read_backbone_state(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a file's backbone tensors in fp32, exactly the keys and shapes of ``expected``.

    Task heads on top of the backbone are left out.

    Raises:
        InputError: the file is no safetensors file, keys or shapes differ, or a value is not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise InputError.one(str(path), f"not a safetensors file: {error}", "save the model again") from error
    named = {key.removeprefix("vilt."): value for key, value in stored.items() if not key.startswith(_HEADS)}
    state = {key: value.to(torch.float32) for key, value in named.items() if key not in _BUFFERS}
    findings = [
        Finding(f"{path}:{key}", "the tensor is missing", "save the whole model, pooler included")
        for key in sorted(expected.keys() - state.keys())
    ]
    findings += [
        Finding(
            f"{path}:{key}",
            "the model has no such tensor",
            "use the configuration that belongs to the weights",
        )
        for key in sorted(state.keys() - expected.keys())
    ]
    findings += [
        Finding(
            f"{path}:{key}",
            f"shape {tuple(state[key].shape)} where the configuration says {tuple(expected[key].shape)}",
            "use the configuration that belongs to the weights",
        )
        for key in sorted(expected.keys() & state.keys())
        if state[key].shape != expected[key].shape
    ]
    findings += [
        Finding(f"{path}:{key}", "a value is not finite", "fetch or save the weights again")
        for key in sorted(state)
        if not all_finite(state[key])
    ]
    if findings:
        raise InputError(findings)
    return state


def read_tokenizer(folder: Path, words: int, embedded: Mapping[str, int]) -> Tokenizer | None:
    """Return the folder's tokeniser, or None where it has none and was made for the embedded vocabulary.

    ``words`` is the size of the model's vocabulary, ``embedded`` the embedded one.

    Raises:
        InputError: the tokeniser does not belong to the model, or is missing.
    """
    from transformers import AutoTokenizer

    if any((folder / name).is_file() for name in _TOKENIZER_FILES):
        with telling(f"{folder}, tokeniser"):
            loaded: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if len(loaded) != words:
            raise InputError.one(
                str(folder),
                f"the tokeniser knows {len(loaded)} pieces and the model {words}",
                "save the tokeniser that belongs to the model there",
            )
        tokenizer: Tokenizer = loaded
        return tokenizer
    if words != len(embedded):
        raise InputError.one(str(folder), "the folder has no tokeniser", "save the model's tokeniser there")
    return None


def load_checkpoint(folder: Path, name: str, *, need_manifest: bool = False) -> ViltBackbone:
    """Return the ViLT of a checkpoint folder, in evaluation mode and with all parameters frozen.

    Args:
        folder: holds ``config.json``, ``model.safetensors``, ``preprocessor_config.json`` and, unless made
            for the embedded vocabulary, a tokeniser; where a ``manifest.json`` is there, every file is held
            against it.
        name: the backbone's name.
        need_manifest: whether a folder without manifest is refused.

    Raises:
        InputError: a file is missing or damaged, or does not fit the others.
    """
    from transformers import ViltConfig, ViltImageProcessorPil, ViltModel

    from hffm_opt.learning.tasks.tokens import embedded_vocabulary, vocabulary_sha256

    manifest = check_files(folder, need_manifest=need_manifest)
    if manifest and manifest.get("vocabulary_sha256") != vocabulary_sha256():
        raise InputError.one(
            str(folder / MANIFEST), "the weights were made for another vocabulary", "pretrain them again"
        )
    try:
        kind = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise InputError.one(str(folder / CONFIG), f"not a configuration: {error}", "save the model again") from error
    if kind != "vilt":
        raise InputError.one(str(folder / CONFIG), f"model_type is {kind!r}", "use a ViLT checkpoint")
    # Building draws weights that are overwritten at once.
    with telling(folder / CONFIG), torch.random.fork_rng(devices=[]):
        config = ViltConfig.from_pretrained(folder, local_files_only=True)
        model: Any = ViltModel(config)
    expected = {key: value for key, value in model.state_dict().items() if key not in _BUFFERS}
    state = read_backbone_state(folder / WEIGHTS, expected)
    buffers = {key: value for key, value in model.state_dict().items() if key in _BUFFERS}
    model.load_state_dict({**state, **buffers}, strict=True)
    with telling(folder / PROCESSOR):
        processor = ViltImageProcessorPil.from_pretrained(folder, local_files_only=True)
    return freeze(
        ViltBackbone(model, name, processor, read_tokenizer(folder, config.vocab_size, embedded_vocabulary()))
    )


def save_checkpoint(backbone: ViltBackbone, folder: Path, training: dict[str, Any]) -> None:
    """Write a backbone that was made for the embedded vocabulary, weights in fp16, with its manifest.

    ``training`` says how the weights came about (seed, steps, data splits) and is kept in the manifest.
    """
    from safetensors.torch import save_file

    from hffm_opt.learning.tasks.tokens import vocabulary_sha256

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: value.detach().to(torch.float16).contiguous()
        for key, value in backbone.model.state_dict().items()
        if key not in _BUFFERS
    }
    backbone.model.config.save_pretrained(folder)
    backbone.processor.save_pretrained(folder)
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes 0600, which an installed package must not have
    write_manifest(folder, backbone.name, (CONFIG, PROCESSOR, WEIGHTS), vocabulary_sha256(), training)


def write_manifest(folder: Path, name: str, files: Sequence[str], vocabulary: str, training: dict[str, Any]) -> None:
    """Write the manifest of a checkpoint folder: the SHA-256 of ``files`` and of the ``vocabulary``, and versions."""
    import safetensors
    import transformers

    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "files": {file: file_sha256(folder / file) for file in files},
        "vocabulary_sha256": vocabulary,
        "training": training,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "safetensors": safetensors.__version__,
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def freeze(backbone: ModelT) -> ModelT:
    """Return the backbone itself, in evaluation mode, none of its parameters asking for a gradient."""
    backbone.eval()
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    return backbone
