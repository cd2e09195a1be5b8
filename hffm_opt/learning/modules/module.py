"""One trainable module: what it is called, what it holds, who trains it and where it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hffm_opt.learning.execution import to_host
from hffm_opt.learning.modules.payload import Shapes, State, count_parameters, payload_bit
from hffm_opt.learning.modules.steps import Part
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

    ``shapes`` are those of one copy, without the leading device dimension of stacked states. ``part`` says what the
    module computes and where. ``fan_in`` names the parameters that start at random, in the uniform law of width
    ``1 / sqrt(fan_in)``; ``pretrained`` has those that start from the backbone's own; the others start at zero.
    ``modalities`` are those that all of its tasks have and that it is for, if any.
    """

    name: str
    kind: ModuleKind
    tasks: tuple[str, ...]
    shapes: Shapes
    part: Part = field(compare=False, repr=False)
    fan_in: Mapping[str, int] = field(default_factory=dict)
    pretrained: State = field(default_factory=dict, compare=False, repr=False)
    modalities: tuple[str, ...] = ()

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
            if name in self.pretrained:
                # They are the backbone's, and go with it to its device.
                state[name] = to_host(self.pretrained[name]).to(torch.float32).clone()
                continue
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


def initial_model(modules: Mapping[str, Module], seed: int) -> dict[str, dict[str, Tensor]]:
    """Return the initial state of every module, module to parameter to tensor."""
    return {name: module.initial_state(seed) for name, module in modules.items()}
