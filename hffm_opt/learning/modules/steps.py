"""What a forward pass is made of: steps at named places, and what flows through them.

A pass runs the models of U devices together. The samples of device u are rows ``u b`` to ``(u + 1) b - 1`` of every
tensor, so that whatever is frozen runs once over all of them; only what is trained sees the devices apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones.base import Backbone
from hffm_opt.learning.modules.payload import State

Values = Mapping[str, Tensor]
"""What flows through a pass, by name.

Of N = U b samples: the inputs ``image``, ``text``, ``attention_mask``, ``audio``; then ``tokens.<modality>``; then
``hidden`` [N, S, d] and additive ``mask`` [N, 1, 1, S]; then ``pooled`` [N, d]; then ``logits`` [U, b, answers]. In
training also ``share`` [U, b], the weight of a sample in its device's loss; ``penalty`` [U], which joins that loss; and
``load.<module>`` [U], the share of a device's tokens that an expert was given.
"""

JOIN, POOL = "join", "pool"
"""Places of the backbone's own: where the encoders' tokens become one sequence; and where it ends in one vector."""
JOINED, POOLED = "joined", "pooled"
"""Places for further steps: behind the joining, and behind the pooling."""


def encode(modality: str) -> str:
    """Return the place of a modality's encoder."""
    return f"encode {modality}"


def layer(index: int) -> str:
    """Return the place of a layer of the backbone."""
    return f"layer {index}"


def after(index: int) -> str:
    """Return the place behind a layer of the backbone."""
    return f"after {index}"


def chosen_layers(layers: tuple[int, ...] | None, depth: int, where: str) -> tuple[int, ...]:
    """Return the layers that a part names, ascending; None is all.

    Raises:
        InputError: the backbone has no such layer, or one stands twice; ``where`` is the part's place.
    """
    chosen = tuple(range(depth)) if layers is None else tuple(sorted(layers))
    if chosen[-1] >= depth or len(set(chosen)) < len(chosen):
        raise InputError.one(f"{where}.layers", f"{list(chosen)}", f"name each layer once, 0 to {depth - 1}")
    return chosen


def encoder_inputs(modality: str, values: Values) -> tuple[Tensor, ...]:
    """Return what a modality's encoder takes."""
    return (values["text"], values["attention_mask"]) if modality == "text" else (values[modality],)


@dataclass(frozen=True, eq=False)
class Group:
    """U devices whose models run together.

    ``states`` are their copies of modules, each tensor [U, ...]; ``owned`` maps a module to bool [U], and leaves out
    those that every device owns.
    """

    states: Mapping[str, State]
    owned: Mapping[str, Tensor] = field(default_factory=dict)
    _layers: dict[str, tuple[dict[str, Tensor], ...]] = field(default_factory=dict, repr=False)

    @property
    def devices(self) -> int:
        """The number U of devices."""
        return len(next(iter(next(iter(self.states.values())).values())))

    def layers(self, module: str) -> tuple[dict[str, Tensor], ...]:
        """Return a module's parameters [U, L, ...] as L mappings of parameters [U, ...]."""
        if module not in self._layers:
            state = self.states[module]
            slices = zip(*(tensor.unbind(1) for tensor in state.values()), strict=True)
            self._layers[module] = tuple(dict(zip(state, row, strict=True)) for row in slices)
        return self._layers[module]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a pass: from values to values, by the parameters of ``modules``; without any it is a constant.

    ``own`` says that it is, or stands instead of, a step of the backbone's own.
    """

    run: Callable[[Values, Group], Values]
    modules: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True)
class Site:
    """Where a part acts: on a backbone, in the pass of one task, by those of the modules that take part in it."""

    backbone: Backbone
    task: str
    modalities: tuple[str, ...]
    modules: tuple[str, ...]


class Part(Protocol):
    """One kind of trained part: what its modules compute, and where."""

    def steps(self, site: Site) -> Mapping[str, Step]:
        """Return the steps of a task's pass by their place.

        At an encoder's or a layer's place the step stands instead of the backbone's own; elsewhere it is added.
        """
        ...
