"""Parts of the backbone that are trained themselves, wholly or by low-rank adapters: encoders and layers.

    W x + (alpha / r) B A x        on a linear layer, A [r, in], B [out, r]

Names, start (A as a linear layer's weights, B zero) and arithmetic are peft's, whose layers these are.

Source: Hu et al., arXiv 2106.09685.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.stacked import Stacked, clone
from hffm_opt.learning.modules.steps import Group, Site, Step, Values, chosen_layers, encode, encoder_inputs, layer
from hffm_opt.learning.tasks.tones import CLIP_SAMPLES
from hffm_opt.scenario.model import ModuleKind
from hffm_opt.scenario.parts import EncoderPart, LayersPart, LoraPart

LORA, LAYERS = "lora", "layers"
_PEFT_NAME = "default"


def encoder_name(modality: str) -> str:
    """Return the name of an encoder's module."""
    return f"encoder-{modality}"


@dataclass(frozen=True)
class LowRank:
    """How low-rank adapters are put into a module; ``where`` is the place in the scenario that errors name."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    where: str

    @classmethod
    def of(cls, part: LoraPart | EncoderPart, where: str) -> LowRank | None:
        """Return how a part is trained by low-rank adapters, None if wholly."""
        return None if part.rank is None else cls(part.rank, part.alpha, part.targets, where)


class TunedLayers:
    """Layers of the backbone that run with their devices' own parameters, all of them or low-rank ones."""

    def __init__(self, layers: tuple[int, ...], low_rank: LowRank | None) -> None:
        self._layers, self._low_rank = layers, low_rank
        self.alpha = low_rank.alpha if low_rank else None

    def steps(self, site: Site) -> Mapping[str, Step]:
        """Return one step in place of each layer."""
        (name,) = site.modules

        def run(stacked: Stacked, values: Values, group: Group) -> Values:
            return {**values, "hidden": stacked(group.states[name], values["hidden"], values["mask"])}

        return {layer(i): Step(partial(run, self._stacked(site.backbone, i)), site.modules) for i in self._layers}

    def _stacked(self, backbone: Backbone, index: int) -> Stacked:
        block = backbone.block(index)
        tuned = inject(block, self._low_rank) if self._low_rank else block
        keys = {name: _key(backbone.paths[index], name) for name in _trained(tuned, self._low_rank)}
        return Stacked(tuned, keys, vectorised=not _has_sparse_experts(block))


class TunedEncoder:
    """A modality's encoder that runs with its devices' own parameters, ``names``."""

    def __init__(self, modality: str, low_rank: LowRank | None, names: tuple[str, ...]) -> None:
        self._modality, self._low_rank, self._names = modality, low_rank, names
        self.alpha = low_rank.alpha if low_rank else None

    def steps(self, site: Site) -> Mapping[str, Step]:
        """Return the step in place of the encoder."""
        (name,) = site.modules
        encoder = site.backbone.encoder(self._modality)
        tuned = inject(encoder, self._low_rank) if self._low_rank else encoder
        stacked = Stacked(tuned, {own: _key("", own) for own in self._names})

        def run(values: Values, group: Group) -> Values:
            tokens = stacked(group.states[name], *encoder_inputs(self._modality, values))
            rest = {key: value for key, value in values.items() if key != self._modality}
            return {**rest, f"tokens.{self._modality}": tokens}

        return {encode(self._modality): Step(run, site.modules)}


def _key(path: str, name: str) -> str:
    """Return the key of a parameter: its path in the model on disk, as peft writes it."""
    own = name.removeprefix("model.").replace(f".{_PEFT_NAME}.", ".")
    return f"{path}.{own}" if path else own


def inject(module: nn.Module, low_rank: LowRank) -> nn.Module:
    """Return a copy of a module with peft's low-rank layers in it; all other parameters are shared.

    Raises:
        InputError: no linear layer's name ends in one of the targets.
    """
    from peft import LoraConfig, inject_adapter_in_model

    linear = {name for name, child in module.named_modules() if isinstance(child, nn.Linear)}
    last = {name.rpartition(".")[2] for name in linear}
    unknown = sorted(
        target for target in low_rank.targets if not any(f".{name}".endswith(f".{target}") for name in linear)
    )
    if unknown:
        repair = f"use one of: {', '.join(sorted(last))}" if last else "train it wholly: rank: null"
        raise InputError.one(f"{low_rank.where}.targets", f"no linear layer is called {', '.join(unknown)}", repair)
    copied = clone(module)
    config = LoraConfig(
        r=low_rank.rank, lora_alpha=low_rank.alpha, target_modules=list(low_rank.targets), lora_dropout=0.0
    )
    with torch.random.fork_rng(devices=[]):  # peft draws weights that are never used
        inject_adapter_in_model(config, copied, adapter_name=_PEFT_NAME)
    return copied.eval().requires_grad_(False)


