"""The trainable parts of the model: bottleneck adapters that all tasks share, and one linear head per task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hffm_opt.learning.modules.payload import Shapes, count_parameters, payload_bit
from hffm_opt.scenario.model import ModuleKind
from hffm_opt.seeds import derive_torch_seed

ADAPTERS = "adapters"
BRANCHES = 2  # parallel adapters per layer


def head_name(task: str) -> str:
    """Return the name of a task's head module."""
    return f"head-{task}"


@dataclass(frozen=True)
class Module:
    """One part of the model that is trained, averaged and sent as a whole.

    ``shapes`` are those of one copy, without the leading device dimension of stacked states. ``fan_in`` names the
    parameters that start at random, in the uniform law of width ``1 / sqrt(fan_in)``; the others start at zero.
    """

    name: str
    kind: ModuleKind
    tasks: tuple[str, ...]
    shapes: Shapes
    fan_in: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def payload_bit(self) -> int:
        """Bits of one transfer of the module, as serialised."""
        return payload_bit(self.shapes)

    @property
    def parameters(self) -> int:
        """How many numbers one copy holds."""
        return count_parameters(self.shapes)

    def initial_state(self, seed: int) -> dict[str, Tensor]:
        """Return the fp32 state that training starts from; it depends on (seed, module, parameter) alone."""
        state = {}
        for name, shape in self.shapes.items():
            state[name] = torch.zeros(shape)
            if name in self.fan_in:
                generator = torch.Generator().manual_seed(derive_torch_seed(seed, "initial", self.name, name))
                bound = self.fan_in[name] ** -0.5
                state[name].uniform_(-bound, bound, generator=generator)
        return state

    def weights(self, samples: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return each device's samples that train the module, int64 [U]; its owners are the devices above zero.

        ``samples`` maps a task to each device's samples of it, int64 [U].
        """
        return np.sum([samples[task] for task in self.tasks], axis=0, dtype=np.int64)


def adapters_module(width: int, depth: int, adapter_width: int, tasks: tuple[str, ...]) -> Module:
    """Return the adapters of a backbone with ``depth`` layers of ``width`` features.

    After layer l: ``h + sum_j (W_up,lj gelu(W_down,lj h + b_down,lj) + b_up,lj)`` over ``BRANCHES`` branches j. The
    branches' weights lie side by side in one matrix. ``W_up`` and ``b_up`` start at zero, so that the first model is
    the backbone itself.

    Sources: bottleneck adapters, Houlsby et al., arXiv 1902.00751; two of them per layer, arXiv 2509.03695.
    """
    inner = BRANCHES * adapter_width
    return Module(
        name=ADAPTERS,
        kind="adapter",
        tasks=tasks,
        shapes={
            "down_weight": (depth, width, inner),
            "down_bias": (depth, inner),
            "up_weight": (depth, inner, width),
            "up_bias": (depth, BRANCHES, width),
        },
        fan_in={"down_weight": width, "down_bias": width},
    )


def head_module(width: int, task: str, answers: int) -> Module:
    """Return the linear head of a task: ``logits = x W + b`` from the pooled output x, [width] to [answers]."""
    return Module(
        name=head_name(task),
        kind="head",
        tasks=(task,),
        shapes={"weight": (width, answers), "bias": (answers,)},
        fan_in={"weight": width, "bias": width},
    )


def build_modules(width: int, depth: int, adapter_width: int, answers: Mapping[str, int]) -> dict[str, Module]:
    """Return the trainable modules by name: ``adapters``, then ``head-<task>`` for each task.

    Args:
        width, depth: the backbone's features and layers.
        adapter_width: width of each adapter branch's bottleneck.
        answers: task to the size of its answer vocabulary.

    >>> [module.payload_bit > 0 for module in build_modules(8, 2, 4, {"digits": 18}).values()]
    [True, True]
    """
    heads = [head_module(width, task, count) for task, count in answers.items()]
    return {module.name: module for module in (adapters_module(width, depth, adapter_width, tuple(answers)), *heads)}


def initial_model(modules: Mapping[str, Module], seed: int) -> dict[str, dict[str, Tensor]]:
    """Return the initial state of every module, module to parameter to tensor."""
    return {name: module.initial_state(seed) for name, module in modules.items()}
