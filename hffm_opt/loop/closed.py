"""The closed loop: look at a run now and then, revise what is believed of its network, and replan where that pays.

A look compares what is left of the run under the plan in force with what would be left under the best plan for the
conditions as they are known now. A plan that leaves devices out teaches less in a round, so rounds count by the share
of the samples that they train. The new plan takes over if it saves more than it costs to tell the devices of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hffm_opt.errors import HffmError
from hffm_opt.loop.causes import causes
from hffm_opt.loop.left import WhatIsLeft
from hffm_opt.measurement.observe import fading_of_bands, link_gains, measured_divergence, with_fading
from hffm_opt.measurement.replans import TrueNetwork, under_conditions
from hffm_opt.plan.carried import Carried, carried_out
from hffm_opt.plan.circulation import drift
from hffm_opt.plan.model import Plan
from hffm_opt.plan.notice import notice_bits, notice_cost
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.referee import evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.conditions import Conditions, conditions_at
from hffm_opt.trace.course import SoFar
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.trace.model import Goal, Look, Revision

Replan = Callable[[Problem, Plan, WhatIsLeft], Outcome]
"""Plans a network anew, given the plan in force and what is left of the run."""
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Known:
    """What a look knows: the conditions, the network under them, and the plan in force as it is carried out there."""

    conditions: Conditions
    problem: Problem
    carried: Carried


class ClosedLoop:
    """The course of a run that is looked at (see :class:`hffm_opt.trace.course.Course`).

    Args:
        problem: the network as the scenario gives it.
        first: the plan that the run begins with.
        rounds: how many rounds the run has.
        goal: what is minimised, and how often to look.
        replan: makes plans.
        tell: told what happens, in words.
    """

    def __init__(
        self, problem: Problem, first: Plan, rounds: int, goal: Goal, replan: Replan, tell: Tell = lambda _: None
    ) -> None:
        self._first = first
        self._problem, self._rounds, self._replan, self._tell = problem, rounds, replan, tell
        self.goal: Goal | None = goal
        self._goal = goal
        self._network = TrueNetwork(problem)

    def network(self, number: int) -> Problem:
        """Return the network as it is in a round."""
        return self._network.at(number)

    def looks(self, number: int, plan: Plan) -> bool:
        """Whether a look follows a round: it is due, or devices came, went, were cut off or changed speed in it."""
        if number % self._goal.looks_every == 0:
            return True
        now = self._served(number, plan)
        return number > 1 and now != self._served(number - 1, plan)

    def _served(self, number: int, plan: Plan) -> tuple[object, ...]:
        """Return what devices report in a round under a plan: who is gone, who sits out, how fast they compute."""
        conditions = conditions_at(self._problem.scenario, number)
        unbroken = all(item.factor > 0 for item in conditions.gains)
        if unbroken and not conditions.absent:
            return (), (), conditions.speeds
        cut_off = carried_out(under_conditions(self._problem, conditions), plan).sat_out
        return conditions.absent, cut_off, conditions.speeds

    def revise(self, so_far: SoFar) -> tuple[Look, Revision | None]:
        """Return what a look found, and the plan that takes over in the next round if one does."""
        number = so_far.number
        before = so_far.revisions[-1].conditions if so_far.revisions else Conditions()
        known = self._known(so_far, before)
        why = causes(before, known.conditions)
        if not why and self._goal.target is not None:
            why = ("accuracy measured",)
        left = WhatIsLeft.of(self._goal, so_far, known.problem, self._first, self._rounds - number)
        current = self._left_with(known.problem, known.carried.plan, known.carried, left)
        look = Look(
            round=number + 1,
            cause="; ".join(why) or "nothing has changed",
            conditions=known.conditions,
            current=current if math.isfinite(current) else None,
            rounds_left=left.rounds(self._drift(so_far.plan)) if math.isfinite(current) else self._rounds - number,
        )
        if not why:
            return look.model_copy(update={"reason": "the plan in force was made for these conditions"}), None
        if current <= 0:
            return look.model_copy(update={"reason": "nothing is left to save"}), None
        self._tell(f"round {number}: {look.cause}; planning anew")
        try:
            outcome = self._replan(known.problem, so_far.plan, left)
        except HffmError as error:
            return look.model_copy(update={"reason": f"no plan was found: {error.findings[0].message}"}), None
        if not outcome.feasible:
            return look.model_copy(update={"reason": "the best plan that was found breaks a limit"}), None
        plan, proposed = self._best(known, outcome.plan, so_far, left)
        return self._decided(look, known, plan, outcome.bound, left, (current, proposed))

    def _best(self, known: Known, made: Plan, so_far: SoFar, left: WhatIsLeft) -> tuple[Plan, float]:
        """Return the best of a new plan and those that were in force before, and what is left under it.

        A search stops at its gap, so that an old plan may be the better one when old conditions return.
        """
        found = [(self._left_with(known.problem, made, None, left), made)]
        for plan in (self._first, *(each.plan for each in so_far.revisions)):
            again = carried_out(known.problem, plan)
            # Only a plan that serves everybody is a plan for these conditions.
            if plan is not so_far.plan and not again.sat_out and again.participation > 0:
                found.append((self._left_with(known.problem, again.plan, again, left), again.plan))
        proposed, plan = min(found, key=lambda each: each[0])
        return plan, proposed

    def _decided(
        self, look: Look, known: Known, plan: Plan, bound: float | None, left: WhatIsLeft, worth: tuple[float, float]
    ) -> tuple[Look, Revision | None]:
        """Return the look with its decision, and the change of plan if it pays; ``worth`` is left now and then."""
        current, proposed = worth
        network = self._network.at(look.round - 1)
        bits = notice_bits(plan)
        seconds, joules = notice_cost(network, bits)
        cost = left.weigh(float(seconds.max(initial=0.0)), joules)
        saving = current - proposed
        adopted = saving > cost
        reason = "it saves more than it costs" if adopted else "it would not save what it costs"
        update: dict[str, object] = {
            "proposed": proposed if math.isfinite(proposed) else None,
            "bound": bound,
            "saving": saving if math.isfinite(saving) else None,
            "cost": cost,
            "adopted": adopted,
            "reason": reason,
        }
        told = look.model_copy(update=update)
        if not adopted:
            return told, None
        self._tell(f"from round {look.round} on another plan: {look.cause}")
        revision = Revision(round=look.round, plan=plan, conditions=known.conditions, notice_bits=bits)
        return told, revision

    def _drift(self, plan: Plan) -> float:
        return drift(self._problem, plan.circulation)

    def _left_with(self, problem: Problem, plan: Plan, carried: Carried | None, left: WhatIsLeft) -> float:
        """Return what is left of the run under a plan, in the objective's unit; infinite where it reaches nobody."""
        if carried is None:
            carried = carried_out(problem, plan)
        if carried.participation <= 0:
            return math.inf
        verdict = evaluate_plan(carried.problem, carried.plan, math.inf)
        return left.total(verdict.latency_s, verdict.energy_j, verdict.drift, carried.participation)

    def _known(self, so_far: SoFar, before: Conditions) -> Known:
        """Return what pilots, devices and the ledger tell after a round."""
        scenario, number = self._problem.scenario, so_far.number
        mean = conditions_at(scenario, number).model_copy(update={"draw": None})
        entries = self._window(so_far, mean)
        sounded = under_conditions(self._problem, mean)
        if scenario.changes is not None and scenario.changes.fading is not None:
            carried = carried_out(sounded, so_far.plan)
            found = link_gains(carried.problem, carried.plan, entries)
            mean = with_fading(sounded, mean, fading_of_bands(sounded, found))
        # A limit on Phi is stated in the scenario's divergences; measured ones price the way to a target.
        measured = measured_divergence(scenario, so_far.rounds) if self._goal.target is not None else ()
        conditions = mean.model_copy(update={"divergence": measured or before.divergence})
        problem = under_conditions(self._problem, conditions)
        return Known(conditions, problem, carried_out(problem, so_far.plan))

    def _window(self, so_far: SoFar, mean: Conditions) -> Sequence[LedgerEntry]:
        """Return the ledger's entries since the plan in force took over, of rounds whose mean gains were as now."""
        start = so_far.revisions[-1].round if so_far.revisions else 1
        alike = {
            number
            for number in range(start, so_far.number + 1)
            if conditions_at(self._problem.scenario, number).gains == mean.gains
        }
        entries = [entry for entry in so_far.ledger.entries() if entry.round in alike]
        return [*entries, *(entry for entry in so_far.latest if entry.round in alike)]
