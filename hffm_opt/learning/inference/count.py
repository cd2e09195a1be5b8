"""Count the chains of a scenario's model: ``python -m hffm_opt.learning.inference.count tiny -o chains.json``.

FLOPs by ``torch.utils.flop_counter`` over each segment's steps for one sample; bits of a cut are those of the
serialised message; weights are the parameters that a segment's steps use, 32 bits each. Weights of modules that act at
several places (adapters behind every layer) are divided over these places.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from hffm_opt.errors import HffmError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.card import blank_sample, count_flop, deliver
from hffm_opt.learning.inference.segments import Message, Piece, SplitModel, answer_message, in_order, to_bytes
from hffm_opt.learning.modules import Group, StackedStates, initial_model, learned_modules
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.tasks import TaskData
from hffm_opt.scenario.chains import Chain, ChainCard, EncoderSegment, Segment
from hffm_opt.scenario.model import Learning, Task
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_json
from hffm_opt.units import bytes_to_bit

WEIGHT_BIT = 32


def message_bit(message: Message) -> int:
    """Return the size of a message on a link."""
    return int(bytes_to_bit(len(to_bytes(message))))


class _Counter:
    """Runs segment after segment of one sample, and notes what each costs."""

    def __init__(self, backbone: Backbone, modules: Mapping[str, Module], model: SplitModel) -> None:
        self._backbone, self._modules, self._model = backbone, modules, model
        pieces = (*model.encoders.values(), *model.trunk)
        self._places = Counter(name for piece in pieces for step in piece.steps for name in step.modules)
        self._parameters = dict(backbone.named_parameters())

    def blocks(self, piece: Piece, used: frozenset[str]) -> dict[str, int]:
        """Return the weights of a piece: the backbone's that it uses, and its modules' shares."""
        found: dict[str, int] = {}
        if own := sum(self._parameters[name].numel() for name in used) * WEIGHT_BIT:
            found[f"backbone {piece.name}"] = own
        for name in dict.fromkeys(name for step in piece.steps for name in step.modules):
            times = sum(name in step.modules for step in piece.steps)
            bits = self._modules[name].parameters * WEIGHT_BIT * times // self._places[name]
            found[name if self._places[name] == times else f"{name} {piece.name}"] = bits
        return found

    def used(self, run: Callable[[], Message], piece: Piece) -> frozenset[str]:
        """Return the names of the backbone's parameters on which the output of a run depends."""
        parameters, names = list(self._parameters.values()), list(self._parameters)
        for parameter in parameters:
            parameter.requires_grad_(True)
        try:
            with torch.enable_grad():
                ends = [value.sum() for value in run().values() if value.requires_grad]
            gradients: Sequence[Tensor | None] = [None] * len(names)
            if ends:
                gradients = torch.autograd.grad(torch.stack(ends).sum(), parameters, allow_unused=True)
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
        found = {name for name, gradient in zip(names, gradients, strict=True) if gradient is not None}
        return frozenset(found | self._experts_inside(piece))

    def _experts_inside(self, piece: Piece) -> set[str]:
        """Return the parameters of a frozen layer: where it has experts, each sample uses some of them alone."""
        kind, _, index = piece.name.partition(" ")
        if kind != "layer" or any(step.own and step.modules for step in piece.steps):
            return set()
        inside = {id(parameter) for parameter in self._backbone.block(int(index)).parameters()}
        return {name for name, parameter in self._parameters.items() if id(parameter) in inside}

    def chain(self, task: str, sample: TaskData) -> Chain:
        """Return the chain of a task, run on one sample."""
        model, values, encoders = self._model, dict[str, Tensor](), []
        for modality, piece in model.encoders.items():
            raw = model.raw(sample, 0, modality)
            run = partial(model.encode, modality, raw)
            flop, tokens = count_flop(run)
            encoders.append(
                EncoderSegment(
                    modality=modality,
                    flop=float(flop),
                    input_bit=message_bit(raw),
                    output_bit=message_bit(tokens),
                    blocks=self.blocks(piece, self.used(run, piece)),
                )
            )
            values |= {name: value.detach() for name, value in tokens.items()}
        trunk, answer_bit = [], message_bit(answer_message(0, 0.0))
        for place, piece in enumerate(model.trunk):
            run = partial(model.run, place, values)
            flop, outputs = count_flop(run)
            blocks = self.blocks(piece, self.used(run, piece))
            values = {name: value.detach() for name, value in outputs.items()}
            last = place == len(model.trunk) - 1
            trunk.append(
                Segment(
                    name=piece.name,
                    flop=float(flop),
                    output_bit=answer_bit if last else message_bit(values),
                    blocks=blocks,
                    layer=piece.layer,
                )
            )
        return Chain(task=task, encoders=tuple(encoders), trunk=tuple(trunk), answer_bit=answer_bit)


def count_chains(backbone: Backbone, learning: Learning, tasks: Sequence[Task]) -> ChainCard:
    """Return the chains of a backbone with the trained parts of ``learning`` and one head per task.

    Args:
        backbone: frozen.
        learning: says which parts are trained.
        tasks: the tasks; a sample of one that is not embedded is as large as the backbone's form allows.

    Raises:
        InputError: a part does not fit the backbone.
    """
    modalities = {task.name: task.modalities for task in tasks}
    modules = learned_modules(backbone, learning, {task.name: task.answers for task in tasks}, modalities)
    states = StackedStates.repeat(initial_model(modules, 0), 1).modules
    chains = []
    for task in tasks:
        own = {name: module for name, module in modules.items() if task.name in module.tasks}
        model = SplitModel(backbone, own, task.name, in_order(task.modalities), Group(states))
        chains.append(_Counter(backbone, own, model).chain(task.name, blank_sample(backbone, task)))
    return ChainCard(
        backbone=learning.backbone, adapter_width=learning.adapter_width, parts=learning.parts, chains=tuple(chains)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Count the chains of a scenario's model and write them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hffm_opt.learning.inference.count", description="Count the chains of a scenario's model."
    )
    parser.add_argument("scenario", help="a built-in name or a file")
    parser.add_argument("-o", "--output", type=Path, help="file to write; standard output by default")
    options = parser.parse_args(arguments)
    try:
        scenario = load_scenario(options.scenario)
        card = count_chains(load_backbone(scenario.learning.backbone), scenario.learning, scenario.tasks)
        deliver(dump_json(card), options.output)
    except HffmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
