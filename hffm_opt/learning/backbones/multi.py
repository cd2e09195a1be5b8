"""A backbone of several encoders with fusion: SigLIP or CLIP for pictures and text, AST for sounds.

Every modality has its own encoder from transformers; a :class:`~hffm_opt.learning.backbones.fusion.Fusion` transformer
reads all their tokens. Samples without a modality simply have no tokens of it. With experts in the fusion it is the
mixture-of-experts form of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.fusion import Fusion, FusionConfig
from hffm_opt.learning.backbones.layered import LayeredBackbone
from hffm_opt.learning.backbones.spectrogram import Spectrogram
from hffm_opt.learning.tasks.form import InputForm
from hffm_opt.learning.tasks.render import HEIGHT, WIDTH
from hffm_opt.learning.tasks.tokens import Tokenizer, embedded_tokenizer
from hffm_opt.scenario.model import Frozen

MODEL_TYPE: Literal["hffm-multi-encoder"] = "hffm-multi-encoder"
ENCODERS = {
    "image": {"siglip_vision_model": "SiglipVision", "clip_vision_model": "CLIPVision"},
    "text": {"siglip_text_model": "SiglipText", "clip_text_model": "CLIPText"},
    "audio": {"audio-spectrogram-transformer": "AST"},
}
"""Modality to the model types that can encode it, each with the beginning of its classes' names in transformers."""


class MultiConfig(Frozen):
    """What a multi-encoder is built from: each encoder's configuration (transformers'), fusion, and spectrogram."""

    model_type: Literal["hffm-multi-encoder"] = MODEL_TYPE
    encoders: dict[Literal["image", "text", "audio"], dict[str, Any]]
    fusion: FusionConfig = FusionConfig()
    spectrogram: Spectrogram = Spectrogram()


def build_encoder(modality: str, settings: dict[str, Any]) -> Any:
    """Return a fresh encoder of a modality with the configuration given.

    Raises:
        InputError: its model type cannot encode this modality.
    """
    import transformers

    known, kind = ENCODERS[modality], settings.get("model_type")
    if kind not in known:
        message = f"the model type {kind!r} does not encode {modality}"
        raise InputError.one(f"config.encoders.{modality}", message, f"use one of: {', '.join(known)}")
    config = getattr(transformers, f"{known[kind]}Config").from_dict(settings)
    config._attn_implementation = "eager"  # fused kernels escape the counting of FLOPs
    return getattr(transformers, f"{known[kind]}Model")(config)


class _Pictures(nn.Module):
    """An encoder of pictures that returns its tokens alone, [N, S, width]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.side = model, model.config.image_size

    def forward(self, pixels: Tensor) -> Tensor:
        stretched = pixels.shape[-2:] != (self.side, self.side)
        output: Tensor = self.model(pixel_values=pixels, interpolate_pos_encoding=stretched).last_hidden_state
        return output


class _Words(nn.Module):
    """An encoder of text that returns its tokens alone, [N, L, width].

    It makes the additive mask itself, since transformers looks into a mask of zeros and ones for one that masks
    nothing, which cannot be done for many devices at once. CLIP's words see those before them alone.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.causal = model, model.config.model_type == "clip_text_model"

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        length, kind = input_ids.shape[1], self.model.dtype
        seen = (attention_mask != 0)[:, None, None, :]
        if self.causal:
            seen = seen & torch.ones(length, length, dtype=torch.bool, device=seen.device).tril()
        mask = torch.zeros_like(seen, dtype=kind).masked_fill(~seen, torch.finfo(kind).min)
        output: Tensor = self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        return output


