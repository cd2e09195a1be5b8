"""How much memory a run will take, told before it starts, and settings that keep it below a limit.

What autograd keeps of one sample is counted on one sample; the rest follows from shapes and numbers. The figures add to
what the process holds when they are made: libraries, backbone and data.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.data import FederatedData, FederatedTask
from hffm_opt.learning.evaluate import BATCH_SIZE
from hffm_opt.learning.execution import HOST, Execution
from hffm_opt.learning.features import CACHE_BYTES, CHUNK, FrozenFeatures
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules.forward import forward_pass
from hffm_opt.learning.modules.module import Module, initial_model
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.scenario.model import Learning

FP32_BYTES = 4
COPIES_IN_ROUND = 5  # before and after training, the groups' results, in messages, after averaging
COPIES_IN_GROUP = 6  # parameters, gradients, two moments, two of the optimiser's intermediate results
ALLOCATOR = 1.5  # bytes taken from the system per byte of tensors: freed blocks stay with the process (measured, glibc)
WORKSPACE_BYTES = 48_000_000  # what products of matrices set up on first use (measured)
PASSING = 1.5  # of what a layer leaves for the backward pass: what it holds while it runs


@dataclass(frozen=True)
class Sizes:
    """What memory depends on, in bytes unless it is a number.

    ``features`` are the constants of each task's training samples and test questions; ``copy_bytes`` one device's
    copies of all modules; ``sample_bytes`` what a training step keeps of one sample; ``layer_bytes`` of it that of one
    layer; ``batch_size`` the samples of the largest batch. ``anchored``: what devices last received is kept beside what
    they hold, as FedProx asks for.
    """

    features: tuple[int, ...]
    copy_bytes: int
    sample_bytes: int
    layer_bytes: int
    devices: int
    batch_size: int
    threads: int
    anchored: bool = False


@dataclass(frozen=True)
class Setting:
    """How many devices run together, and most bytes of constants to keep per task and split."""

    group_size: int
    cache_bytes: int


@dataclass(frozen=True)
class Need:
    """Bytes at the peak beyond what the process holds already, by what they are for."""

    features: int
    states: int
    training: int
    passing: int

    @property
    def total(self) -> int:
        """The bytes that the process will ask the system for; training and passing never happen at the same time."""
        tensors = self.features + self.states + max(self.training, self.passing)
        return int(ALLOCATOR * tensors) + WORKSPACE_BYTES

    def words(self, held: int) -> str:
        """Return the need in one line, with the bytes that the process holds already."""
        return (
            f"Memory: about {(held + self.total) / 1e9:.2f} GB at the peak: {held / 1e9:.2f} loaded; tensors: "
            f"{self.features / 1e9:.3f} constants of samples, {self.states / 1e9:.3f} copies of modules, "
            f"{max(self.training, self.passing) / 1e9:.3f} at work."
        )


def sizes_of(
    backbone: Backbone,
    modules: Mapping[str, Module],
    data: FederatedData,
    learning: Learning,
    threads: int | None,
    execution: Execution = HOST,
    anchored: bool = False,
) -> Sizes:
    """Return what the memory of a run depends on; one sample of every task is run for it."""
    features, samples = [], [0]
    for name, task in data.tasks.items():
        constant = forward_pass(backbone, modules, name, task.task.modalities)
        for split in (task.train, task.test):
            if len(split):
                one = FrozenFeatures(backbone, split, constant, 0, execution=execution).batch(np.arange(1))
                features.append(sum(value.nbytes for value in one.values()) * len(split))
        if len(task.train):
            samples.append(_sample_bytes(backbone, modules, name, task, learning, execution))
    parameters = sum(module.parameters for module in modules.values())
    return Sizes(
        features=tuple(features),
        copy_bytes=FP32_BYTES * parameters,
        sample_bytes=max(samples),
        layer_bytes=max(samples) // max(1, backbone.depth - 1),
        devices=data.devices,
        batch_size=min(learning.batch_size, max(int(task.samples.max()) for task in data.tasks.values())),
        threads=threads or 1,
        anchored=anchored,
    )


def _sample_bytes(
    backbone: Backbone,
    modules: Mapping[str, Module],
    name: str,
    task: FederatedTask,
    learning: Learning,
    execution: Execution,
) -> int:
    """Return what autograd keeps of one sample between the forward and the backward pass, parameters left out."""
    one = replace(
        task, train=task.train.select(np.arange(1)), shares=(np.arange(1),), test=task.test.select(np.arange(0))
    )
    single = learning.model_copy(update={"batch_size": 1, "local_passes": 1})
    trainer = LocalTrainer(
        backbone, modules, FederatedData({name: one}), single, 0, group_size=1, cache_bytes=0, execution=execution
    )
    states = StackedStates.repeat(initial_model(modules, 0), 1)
    frozen = {parameter.untyped_storage().data_ptr() for _, parameter in backbone.named_parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # a freed storage's place could be taken by the next

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen and not isinstance(tensor, nn.Parameter):
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trainer.train(states, [0], 0)
    parameters = FP32_BYTES * sum(modules[module].parameters for module in modules)
    return max(0, sum(kept.values()) - parameters)


def need_of(sizes: Sizes, setting: Setting) -> Need:
    """Return what a run takes with a setting.

    A group of G devices with batches of b holds G b times what autograd keeps of a sample, and six copies per device:
    parameters, gradients, moments, intermediate results. As many groups run at a time as there are threads. Anchors are
    one copy more, of all devices and of each group.
    """
    anchors = int(sizes.anchored)
    group = min(setting.group_size, sizes.devices)
    at_a_time = min(sizes.threads, -(-sizes.devices // group))
    training = group * ((COPIES_IN_GROUP + anchors) * sizes.copy_bytes + sizes.batch_size * sizes.sample_bytes)
    return Need(
        features=sum(size for size in sizes.features if size <= setting.cache_bytes),
        states=(COPIES_IN_ROUND + anchors) * sizes.devices * sizes.copy_bytes,
        training=at_a_time * training,
        passing=int(sizes.threads * max(CHUNK, BATCH_SIZE) * PASSING * sizes.layer_bytes),
    )


def fitting(sizes: Sizes, group_size: int, held: int, limit: int | None) -> tuple[Setting, Need]:
    """Return the fastest setting whose peak stays below a limit: smaller groups first, then fewer constants kept.

    Args:
        sizes: of the run.
        group_size: most devices that run together.
        held: bytes that the process holds already.
        limit: bytes; None is no limit.

    Raises:
        InputError: nothing fits.
    """
    least: int | None = None
    for setting in _settings(sizes, group_size):
        need = need_of(sizes, setting)
        if limit is None or held + need.total <= limit:
            return setting, need
        least = held + need.total if least is None else min(least, held + need.total)
    assert least is not None and limit is not None
    message = f"{limit / 1e9:.3g} GB are allowed, and the run takes at least {least / 1e9:.3g} GB"
    raise InputError.one("--max-memory", message, "allow more, or use a smaller batch_size or backbone")


def _settings(sizes: Sizes, group_size: int) -> Iterator[Setting]:
    groups = [size for size in (64, 32, 16, 8, 4, 2, 1) if size < group_size]
    caches = sorted({size - 1 for size in sizes.features if size <= CACHE_BYTES}, reverse=True)
    for cache in (CACHE_BYTES, *caches):
        for group in (group_size, *groups):
            yield Setting(group, cache)


def resident_bytes() -> int:
    """Return the bytes of main memory that this process holds, where the system tells; else the most it ever held."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
