"""A task's pass cut into the segments of its chain, and the messages that cross the cuts.

Encoders stand alone, with the preparation of their raw input. The trunk is cut behind every layer with what is added
behind it; a mixture of experts behind a layer is a segment of its own; joining belongs to the first layer, pooling to
the last. Segments run the very steps of the whole pass, and messages are safetensors, which keep every bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hffm_opt.learning.backbones.base import Backbone, read_inputs
from hffm_opt.learning.backbones.layered import ORDER
from hffm_opt.learning.modules.experts import ROUTER
from hffm_opt.learning.modules.forward import Pass, input_values, placed_steps, run_steps
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.steps import POOL, POOLED, Group, Step, Values, after, encode, layer
from hffm_opt.learning.tasks.values import TaskData
from hffm_opt.learning.tensors import pack, unpack

HEAD = "head"
Message = dict[str, Tensor]

_RAW = {"text": ("input_ids", "attention_mask"), "image": ("images",), "audio": ("audio",)}


@dataclass(frozen=True)
class Piece:
    """A segment: its name and steps; ``layer`` as in :class:`hffm_opt.scenario.chains.Segment`."""

    name: str
    steps: tuple[Step, ...]
    layer: int | None = None


def in_order(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return modalities in the order of the sequence of tokens."""
    return tuple(name for name in ORDER if name in modalities)


class SplitModel:
    """One task's model in segments; run it inside ``torch.inference_mode()``.

    Args:
        backbone: frozen.
        modules: the trained modules.
        task: the task.
        modalities: what its samples have.
        group: the state of one model, each tensor [1, ...].
    """

    def __init__(
        self,
        backbone: Backbone,
        modules: Mapping[str, Module],
        task: str,
        modalities: tuple[str, ...],
        group: Group,
    ) -> None:
        steps = placed_steps(backbone, modules, task, modalities)
        self.backbone, self.task, self.group = backbone, task, group
        self.encoders = {
            name: Piece(encode(name), tuple(step for place, step in steps if place == encode(name)))
            for name in modalities
        }
        self.trunk = _trunk(steps, {piece.name for piece in self.encoders.values()}, backbone.depth)
        self.names = tuple(dict.fromkeys(name for _, step in steps for name in step.modules))

    def raw(self, data: TaskData, index: int, modality: str) -> Message:
        """Return one sample's raw input of a modality as it was sensed: pixels and sounds in their integers."""
        row = np.array([index])
        return {name: torch.from_numpy(np.ascontiguousarray(getattr(data, name)[row])) for name in _RAW[modality]}

    def encode(self, modality: str, raw: Message) -> Message:
        """Return the tokens of a modality, of text with its attention mask."""
        blank = np.zeros(1, dtype=np.int64)
        given = {name: tensor.numpy() for name, tensor in raw.items()}
        data = TaskData(
            images=given.get("images"),
            input_ids=given.get("input_ids"),
            attention_mask=given.get("attention_mask"),
            answers=blank,
            families=("",),
            audio=given.get("audio"),
        )
        values = input_values(read_inputs(self.backbone, data, blank))
        return dict(run_steps(self.encoders[modality].steps, values, self.group))

    def run(self, place: int, values: Values) -> Message:
        """Return what segment ``place`` of the trunk makes of its input; of the last one, ``logits`` [1, 1, A]."""
        return dict(run_steps(self.trunk[place].steps, values, self.group))

    def pooled(self, data: TaskData, index: int) -> Tensor:
        """Return the pooled output [1, d] of one sample by the unsplit pass."""
        values = input_values(read_inputs(self.backbone, data, np.array([index])))
        steps = [step for piece in (*self.encoders.values(), *self.trunk[:-1]) for step in piece.steps]
        with torch.inference_mode():
            return run_steps(tuple(steps), values, self.group)["pooled"]

    def whole(self, data: TaskData, index: int) -> Tensor:
        """Return the logits [A] of one sample by the unsplit pass, to hold the split model against."""
        every = [step for piece in (*self.encoders.values(), *self.trunk) for step in piece.steps]
        first = next((i for i, step in enumerate(every) if step.modules), len(every))
        run = Pass(tuple(every[:first]), tuple(every[first:]), self.names)
        values = run.prepare(read_inputs(self.backbone, data, np.array([index])))
        return run(values, self.group)["logits"][0, 0]


def _trunk(steps: list[tuple[str, Step]], encoders: set[str], depth: int) -> tuple[Piece, ...]:
    """Return the trunk's pieces: a new one begins at every layer but the first, at experts, and at the head."""
    named: list[tuple[str, list[Step], int | None]] = [(layer(0), [], 0)]
    at = {layer(i): i for i in range(depth)} | {after(i): i for i in range(depth)}
    for place, step in steps:
        if place in encoders:
            continue
        if place == layer(at.get(place, 0)) and at[place]:
            named.append((place, [], at[place]))
        elif place in at and ROUTER in step.modules:
            named.append((f"experts {at[place]}", [], at[place]))
        elif place == POOLED and named[-1][0] != HEAD:
            named.append((HEAD, [], None))
        if place == POOL:
            named[-1] = (*named[-1][:2], None)
        named[-1][1].append(step)
    return tuple(Piece(name, tuple(inner), where) for name, inner, where in named)


def to_bytes(message: Message) -> bytes:
    """Return a message as it crosses a link; its size depends on names, types and shapes alone."""
    return pack(message, {})


def from_bytes(data: bytes) -> Message:
    """Return the message that :func:`to_bytes` was given, bit for bit."""
    return unpack(Path("message"), data, "send it as to_bytes writes it")[0]


def answer_message(answer: int, certainty: float) -> Message:
    """Return what goes back to the device: the index of the answer, and how certain it is in [0, 1]."""
    return {"answer": torch.tensor([answer]), "certainty": torch.tensor([certainty], dtype=torch.float64)}