class _Sounds(nn.Module):
    """An encoder of spectrograms that returns its tokens alone, [N, S, width]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, spectrograms: Tensor) -> Tensor:
        output: Tensor = self.model(input_values=spectrograms).last_hidden_state
        return output


_TOKENS: dict[str, Callable[[Any], nn.Module]] = {"text": _Words, "image": _Pictures, "audio": _Sounds}


class MultiEncoder(LayeredBackbone):
    """Encoders with fusion behind the :class:`~hffm_opt.learning.backbones.base.Backbone` protocol.

    ``embed`` runs the encoders, ``layer`` the fusion's layers. The weights are fresh; the global random generator is
    drawn from.

    Args:
        config: what to build.
        name: the name that plans and traces carry.
        processor: the image processor, where pictures are read.
        tokenizer: the text encoder's tokeniser; None stands for the embedded vocabulary's with the words on sounds.

    Raises:
        InputError: there is no encoder, or one of an unknown type.
    """

    def __init__(
        self, config: MultiConfig, name: str, processor: Any = None, tokenizer: Tokenizer | None = None
    ) -> None:
        super().__init__(name, processor, config.fusion.width)
        if not config.encoders:
            raise InputError.one("config.encoders", "there is no encoder", "give at least one")
        self.config = config
        self.tokenizer = tokenizer or embedded_tokenizer(sound=True)
        self.modalities = tuple(sorted(config.encoders, key=list(ENCODERS).index))
        built: dict[str, Any] = {
            modality: build_encoder(modality, config.encoders[modality]) for modality in self.modalities
        }
        self.settings = {modality: encoder.config for modality, encoder in built.items()}
        self.encoders = nn.ModuleDict(built)
        self.fusion = Fusion(config.fusion, {name: part.hidden_size for name, part in self.settings.items()})
        self.expose(
            {name: _TOKENS[name](model) for name, model in built.items()},
            {f"fusion.layers.{i}": layer for i, layer in enumerate(self.fusion.layers)},
        )

    @property
    def form(self) -> InputForm:
        """What the model reads: any of its encoders' modalities."""
        side = (HEIGHT, WIDTH)
        if "image" in self.modalities and self.processor.do_resize:
            side = (self.settings["image"].image_size,) * 2
        longest = self.settings["text"].max_position_embeddings if "text" in self.modalities else 1
        return InputForm(self.modalities, (), self.tokenizer, longest, side)

    def preprocess_audio(self, waveforms: NDArray[np.int16]) -> Tensor:
        """Return log-mel spectrograms float32 [N, frames, bins] of sounds int16 [N, T]."""
        return self.config.spectrogram(waveforms)

    def embed(
        self,
        pixel_values: Tensor | None,
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        audio: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return hidden states [N, S, width] and additive mask [N, 1, 1, S]: one token, then text, image, sound.

        Raises:
            ValueError: nothing is given, or a modality without encoder.
        """
        given = {"text": input_ids, "image": pixel_values, "audio": audio}
        for modality, part in given.items():
            if part is not None and modality not in self.modalities:
                raise ValueError(f"this model has no encoder for {modality}")
        return super().embed(pixel_values, input_ids, attention_mask, audio)

    def join(self, tokens: Mapping[str, Tensor], attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the fusion's first hidden states [N, S, width] and their additive mask [N, 1, 1, S]."""
        if not tokens:
            raise ValueError("a sample needs at least one modality")
        kept = {name: part.new_ones(part.shape[:2]) for name, part in tokens.items()}
        if attention_mask is not None:
            kept["text"] = attention_mask
        hidden: tuple[Tensor, Tensor] = self.fusion.join(dict(tokens), kept)
        return hidden

    def pool(self, hidden: Tensor) -> Tensor:
        """Return the pooled first token of the last layer's hidden states, [N, width]."""
        pooled: Tensor = self.fusion.pooler(self.fusion.norm(hidden))
        return pooled


def small_config(experts: int = 0) -> MultiConfig:
    """Return the small multi-encoder of the embedded tasks: two layers per encoder, four of fusion.

    Without experts, the fusion's layers are of the size of ``vilt-small``'s.
    """
    from hffm_opt.learning.tasks.tokens import TEXT_LENGTH, embedded_vocabulary

    vocabulary = embedded_vocabulary(sound=True)
    sizes = {"hidden_size": 96, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4}
    image = {"model_type": "clip_vision_model", "image_size": 48, "patch_size": 8, "projection_dim": 96}
    text = {"model_type": "siglip_text_model", "vocab_size": len(vocabulary), "projection_size": 96}
    marks = {
        f"{name}_token_id": vocabulary[f"[{piece}]"] for name, piece in (("pad", "PAD"), ("bos", "CLS"), ("eos", "SEP"))
    }
    sound = {"model_type": "audio-spectrogram-transformer", "patch_size": 8, "frequency_stride": 8, "time_stride": 8}
    spectrogram = Spectrogram()
    return MultiConfig(
        encoders={
            "image": {**image, **sizes},
            "text": {**text, **sizes, **marks, "max_position_embeddings": TEXT_LENGTH + 2},
            "audio": {**sound, **sizes, "max_length": spectrogram.frames, "num_mel_bins": spectrogram.mel_bins},
        },
        fusion=FusionConfig(experts=experts, intermediate=128 if experts else 512),
        spectrogram=spectrogram,
    )
