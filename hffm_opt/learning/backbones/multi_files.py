"""Multi-encoders on disk: one folder with configuration, weights, image processor and manifest, read strictly.

config.json                 the encoders' configurations (transformers'), fusion, spectrogram
model.safetensors           all weights
preprocessor_config.json    the image processor (where pictures are read)
tokenizer.json, ...         the text encoder's tokeniser, unless made for the embedded vocabulary
manifest.json               SHA-256 of these files (in shipped folders; elsewhere optional)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.checkpoint import (
    CONFIG,
    MANIFEST,
    PROCESSOR,
    WEIGHTS,
    check_files,
    freeze,
    read_backbone_state,
    read_tokenizer,
    telling,
    write_manifest,
)
from hffm_opt.learning.backbones.multi import MultiConfig, MultiEncoder
from hffm_opt.learning.tasks.tokens import embedded_vocabulary, vocabulary_sha256
from hffm_opt.serial import dump_json, validate, write_text


def load_multi(folder: Path, name: str, *, need_manifest: bool = False) -> MultiEncoder:
    """Return the multi-encoder of a folder, in evaluation mode and with all parameters frozen.

    Args:
        folder: see above; where a manifest is there, every file is held against it.
        name: the backbone's name.
        need_manifest: whether a folder without manifest is refused.

    Raises:
        InputError: a file is missing or damaged, or does not fit the others.
    """
    from transformers import AutoImageProcessor

    manifest = check_files(folder, need_manifest=need_manifest)
    if manifest and manifest.get("vocabulary_sha256") != vocabulary_sha256(sound=True):
        raise InputError.one(
            str(folder / MANIFEST), "the weights were made for another vocabulary", "pretrain them again"
        )
    with telling(folder / CONFIG):
        config = validate(json.loads((folder / CONFIG).read_text(encoding="utf-8")), MultiConfig, "multi-encoder")
    tokenizer = None
    if text := config.encoders.get("text"):
        tokenizer = read_tokenizer(folder, int(text.get("vocab_size", 0)), embedded_vocabulary(sound=True))
    with telling(folder / PROCESSOR):
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    # Building draws weights that are overwritten at once.
    with telling(folder / CONFIG), torch.random.fork_rng(devices=[]):
        model = MultiEncoder(config, name, processor, tokenizer)
    model.load_state_dict(read_backbone_state(folder / WEIGHTS, model.state_dict()), strict=True)
    return freeze(model)


def save_multi(
    backbone: MultiEncoder, folder: Path, training: dict[str, Any], dtype: torch.dtype = torch.float16
) -> None:
    """Write a multi-encoder with its manifest, weights in ``dtype``.

    ``training`` says how the weights came about and is kept in the manifest.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, dump_json(backbone.config))
    backbone.processor.save_pretrained(folder)
    state = {key: value.detach().to(dtype).contiguous() for key, value in backbone.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes 0600, which an installed package must not have
    write_manifest(folder, backbone.name, (CONFIG, PROCESSOR, WEIGHTS), vocabulary_sha256(sound=True), training)
