"""Put a multi-encoder together from encoders on disk, with a fusion of fresh weights.

    python -m hffm_opt.learning.backbones.assemble --image DIR --text DIR --audio DIR --out DIR

Each folder holds a checkpoint in the Hugging Face layout, SigLIP or CLIP for pictures and text (one folder may serve
both), AST for sounds; without ``--audio`` the result is a dual encoder. ``learning.backbone`` then names the folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hffm_opt.errors import HffmError, InputError
from hffm_opt.learning.backbones.checkpoint import CONFIG, PROCESSOR, telling
from hffm_opt.learning.backbones.fusion import FusionConfig
from hffm_opt.learning.backbones.multi import ENCODERS, MultiConfig, MultiEncoder
from hffm_opt.learning.backbones.multi_files import save_multi
from hffm_opt.learning.backbones.spectrogram import Spectrogram
from hffm_opt.seeds import derive_torch_seed

_PARTS = {"image": "vision_config", "text": "text_config"}


def _load_encoder(modality: str, folder: Path) -> Any:
    """Return an encoder of a checkpoint folder with its weights in fp32.

    Raises:
        InputError: the folder has no such encoder, or lacks some of its weights.
    """
    import transformers

    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError.one(
            str(folder / CONFIG), f"not a configuration: {error}", "give a checkpoint folder"
        ) from None
    kind = settings.get(_PARTS.get(modality, ""), settings).get("model_type")
    if kind not in ENCODERS[modality]:
        message = f"the model type {kind!r} does not encode {modality}"
        raise InputError.one(str(folder / CONFIG), message, f"use one of: {', '.join(ENCODERS[modality])}")
    model = getattr(transformers, f"{ENCODERS[modality][kind]}Model")
    options = {"local_files_only": True, "dtype": torch.float32, "output_loading_info": True}
    with telling(folder):
        encoder, info = model.from_pretrained(folder, **options)
    if info["missing_keys"] or info["mismatched_keys"]:
        names = ", ".join(sorted(map(str, (*info["missing_keys"], *info["mismatched_keys"])))[:5])
        raise InputError.one(str(folder), f"weights are missing or of another shape: {names}", "save the model again")
    return encoder


def _spectrogram(folder: Path) -> Spectrogram:
    with telling(folder / PROCESSOR):
        settings = json.loads((folder / PROCESSOR).read_text(encoding="utf-8"))
        return Spectrogram(
            rate_hz=settings["sampling_rate"],
            mel_bins=settings["num_mel_bins"],
            frames=settings["max_length"],
            mean=settings["mean"],
            std=settings["std"],
        )


def assemble(folders: Mapping[str, Path], fusion: FusionConfig, out: Path, seed: int = 0) -> None:
    """Write a multi-encoder of the encoders in ``folders`` (modality to checkpoint folder), weights in fp32.

    Args:
        folders: at least ``image`` and ``text``; ``audio`` too for three encoders.
        fusion: the fusion's sizes.
        out: the folder to write.
        seed: root of the fusion's weights.

    Raises:
        InputError: a folder has no such encoder, or lacks weights or settings.
    """
    from transformers import AutoImageProcessor, AutoTokenizer

    encoders = {modality: _load_encoder(modality, folder) for modality, folder in folders.items()}
    settings = {modality: encoder.config.to_dict() for modality, encoder in encoders.items()}
    spectrogram = _spectrogram(folders["audio"]) if "audio" in folders else Spectrogram()
    config = MultiConfig.model_validate({"encoders": settings, "fusion": fusion, "spectrogram": spectrogram})
    with telling(f"{folders['text']}, tokeniser"):
        tokenizer: Any = AutoTokenizer.from_pretrained(folders["text"], local_files_only=True)
    with telling(folders["image"] / PROCESSOR):
        processor = AutoImageProcessor.from_pretrained(folders["image"], backend="pil", local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_torch_seed(seed, "assemble"))
        backbone = MultiEncoder(config, out.name, processor, tokenizer)
    for modality, encoder in encoders.items():
        backbone.encoders[modality].load_state_dict(encoder.state_dict(), strict=True)
    sources = {modality: str(folder) for modality, folder in folders.items()}
    save_multi(backbone, out, {"seed": seed, "encoders": sources, "fusion": "fresh"}, torch.float32)
    tokenizer.save_pretrained(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Assemble a multi-encoder and write it; return the exit code."""
    parser = argparse.ArgumentParser(description="Put a multi-encoder together from encoders on disk.")
    for modality in ENCODERS:
        parser.add_argument(f"--{modality}", type=Path, required=modality != "audio", help="checkpoint folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    for name, field in FusionConfig.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=field.default)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args(arguments))
    try:
        fusion = FusionConfig(**{name: options[name] for name in FusionConfig.model_fields})
        folders = {modality: options[modality] for modality in ENCODERS if options[modality] is not None}
        assemble(folders, fusion, options["out"], options["seed"])
    except HffmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
