"""hffm_opt plans and runs hierarchical federated training of M3T foundation models over wireless networks.

Scenario -> plan with a certificate -> real training as planned -> measured latency, energy and accuracy. The functions
named here are the stages; their documentation is in :mod:`hffm_opt.api`. They load on first use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hffm_opt.api import compare, evaluate, load_plan, pareto, run_loop, train
    from hffm_opt.api import plan as plan
    from hffm_opt.inference import calibrate, infer, plan_inference
    from hffm_opt.scenario.builtin.random_network import random_scenario
    from hffm_opt.scenario.read import load_scenario

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "calibrate",
    "compare",
    "evaluate",
    "infer",
    "load_plan",
    "load_scenario",
    "pareto",
    "plan",
    "plan_inference",
    "plan_requests",
    "plan_specialisation",
    "plan_walks",
    "random_scenario",
    "run_loop",
    "train",
    "train_requests",
    "train_walks",
]

_PLACES = {
    "calibrate": "hffm_opt.inference",
    "compare": "hffm_opt.api",
    "evaluate": "hffm_opt.api",
    "infer": "hffm_opt.inference",
    "load_plan": "hffm_opt.api",
    "load_scenario": "hffm_opt.scenario.read",
    "pareto": "hffm_opt.api",
    "plan_inference": "hffm_opt.inference",
    "plan_requests": "hffm_opt.relayed",
    "plan_specialisation": "hffm_opt.placed",
    "plan_walks": "hffm_opt.walked",
    "random_scenario": "hffm_opt.scenario.builtin.random_network",
    "run_loop": "hffm_opt.api",
    "train": "hffm_opt.api",
    "train_requests": "hffm_opt.relayed",
    "train_walks": "hffm_opt.walked",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'hffm_opt' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """The package, whose attribute ``plan`` is the function although a subpackage has the same name.

    Python binds an imported subpackage to its parent's attribute, which would hide the function after the first call.
    """

    @property
    def plan(self) -> Any:
        return import_module("hffm_opt.api").plan

    @plan.setter
    def plan(self, value: ModuleType) -> None:
        """Let ``from hffm_opt.plan import ...`` bind its module without hiding the function."""


sys.modules[__name__].__class__ = _Package
