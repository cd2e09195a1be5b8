"""Backbones by name: the shipped small ViLT, random ones for tests and benchmarks, checkpoints in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.checkpoint import PROCESSOR, WEIGHTS, freeze, load_checkpoint
from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.tasks.tokens import TEXT_LENGTH, embedded_vocabulary
from hffm_opt.seeds import derive_torch_seed

SMALL, SMALL_RANDOM, B32_RANDOM = "vilt-small", "vilt-small-random", "vilt-b32-random"
HUB = "hub:"
SHIPPED = Path(__file__).with_name("weights")


def build_random(name: str, seed: int) -> ViltBackbone:
    """Return a trainable ViLT with fresh weights: ``vilt-small-random`` or ``vilt-b32-random`` (87 M
    parameters and more).

    torch's global random state is left as it was.
    """
    from transformers import ViltConfig, ViltImageProcessorPil, ViltModel

    processor: Any
    if name == SMALL_RANDOM:
        config = ViltConfig(
            vocab_size=len(embedded_vocabulary()),
            max_position_embeddings=TEXT_LENGTH + 2,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=512,
            image_size=48,
            patch_size=8,
        )
        processor = ViltImageProcessorPil(do_resize=False, do_pad=False)
    else:
        config, processor = ViltConfig(), ViltImageProcessorPil()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_torch_seed(seed, "backbone", name))
        model: Any = ViltModel(config)
    return ViltBackbone(model, name, processor)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", WEIGHTS]))
    if not (folder / WEIGHTS).is_file() or not (folder / PROCESSOR).is_file():
        raise InputError.one(
            f"backbone {HUB}{name}",
            f"the hub has no {WEIGHTS} or no {PROCESSOR} of it",
            "convert it in a folder with `save_pretrained` and name the folder",
        )
    return folder


def load_backbone(name: str | Path) -> ViltBackbone:
    """Return a frozen backbone in evaluation mode.

    Args:
        name: ``vilt-small`` (shipped, pretrained); ``vilt-small-random`` or ``vilt-b32-random``, each with an
            optional ``:SEED``; the path of a ViLT checkpoint folder; or ``hub:NAME``, the only form that uses
            the network.

    Raises:
        InputError: the name stands for nothing, or its files are missing, damaged or do not fit together.

    >>> load_backbone("vilt-small-random:3").depth
    4
    """
    text = str(name)
    head, _, seed = text.partition(":")
    if text == SMALL:
        return load_checkpoint(SHIPPED / SMALL, SMALL, need_manifest=True)
    if head in (SMALL_RANDOM, B32_RANDOM):
        if seed and not seed.isdecimal():
            raise InputError.one("backbone", f"{seed!r} is no seed", f"write {head}:0")
        return freeze(build_random(head, int(seed or 0)))
    if text.startswith(HUB):
        return load_checkpoint(_download(text.removeprefix(HUB)), text)
    if text and Path(text).is_dir():
        return load_checkpoint(Path(text), Path(text).name)
    raise InputError.one(
        "backbone",
        f"no backbone or folder is called {text!r}",
        f"use {SMALL}, {SMALL_RANDOM}, {B32_RANDOM}, a checkpoint's folder, or {HUB}NAME",
    )
