"""What is proven about a choice that is no plan of training: copies, placements of experts, chains of inference."""

from __future__ import annotations

from typing import Protocol

from hffm_opt.report.numbers import gap, number

VERDICTS = {"optimal": "Proven optimal within the gap asked for", "limit": "Stopped by a limit, with a bound"}
BOUNDED = "Feasible, with a bound"


class Certified(Protocol):
    """A choice with its certificate; ``bound`` is a proven lower bound on ``objective``, ``gap`` what lies between."""

    @property
    def status(self) -> str:
        """Whether it is optimal, feasible, stopped by a limit, or infeasible."""

    @property
    def stop_reason(self) -> str:
        """Why its planner stopped."""

    @property
    def objective(self) -> float | None:
        """What it costs in the planner's unit, null where a limit is broken."""

    @property
    def bound(self) -> float | None:
        """What no other choice can cost less than, if that is proven."""

    @property
    def gap(self) -> float | None:
        """The relative gap between the two."""


def proof_words(choice: Certified, unit: str, what: str) -> tuple[str, str]:
    """Return a verdict of a few words, and the sentences that explain it.

    Args:
        choice: the choice.
        unit: what its objective adds up.
        what: what was chosen.
    """
    if choice.status == "infeasible" or choice.objective is None:
        return "Breaks a limit", f"{choice.stop_reason[:1].upper()}{choice.stop_reason[1:].removesuffix('.')}."
    costs = f"The objective, {unit}, is {number(choice.objective, 6)}."
    if choice.bound is None:
        return "Feasible, nothing proven", f"{costs} The method proves no bound, so a better {what} may exist."
    proof = f"It is proven that no {what} costs less than {number(choice.bound, 6)}"
    verdict = VERDICTS.get(choice.status, BOUNDED)
    return verdict, f"{costs} {proof}, so at most {gap(choice.gap)} is left to gain."
