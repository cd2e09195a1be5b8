"""The bytes of a model's modules, for transports that do not know modules."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State, deserialise, serialise


class ModuleCodec:
    """Serialises the modules of one model and refuses bytes that are those of no module.

    Args:
        modules: name to module, as :func:`~hffm_opt.learning.modules.build_modules` returns them.
    """

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._shapes = [dict(module.shapes) for module in modules.values()]

    def serialise(self, state: State, weight: float) -> bytes:
        """Return the bytes of a state and its weight; their number depends on the tensors' shapes alone."""
        return serialise(state, weight)

    def deserialise(self, data: bytes) -> tuple[dict[str, Tensor], float]:
        """Return the state and the weight that :meth:`serialise` was given.

        Raises:
            InputError: the bytes are damaged, or their names and shapes are those of no module.
        """
        state, weight = deserialise(data)
        found = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for shapes in self._shapes:
            if found == shapes:
                return {name: state[name] for name in shapes}, weight
        raise InputError.one("payload", f"no module has the tensors {found}", "use the same model on both ends")
