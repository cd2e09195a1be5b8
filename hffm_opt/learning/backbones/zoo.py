"""Backbones by name: the shipped small ones, random ones for tests and benchmarks, checkpoints in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.checkpoint import CONFIG, PROCESSOR, WEIGHTS, freeze, load_checkpoint, telling
from hffm_opt.learning.backbones.multi import MODEL_TYPE, MultiEncoder, small_config
from hffm_opt.learning.backbones.multi_files import load_multi
from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.tasks.tokens import TEXT_LENGTH, embedded_vocabulary
from hffm_opt.seeds import derive_torch_seed

SMALL, SMALL_RANDOM, B32_RANDOM = "vilt-small", "vilt-small-random", "vilt-b32-random"
MULTI_SMALL, MULTI_RANDOM, EXPERTS_RANDOM = "multi-small", "multi-small-random", "moe-small-random"
EXPERTS = 4
HUB = "hub:"
MOST_DIGITS = 100  # of a seed
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


def build_random_multi(name: str, seed: int) -> MultiEncoder:
    """Return a trainable small multi-encoder with fresh weights: ``multi-small-random``, or ``moe-small-random``,
    whose fusion is a mixture of experts.

    torch's global random state is left as it was.
    """
    from transformers import SiglipImageProcessorPil

    config = small_config(EXPERTS if name == EXPERTS_RANDOM else 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_torch_seed(seed, "backbone", name))
        return MultiEncoder(config, name, SiglipImageProcessorPil(do_resize=False))


def _load_folder(folder: Path, name: str, *, need_manifest: bool = False) -> ViltBackbone | MultiEncoder:
    """Return the backbone of a checkpoint folder, a ViLT or a multi-encoder as its configuration says."""
    config = folder / CONFIG
    if config.is_file() and MODEL_TYPE in config.read_text(encoding="utf-8", errors="replace"):
        return load_multi(folder, name, need_manifest=need_manifest)
    return load_checkpoint(folder, name, need_manifest=need_manifest)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    with telling(f"backbone {HUB}{name}", "look the name up, or download it and name the folder"):
        folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", WEIGHTS]))
    if not (folder / WEIGHTS).is_file() or not (folder / PROCESSOR).is_file():
        raise InputError.one(
            f"backbone {HUB}{name}",
            f"the hub has no {WEIGHTS} or no {PROCESSOR} of it",
            "convert it in a folder with `save_pretrained` and name the folder",
        )
    return folder


def load_backbone(name: str | Path) -> ViltBackbone | MultiEncoder:
    """Return a frozen backbone in evaluation mode.

    Args:
        name: ``vilt-small`` or ``multi-small`` (shipped, pretrained); ``vilt-small-random``, ``vilt-b32-random``,
            ``multi-small-random`` or ``moe-small-random``, each with an optional ``:SEED``; the path of a checkpoint
            folder; or ``hub:NAME`` of a ViLT, the only form that uses the network.

    Raises:
        InputError: the name stands for nothing, or its files are missing, damaged or do not fit together.

    >>> load_backbone("vilt-small-random:3").depth
    4
    """
    text = str(name)
    head, _, seed = text.partition(":")
    if text in (SMALL, MULTI_SMALL):
        return _load_folder(SHIPPED / text, text, need_manifest=True)
    if head in (SMALL_RANDOM, B32_RANDOM, MULTI_RANDOM, EXPERTS_RANDOM):
        if seed and not (seed.isdecimal() and len(seed) <= MOST_DIGITS):
            raise InputError.one("backbone", f"{seed[:MOST_DIGITS]!r} is no seed", f"write {head}:0")
        build = build_random if head in (SMALL_RANDOM, B32_RANDOM) else build_random_multi
        return freeze(build(head, int(seed or 0)))
    if text.startswith(HUB):
        return load_checkpoint(_download(text.removeprefix(HUB)), text)
    if text and Path(text).is_dir():
        return _load_folder(Path(text), Path(text).name)
    raise InputError.one(
        "backbone",
        f"no backbone or folder is called {text!r}",
        f"use {', '.join((SMALL, MULTI_SMALL, SMALL_RANDOM, B32_RANDOM, MULTI_RANDOM, EXPERTS_RANDOM))}, "
        f"a checkpoint's folder, or {HUB}NAME",
    )