def _trained(module: nn.Module, low_rank: LowRank | None) -> dict[str, Tensor]:
    """Return the parameters of a tuned module that are trained: all, or the low-rank ones."""
    found = module.named_parameters()
    return {name: p for name, p in found if low_rank is None or ".lora_A." in name or ".lora_B." in name}


def _module(
    name: str,
    kind: ModuleKind,
    tasks: tuple[str, ...],
    parameters: Mapping[str, Tensor],
    part: TunedLayers | TunedEncoder,
    low_rank: LowRank | None,
    modalities: tuple[str, ...] = (),
) -> Module:
    """Return the module of tuned parameters (key to tensor): by peft's law of start, or as they are."""
    return Module(
        name=name,
        kind=kind,
        tasks=tasks,
        shapes={key: tuple(p.shape) for key, p in parameters.items()},
        part=part,
        fan_in={key: p.shape[1] for key, p in parameters.items() if low_rank and ".lora_A." in key},
        pretrained={} if low_rank else parameters,
        modalities=modalities,
    )


def layer_module(part: LoraPart | LayersPart, backbone: Backbone, tasks: tuple[str, ...], where: str) -> Module:
    """Return the module of layers that are trained wholly or by low-rank adapters.

    Raises:
        InputError: there are no such layers in the backbone; ``where`` is the part's place in the scenario.
    """
    layers = chosen_layers(part.layers, backbone.depth, where)
    low_rank = LowRank.of(part, where) if isinstance(part, LoraPart) else None
    parameters: dict[str, Tensor] = {}
    for i in layers:
        block = backbone.block(i)
        found = _trained(inject(block, low_rank) if low_rank else block, low_rank)
        parameters |= {_key(backbone.paths[i], name): p for name, p in found.items()}
    kind: ModuleKind
    name, kind = (LORA, "adapter") if low_rank else (LAYERS, "encoder")
    return _module(name, kind, tasks, parameters, TunedLayers(layers, low_rank), low_rank)


def _has_sparse_experts(module: nn.Module) -> bool:
    from hffm_opt.learning.backbones.fusion import SparseExperts

    return any(isinstance(child, SparseExperts) for child in module.modules())


def _blank(backbone: Backbone, modality: str) -> tuple[Tensor, ...]:
    """Return an empty sample of a modality as its encoder takes it."""
    if modality == "image":
        return (backbone.preprocess(np.zeros((1, *backbone.form.image_size, 3), dtype=np.uint8)),)
    if modality == "audio":
        return (backbone.preprocess_audio(np.zeros((1, CLIP_SAMPLES), dtype=np.int16)),)
    words = torch.ones(1, backbone.form.text_length, dtype=torch.int64)
    return words, words


def _in_use(module: nn.Module, inputs: Iterable[Tensor]) -> dict[str, Tensor]:
    """Return the parameters that a module's output depends on: an encoder may have heads that nobody asks here."""
    own = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}
    output = torch.func.functional_call(module, own, tuple(inputs))
    found = torch.autograd.grad(output.sum(), list(own.values()), allow_unused=True)
    return {name: p for (name, p), gradient in zip(own.items(), found, strict=True) if gradient is not None}


def encoder_module(
    part: EncoderPart, backbone: Backbone, modalities: Mapping[str, tuple[str, ...]], where: str
) -> Module:
    """Return the module of a modality's encoder; its tasks are those with the modality.

    Raises:
        InputError: the backbone or every task lacks the modality; ``where`` is the part's place in the scenario.
    """
    tasks = tuple(task for task, given in modalities.items() if part.modality in given)
    if part.modality not in backbone.form.modalities or not tasks:
        lacking = "no task has it" if part.modality in backbone.form.modalities else "the backbone does not read it"
        raise InputError.one(f"{where}.modality", f"{part.modality}: {lacking}", "name another, or leave the part out")
    encoder, low_rank = backbone.encoder(part.modality), LowRank.of(part, where)
    if low_rank:
        found = _trained(inject(encoder, low_rank), low_rank)
    else:
        found = _in_use(encoder, _blank(backbone, part.modality))
    tuned = TunedEncoder(part.modality, low_rank, tuple(found))
    parameters = {_key("", name): p for name, p in found.items()}
    return _module(encoder_name(part.modality), "encoder", tasks, parameters, tuned, low_rank, (part.modality,))
