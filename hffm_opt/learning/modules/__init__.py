"""The trainable modules: what they are, their stacked states, their forward pass and their payload."""

from hffm_opt.learning.modules.module import ADAPTERS, Module, build_modules, head_name, initial_model
from hffm_opt.learning.modules.payload import deserialise, payload_bit, serialise, sha256
from hffm_opt.learning.modules.states import StackedStates

__all__ = [
    "ADAPTERS",
    "Module",
    "StackedStates",
    "build_modules",
    "deserialise",
    "head_name",
    "initial_model",
    "payload_bit",
    "serialise",
    "sha256",
]
