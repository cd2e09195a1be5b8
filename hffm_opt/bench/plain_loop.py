"""A round of local training organised as published federated-learning code is: the yardstick of ``round-throughput``.

One device after another; every batch is preprocessed when it is its turn, pictures by the checkpoint's own processor
and questions padded to 40 tokens; transformers' own forward pass; a torch module with adapters per device over a shared
frozen ViLT; ``torch.optim.AdamW``. Batches, weights and losses are those of
:class:`~hffm_opt.learning.local.LocalTrainer`, so that both paths must find the same.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.modules.module import ADAPTERS, BRANCHES, head_name
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.tasks.tokens import embedded_tokenizer
from hffm_opt.learning.tasks.values import Int64Array, TaskData
from hffm_opt.scenario.model import Learning
from hffm_opt.seeds import derive

TEXT_LENGTH = 40


def long_embeddings(backbone: ViltBackbone) -> Any:
    """Return a ViLT's embeddings with room for 40 text positions; the added ones are padding alone and never count."""
    parts = copy.deepcopy(backbone.model.embeddings)
    text = parts.text_embeddings
    table = text.position_embeddings.weight.detach()
    if len(table) < TEXT_LENGTH:
        padded = torch.cat((table, table.new_zeros(TEXT_LENGTH - len(table), table.shape[1])))
        text.position_embeddings = nn.Embedding(len(padded), padded.shape[1], _weight=padded)
        text.register_buffer("position_ids", torch.arange(TEXT_LENGTH)[None], persistent=False)
        text.register_buffer("token_type_ids", torch.zeros(1, TEXT_LENGTH, dtype=torch.int64), persistent=False)
    return parts


class Bottleneck(nn.Module):
    """One adapter branch, with weights [d, k] and [k, d] of a stacked state."""

    def __init__(self, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(*down.shape), nn.Linear(*up.shape)
        for layer, weight, bias in ((self.down, down, down_bias), (self.up, up, up_bias)):
            layer.weight.data, layer.bias.data = weight.T.clone(), bias.clone()

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the branch's addend to ``hidden``."""
        added: Tensor = self.up(gelu(self.down(hidden)))
        return added


class AdaptedVilt(nn.Module):
    """A device's model: the shared frozen ViLT, and adapters and heads of its own."""

    def __init__(self, backbone: ViltBackbone, embeddings: Any, model: Mapping[str, State]) -> None:
        super().__init__()
        self.vilt, self.embeddings = backbone.model, embeddings
        adapters = model[ADAPTERS]
        width = adapters["down_bias"].shape[1] // BRANCHES
        parts = [slice(branch * width, (branch + 1) * width) for branch in range(BRANCHES)]
        self.adapters = nn.ModuleList(
            nn.ModuleList(
                Bottleneck(down[:, part], down_bias[part], up[part], up_bias[branch])
                for branch, part in enumerate(parts)
            )
            for down, down_bias, up, up_bias in zip(
                *(adapters[key] for key in ("down_weight", "down_bias", "up_weight", "up_bias")), strict=True
            )
        )
        self.heads = nn.ModuleDict()
        for name, state in model.items():
            if name != ADAPTERS:
                self.heads[name] = nn.Linear(*state["weight"].shape)
                self.heads[name].weight.data, self.heads[name].bias.data = (
                    state["weight"].T.clone(),
                    state["bias"].clone(),
                )

    def forward(self, batch: Mapping[str, Tensor], head: str) -> Tensor:
        """Return the answer logits [N, answers]."""
        hidden, kept = self.embeddings(
            batch["input_ids"],
            batch["attention_mask"],
            None,
            batch["pixel_values"],
            batch["pixel_mask"],
            None,
            None,
            image_token_type_idx=1,
        )
        mask = (1.0 - kept[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        for layer, branches in zip(self.vilt.encoder.layer, self.adapters, strict=True):
            hidden = layer(hidden, mask)[0]
            hidden = hidden + sum(branch(hidden) for branch in branches.children())
        logits: Tensor = self.heads[head](self.vilt.pooler(self.vilt.layernorm(hidden)))
        return logits


def read_batch(backbone: ViltBackbone, data: TaskData, questions: list[str], chosen: Int64Array) -> dict[str, Tensor]:
    """Return a batch as the processor makes it: pictures one by one, questions as tokens padded to 40."""
    assert data.images is not None
    pictures = backbone.processor(list(data.images[chosen]), return_tensors="pt")
    tokenizer = backbone.tokenizer or embedded_tokenizer()
    words = tokenizer(
        [questions[i] for i in chosen],
        padding="max_length",
        max_length=TEXT_LENGTH,
        return_tensors="pt",
        return_attention_mask=True,
    )
    found = {"pixel_values": pictures["pixel_values"], **{key: words[key] for key in ("input_ids", "attention_mask")}}
    found["pixel_mask"] = pictures.get("pixel_mask", torch.ones_like(found["pixel_values"][:, 0], dtype=torch.int64))
    device = next(backbone.parameters()).device
    return {key: value.to(device) for key, value in found.items()}


def questions_of(backbone: ViltBackbone, data: TaskData) -> list[str]:
    """Return the questions of some samples in words."""
    tokenizer: Any = backbone.tokenizer or embedded_tokenizer()
    return list(tokenizer.batch_decode(data.input_ids, skip_special_tokens=True))


def train_one_by_one(
    backbone: ViltBackbone,
    data: FederatedData,
    questions: Mapping[str, list[str]],
    learning: Learning,
    states: StackedStates,
    seed: int,
    number: int,
) -> dict[str, NDArray[np.float64]]:
    """Train every device in turn and return its mean loss per task, float64 [U], NaN where it has no samples.

    ``questions`` are those of each task's training samples, as :func:`questions_of` returns them.
    """
    embeddings, device = long_embeddings(backbone), next(backbone.parameters()).device
    losses = {task: np.full(data.devices, np.nan) for task in data.tasks}
    for row in range(data.devices):
        model = AdaptedVilt(backbone, embeddings, states.model_of(row)).to(device)
        trained = [*model.adapters.parameters(), *model.heads.parameters()]
        optimiser = torch.optim.AdamW(trained, lr=learning.learning_rate)
        streams = {task: derive(seed, number, data.streams[row], task, "batches") for task in data.tasks}
        sums = dict.fromkeys(data.tasks, 0.0)
        for _ in range(learning.local_passes):
            for task, found in data.tasks.items():
                order = streams[task].permutation(found.shares[row])
                for first in range(0, len(order), learning.batch_size):
                    chosen = order[first : first + learning.batch_size]
                    logits = model(read_batch(backbone, found.train, questions[task], chosen), head_name(task))
                    loss = cross_entropy(logits, torch.from_numpy(found.train.answers[chosen]).to(device))
                    optimiser.zero_grad()
                    torch.autograd.backward(loss)
                    optimiser.step()
                    sums[task] += loss.item() * len(chosen)
        for task, total in sums.items():
            count = len(data.tasks[task].shares[row]) * learning.local_passes
            losses[task][row] = total / count if count else np.nan
    return losses
