"""Count a real model: ``python -m hffm_opt.learning.card vilt-small -o card.json`` writes its model card."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hffm_opt.errors import Finding, HffmError, InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import Backbone, Inputs, read_inputs
from hffm_opt.learning.modules import (
    Group,
    Pass,
    StackedStates,
    forward_pass,
    initial_model,
    learned_modules,
    payload_bit,
)
from hffm_opt.learning.modules import Module as TrainableModule
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.steps import Values
from hffm_opt.learning.tasks import TaskData, embedded_tasks, make_split
from hffm_opt.learning.tasks.tones import CLIP_SAMPLES
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS, SOUND_TASKS
from hffm_opt.scenario.card import ModelCard
from hffm_opt.scenario.model import NAME_PATTERN, Frozen, Learning, Module, ModuleKind, Task
from hffm_opt.scenario.parts import Part, Parts
from hffm_opt.serial import dump_json, parse_text, validate, write_text

T = TypeVar("T")
Flop = tuple[int, int]  # forward and backward


def count_flop(run: Callable[[], T]) -> tuple[int, T]:
    """Return the FLOPs of the matrix products, convolutions and attentions that ``run`` computes, and its result."""
    with FlopCounterMode(display=False) as counter:
        result = run()
    return int(counter.get_total_flops()), result


def blank_sample(backbone: Backbone, task: Task) -> TaskData:
    """Return one sample of a task in the form that the backbone reads; embedded tasks give a real one."""
    form = backbone.form
    if task.name in embedded_tasks() and task.source is None:
        return make_split(task.name, "test", 1, 0, form.tokenizer)
    text = np.ones((1, form.text_length), dtype=np.int64) if "text" in task.modalities else None
    return TaskData(
        images=np.zeros((1, *form.image_size, 3), dtype=np.uint8) if "image" in task.modalities else None,
        input_ids=text,
        attention_mask=text,
        answers=np.zeros(1, dtype=np.int64),
        families=("",),
        audio=np.zeros((1, CLIP_SAMPLES), dtype=np.int16) if "audio" in task.modalities else None,
    )


def _count_pass(run: Pass, inputs: Inputs, states: Mapping[str, State]) -> Flop:
    """Return the FLOPs of a pass forward, and of the gradients of what is trained, as in training."""
    leaves = {name: {k: t.clone().requires_grad_() for k, t in states[name].items()} for name in run.modules}
    forward, prepared = count_flop(lambda: run.prepare(inputs))
    values = {**prepared, "share": torch.ones(1, 1)}
    return _count_both(run, values, Group(leaves), [t for state in leaves.values() for t in state.values()], forward)


def _count_both(run: Pass, values: Values, group: Group, leaves: Sequence[Tensor], ahead: int) -> Flop:
    forward, outputs = count_flop(lambda: run(values, group))
    ends = [value.sum() for name, value in outputs.items() if name in ("pooled", "logits", "penalty")]
    loss = torch.stack(ends).sum()
    if not loss.requires_grad:
        return ahead + forward, 0
    return ahead + forward, count_flop(lambda: torch.autograd.grad(loss, leaves, allow_unused=True))[0]


def _count_backbone(backbone: Backbone, whole: Pass, task: Task, inputs: Inputs) -> Flop:
    """Return the FLOPs of the backbone alone: forward, and backward as far down as something is trained."""
    steps = forward_pass(backbone, {}, task.name, task.modalities).constant
    joined = len(task.modalities) + 1
    first = max(joined, len(whole.constant) + whole.trained[0].own)
    bare = Pass(steps[:first], steps[first:], ())
    ahead, prepared = count_flop(lambda: bare.prepare(inputs))
    leaf = "hidden" if "hidden" in prepared else "pooled"
    start = prepared[leaf].clone().requires_grad_()
    return _count_both(bare, {**prepared, leaf: start}, Group({}), [start], ahead)


def _count_modules(
    backbone: Backbone, modules: Mapping[str, TrainableModule], task: Task, inputs: Inputs
) -> dict[str, Flop]:
    """Return the FLOPs per sample of the backbone and of every trainable module: what the pass costs more with it."""
    states = StackedStates.repeat(initial_model(modules, 0), 1).modules
    whole = forward_pass(backbone, modules, task.name, task.modalities)
    counts = {"backbone": _count_backbone(backbone, whole, task, inputs)}
    before, some = counts["backbone"], dict[str, TrainableModule]()
    for name in whole.modules:
        some[name] = modules[name]
        now = _count_pass(forward_pass(backbone, some, task.name, task.modalities), inputs, states)
        counts[name], before = (now[0] - before[0], now[1] - before[1]), now
    return counts


def task_argument(text: str) -> Task:
    """Return the task that an embedded task's name, or ``NAME:ANSWERS``, on the command line stands for.

    Raises:
        InputError: it does not have this form.

    >>> task_argument("gqa:20").answers, task_argument("keys").modalities
    (20, ('audio',))
    """
    known = {task.name: task for task in (*EMBEDDED_TASKS, *SOUND_TASKS)}
    if text in known:
        return known[text]
    name, _, answers = text.partition(":")
    if not re.fullmatch(NAME_PATTERN, name) or not answers.isdecimal() or int(answers) < 2:
        raise InputError.one(
            "--task", f"{text!r} is no task", f"write NAME:ANSWERS, e.g. gqa:20, or one of: {', '.join(known)}"
        )
    return Task(name=name, answers=int(answers))


def count_card(
    backbone: Backbone, adapter_width: int, tasks: Sequence[Task] = EMBEDDED_TASKS, parts: Parts | None = None
) -> ModelCard:
    """Return the model card of a backbone with its trained parts and one head per task, counted on one sample.

    Payloads are the bytes of the serialised fp32 parameters. A module's FLOPs are what the pass costs more with it
    than without it: the backbone alone; then with the module that acts first; and so on to the head. The backbone's
    backward pass is that of its activations down to where the first module ends, as training runs it, and not into
    encoders, whose backward pass belongs to their module; its parameters get no gradient. What the
    trainer saves by keeping the backbone's constant part from round to round is not deducted. A module of several
    tasks has the figures of the one that costs most, because samples of some tasks are longer than of others.

    Args:
        backbone: frozen.
        adapter_width: width of each adapter branch.
        tasks: the tasks, with the sizes of their answer vocabularies; a sample of one that is not embedded is as large
            as the backbone's form allows.
        parts: the trained parts; null stands for adapters alone.

    Raises:
        InputError: a part does not fit the backbone.

    Source: FLOPs by ``torch.utils.flop_counter``, two per multiplication and addition.
    """
    learning = Learning(adapter_width=adapter_width, parts=parts)
    modalities = {task.name: task.modalities for task in tasks}
    modules = learned_modules(backbone, learning, {task.name: task.answers for task in tasks}, modalities)
    counts: dict[str, Flop] = {}
    for task in tasks:
        own = {name: module for name, module in modules.items() if task.name in module.tasks}
        inputs = read_inputs(backbone, blank_sample(backbone, task), np.arange(1))
        for name, flop in _count_modules(backbone, own, task, inputs).items():
            counts[name] = max(counts.get(name, flop), flop)

    def entry(
        name: str,
        kind: ModuleKind,
        names: tuple[str, ...],
        payload_bit: int,
        modalities: tuple[str, ...],
        trainable: bool = True,
    ) -> Module:
        forward, backward = counts[name]
        return Module(
            name=name,
            kind=kind,
            tasks=names,
            modalities=modalities,
            payload_bit=payload_bit,
            forward_flop=float(forward),
            backward_flop=float(backward),
            trainable=trainable,
        )

    shapes = {key: tuple(value.shape) for key, value in backbone.named_parameters()}
    read = tuple(dict.fromkeys(modality for task in tasks for modality in task.modalities))
    everything = tuple(task.name for task in tasks)
    frozen = entry("backbone", "backbone", everything, payload_bit(shapes), read, trainable=False)
    trained = [entry(m.name, m.kind, m.tasks, m.payload_bit, m.modalities) for m in modules.values()]
    return ModelCard(backbone=backbone.name, adapter_width=adapter_width, parts=parts, modules=(frozen, *trained))


def part_argument(text: str) -> Part:
    """Return the part that YAML on the command line stands for.

    Raises:
        InputError: it is no YAML, or no part.

    >>> part_argument("{part: prompt, tokens: 2}").tokens
    2
    """
    try:
        return validate({"parts": [parse_text(text, text)]}, _Given, "part").parts[0]
    except InputError as error:
        raise InputError(Finding("--part", finding.message, finding.repair) for finding in error.findings) from None


class _Given(Frozen):
    parts: Parts


def deliver(text: str, path: Path | None) -> None:
    """Write a text to a file, or to standard output where none is given."""
    if path is None:
        sys.stdout.write(text)
    else:
        write_text(path, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count a backbone's card and write it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hffm_opt.learning.card", description="Count a model card.")
    parser.add_argument("backbone", help="as in learning.backbone of a scenario")
    parser.add_argument("--adapter-width", type=int, default=Learning().adapter_width)
    parser.add_argument("--task", action="append", help="an embedded task, or NAME:ANSWERS; once a task")
    parser.add_argument("--part", action="append", help="a trained part as in learning.parts, in YAML; once a part")
    parser.add_argument(
        "--kept-neurons", type=float, help="count the sub-model with this share of the feed-forward neurons (FedPFT)"
    )
    parser.add_argument("-o", "--output", type=Path, help="file to write; standard output by default")
    options = parser.parse_args(arguments)
    try:
        tasks = [task_argument(text) for text in options.task] if options.task else EMBEDDED_TASKS
        parts = tuple(part_argument(text) for text in options.part) if options.part else None
        backbone = load_backbone(options.backbone)
        if options.kept_neurons is not None:
            from hffm_opt.learning.baselines.fedpft import compress

            backbone = compress(backbone, options.kept_neurons)
        deliver(dump_json(count_card(backbone, options.adapter_width, tasks, parts)), options.output)
    except HffmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
