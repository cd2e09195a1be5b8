"""The forward pass of many models at once, composed from the backbone and the parts that are trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce

import torch

from hffm_opt.learning.backbones.base import Backbone, Inputs
from hffm_opt.learning.backbones.layered import ORDER
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.steps import (
    JOIN,
    JOINED,
    POOL,
    POOLED,
    Group,
    Site,
    Step,
    Values,
    after,
    encode,
    encoder_inputs,
    layer,
)

_NOBODY = Group({})


@dataclass(frozen=True)
class Pass:
    """The pass of one task's samples: first what is constant of a sample, then what depends on trained parameters.

    ``modules`` names the modules that it trains, in the order in which it meets them.
    """

    constant: tuple[Step, ...]
    trained: tuple[Step, ...]
    modules: tuple[str, ...]

    def prepare(self, inputs: Inputs) -> Values:
        """Return the constant part's values of N samples; no gradient is kept."""
        with torch.no_grad():
            return run_steps(self.constant, input_values(inputs), _NOBODY)

    def __call__(self, values: Values, group: Group) -> Values:
        """Return the final values of U models.

        Args:
            values: what :meth:`prepare` gave for b samples of every device, [U b, ...].
            group: the devices' states.
        """
        return run_steps(self.trained, values, group)


def input_values(inputs: Inputs) -> Values:
    """Return a batch as the values that a pass begins with."""
    given = {"image": inputs.pixels, "text": inputs.input_ids, "attention_mask": inputs.attention_mask}
    return {name: part for name, part in {**given, "audio": inputs.audio}.items() if part is not None}


def run_steps(steps: tuple[Step, ...], values: Values, group: Group) -> Values:
    """Return the values behind the last of some steps."""
    return reduce(lambda now, step: step.run(now, group), steps, values)


def forward_pass(
    backbone: Backbone, modules: Mapping[str, Module], task: str, modalities: tuple[str, ...] | None = None
) -> Pass:
    """Compose the pass of a task's samples.

    Args:
        backbone: frozen; it runs once over the samples of all devices.
        modules: the trainable modules; those of other tasks are left out.
        task: the task.
        modalities: what its samples have; by default all that the backbone reads.

    Returns:
        The pass. Without any module it is the backbone's own and ends at ``pooled``.
    """
    steps = [step for _, step in placed_steps(backbone, modules, task, modalities)]
    first = next((i for i, step in enumerate(steps) if step.modules), len(steps))
    met = dict.fromkeys(name for step in steps for name in step.modules)
    return Pass(tuple(steps[:first]), tuple(steps[first:]), tuple(met))


def placed_steps(
    backbone: Backbone, modules: Mapping[str, Module], task: str, modalities: tuple[str, ...] | None = None
) -> list[tuple[str, Step]]:
    """Return the steps of a task's pass in their order, each with its place; arguments as :func:`forward_pass`."""
    own = {name: module for name, module in modules.items() if task in module.tasks}
    given = tuple(name for name in ORDER if name in (modalities or backbone.form.modalities))
    acts: defaultdict[str, list[Step]] = defaultdict(list)
    for part in dict.fromkeys(module.part for module in own.values()):
        names = tuple(name for name, module in own.items() if module.part is part)
        for place, step in part.steps(Site(backbone, task, given, names)).items():
            acts[place].append(step)

    def instead(place: str, frozen: Callable[[Values, Group], Values]) -> tuple[str, Step]:
        (step,) = acts[place] or [Step(frozen)]
        return place, replace(step, own=True)

    def added(place: str) -> list[tuple[str, Step]]:
        return [(place, step) for step in acts[place]]

    encoders = [instead(encode(name), partial(_encode, backbone, name)) for name in given]
    steps = sorted(encoders, key=lambda placed: bool(placed[1].modules))  # what is constant comes first
    steps += [(JOIN, Step(partial(_join, backbone, given), own=True)), *added(JOINED)]
    for index in range(backbone.depth):
        steps += [instead(layer(index), partial(_layer, backbone, index)), *added(after(index))]
    return [*steps, (POOL, Step(partial(_pool, backbone), own=True)), *added(POOLED)]


def _without(values: Values, *names: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in values.items() if name not in names}


def _encode(backbone: Backbone, modality: str, values: Values, _: Group) -> Values:
    tokens = backbone.encoder(modality)(*encoder_inputs(modality, values))
    return {**_without(values, modality), f"tokens.{modality}": tokens}


def _join(backbone: Backbone, modalities: tuple[str, ...], values: Values, _: Group) -> Values:
    tokens = {name: values[f"tokens.{name}"] for name in modalities}
    hidden, mask = backbone.join(tokens, values.get("attention_mask"))
    rest = _without(values, "attention_mask", *(f"tokens.{name}" for name in modalities))
    return {**rest, "hidden": hidden, "mask": mask}


def _layer(backbone: Backbone, index: int, values: Values, _: Group) -> Values:
    last = index and index == backbone.depth - 1
    run = backbone.last_layer if last else partial(backbone.layer, index)
    return {**values, "hidden": run(values["hidden"], values["mask"])}


def _pool(backbone: Backbone, values: Values, _: Group) -> Values:
    return {**_without(values, "hidden", "mask"), "pooled": backbone.pool(values["hidden"])}
