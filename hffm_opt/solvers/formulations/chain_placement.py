"""Place inference by the program of :mod:`~hffm_opt.solvers.formulations.chain_program`, and say why nothing fits."""

from __future__ import annotations

import numpy as np

from hffm_opt.errors import Finding, InfeasibleError, LimitReachedError
from hffm_opt.plan.inference.model import ClassPlan
from hffm_opt.plan.inference.network import InferenceProblem
from hffm_opt.solvers.engines.highs_outcome import Status
from hffm_opt.solvers.engines.pyomo_engine import ModelOutcome, solve_model
from hffm_opt.solvers.formulations.chain_program import LIMITS, ChainProgram, Limit, build


def read(program: ChainProgram, outcome: ModelOutcome) -> tuple[ClassPlan, ...]:
    """Return the placement that stands in a solved program.

    Raises:
        InfeasibleError: proven: the chains fit nowhere.
        LimitReachedError: a limit came before any placement.
    """
    if outcome.status is Status.INFEASIBLE:
        raise InfeasibleError.one("inference", "no placement keeps all limits", "give nodes more room, or lower rates")
    if not np.isfinite(outcome.objective):
        raise LimitReachedError.one("--time-limit", f"no placement found: {outcome.stop_reason}", "allow more time")
    x = program.model.x
    return tuple(
        ClassPlan(
            name=asked.spec.name,
            nodes={
                segment: node
                for segment in asked.chain.names
                for node in asked.nodes
                if x[asked.spec.name, segment, node].value > 0.5
            },
            exits=asked.exits,
            open_answers=asked.open_answers,
        )
        for asked in program.inference.classes
    )


def place(
    inference: InferenceProblem,
    weights: tuple[float, float],
    *,
    engine: str = "highs",
    gap: float = 0.0,
    time_limit_s: float = np.inf,
) -> tuple[tuple[ClassPlan, ...], float, ModelOutcome]:
    """Return a placement of all classes, a proven bound on the objective, and the program's answer.

    Raises:
        InputError: the engine is not there.
        InfeasibleError: no placement keeps the limits; the finding names the kind of limit that binds.
        LimitReachedError: the time limit came before any placement.
    """
    program = build(inference, weights)
    outcome = solve_model(program.model, engine, gap=gap, time_limit_s=time_limit_s)
    if outcome.status is Status.INFEASIBLE:
        raise _cause(inference, weights, engine, time_limit_s)
    return read(program, outcome), outcome.bound * program.unit, outcome


_WORDS: dict[Limit, tuple[str, str]] = {
    "memory": (
        "the chains do not fit into the memory of the nodes",
        "give a node more memory_bit, or serve fewer tasks",
    ),
    "compute": (
        "the nodes cannot compute as fast as requests come",
        "give a server more flop_per_s, or lower rate_per_s",
    ),
    "link": ("the links cannot carry as much as requests need", "give more bandwidth, or lower rate_per_s"),
}


def _cause(
    inference: InferenceProblem, weights: tuple[float, float], engine: str, time_limit_s: float
) -> InfeasibleError:
    """Return the error that names the limits without any one of which a placement would exist."""
    findings = []
    for left_out in LIMITS:
        program = build(inference, weights, [limit for limit in LIMITS if limit != left_out])
        found = solve_model(program.model, engine, gap=1.0, time_limit_s=time_limit_s)
        if np.isfinite(found.objective):
            findings.append(Finding(f"inference ({left_out})", *_WORDS[left_out]))
    together = Finding(
        "inference", "memory, speed and links together leave no placement", "relax more than one of them"
    )
    return InfeasibleError(findings or [together])
