"""A module of the backbone, run for many devices at once, each with its own values of some of its parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hffm_opt.learning.modules.payload import State


def clone(module: nn.Module) -> nn.Module:
    """Return a copy of a module that shares its parameters and buffers."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


class Stacked:
    """A module whose parameters differ from device to device; what does not differ runs once for all.

    Args:
        module: the module, from tensors of N samples to one tensor of N samples.
        keys: names of the parameters that differ, each with its key in the state; the module's own values of the
            others are used as they are.
        vectorised: run all devices as one. A module whose path depends on values (sparse experts) cannot, and runs
            for one device after another.
    """

    def __init__(self, module: nn.Module, keys: Mapping[str, str], *, vectorised: bool = True) -> None:
        self._module, self._vectorised = module, vectorised
        self.keys = dict(keys)
        self._free: list[nn.Module] = []

    def __call__(self, state: State, *inputs: Tensor) -> Tensor:
        """Return the outputs of U devices, [U b, ...].

        Args:
            state: the parameters by key, each [U, ...].
            inputs: what the module takes, [U b, ...].
        """
        weights = {name: state[key] for name, key in self.keys.items()}
        devices = len(next(iter(weights.values())))
        apart = tuple(part.unflatten(0, (devices, -1)) for part in inputs)
        # A call puts the weights into the module for a while, so that threads need a copy each.
        module = self._free.pop() if self._free else clone(self._module)

        def run(own: State, parts: tuple[Tensor, ...]) -> Tensor:
            output: Tensor = functional_call(module, dict(own), parts)
            return output

        if self._vectorised and devices > 1:
            output: Tensor = vmap(run)(weights, apart)
        else:
            rows = [{name: tensor[u] for name, tensor in weights.items()} for u in range(devices)]
            output = torch.stack([run(row, tuple(part[u] for part in apart)) for u, row in enumerate(rows)])
        self._free.append(module)
        return output.flatten(0, 1)
