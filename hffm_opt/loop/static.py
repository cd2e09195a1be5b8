"""The course of a run whose plan nobody looks at, in a network that changes all the same."""

from __future__ import annotations

from hffm_opt.measurement.replans import TrueNetwork
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.model import Goal, Look, Revision


class StaticCourse:
    """The network changes, the plan stays (see :class:`hffm_opt.trace.course.Course`).

    Args:
        problem: the network as the scenario gives it.
    """

    def __init__(self, problem: Problem) -> None:
        self._network = TrueNetwork(problem)
        self.goal: Goal | None = None

    def network(self, number: int) -> Problem:
        """Return the network as it is in a round."""
        return self._network.at(number)

    def looks(self, number: int, plan: Plan) -> bool:
        """Whether a look at the plan follows a round: never."""
        del number, plan
        return False

    def revise(self, so_far: SoFar) -> tuple[Look, Revision | None]:
        """Nobody looks, so this is never called."""
        raise AssertionError(f"round {so_far.number} has no look")
