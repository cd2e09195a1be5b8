"""A network and a plan for runs that are stopped: still fewer samples and questions, copies that differ long."""

from __future__ import annotations

from functools import cache

import pytest
import run_cases
from round_cases import chain_plan

from hffm_opt.learning.one_round import run_round
from hffm_opt.plan.circulation import Circulation, ModuleCirculation
from hffm_opt.plan.model import Plan
from hffm_opt.problem import Problem, build_problem
from hffm_opt.scenario.model import Scenario

# Copies of the adapters differ between cells after most rounds, those of a head never meet.
CIRCULATION: Circulation = (
    ModuleCirculation(module="adapters", edge=1, cloud=4),
    ModuleCirculation(module="head-digits", cloud=2),
    ModuleCirculation(module="head-shapes"),
)


@cache
def quick_scenario(devices: int = 4, seed: int = 0) -> Scenario:
    return run_cases.quick_scenario(devices, seed, fewer=12, questions=12)


@cache
def quick_problem() -> Problem:
    return build_problem(quick_scenario())


@cache
def quick_plan() -> Plan:
    return chain_plan(quick_problem(), CIRCULATION)


def interrupt(patched: pytest.MonkeyPatch, number: int) -> None:
    """Let Ctrl-C come in a round."""

    def interrupted(*arguments: object) -> None:
        if arguments[2] == number:
            raise KeyboardInterrupt
        run_round(*arguments)  # type: ignore[arg-type]

    patched.setattr("hffm_opt.learning.run.run_round", interrupted)
