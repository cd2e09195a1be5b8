"""Which plan was in force in which rounds, and the network as that plan saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hffm_opt.measurement.replans import under_conditions
from hffm_opt.plan.circulation import Tier, kind_of_round, tiers, top_kind
from hffm_opt.plan.model import Plan
from hffm_opt.plan.referee import Evaluation, evaluate_plan
from hffm_opt.problem.model import Problem
from hffm_opt.report.run import Run
from hffm_opt.trace.model import Revision


@dataclass(frozen=True, eq=False)
class InForce:
    """A plan, the rounds ``first`` to ``last`` that it was in force in, and the problem that it was made for."""

    first: int
    last: int
    problem: Problem
    plan: Plan
    evaluation: Evaluation

    @property
    def title(self) -> str:
        """The rounds in words."""
        return f"round {self.first}" if self.first == self.last else f"rounds {self.first} to {self.last}"

    def kind(self, number: int) -> int:
        """Return the kind of a round."""
        return kind_of_round(number, top_kind(self.plan.circulation))

    def tiers(self, number: int) -> dict[str, Tier]:
        """Return where each module is averaged in a round."""
        level = tiers(self.plan.circulation, self.kind(number))
        return {c.module: Tier(int(tier)) for c, tier in zip(self.plan.circulation, level, strict=True)}


def plans_in_force(run: Run) -> tuple[InForce, ...]:
    """Return the plans that a run's rounds followed, in order; those that no complete round followed are left out."""
    begun = InForce(1, run.rounds, run.problem, run.plan, run.evaluation)
    found = [begun]
    for revision in run.trace.revisions:
        if revision.round > run.rounds:
            break
        before = found.pop()
        if before.first < revision.round:
            found.append(replace(before, last=revision.round - 1))
        found.append(_in_force(run, revision))
    return tuple(found)


def in_force_at(plans: Sequence[InForce], number: int) -> InForce:
    """Return the plan that a round followed."""
    return next(plan for plan in plans if number <= plan.last)


def _in_force(run: Run, revision: Revision) -> InForce:
    plan, problem = revision.plan, under_conditions(run.problem, revision.conditions)
    # The plan may name the run's scenario, not the same one under the conditions that it was made for.
    reference = plan.scenario.model_copy(update={"fingerprint": problem.fingerprint})
    fitted = plan.model_copy(update={"scenario": reference})
    return InForce(revision.round, run.rounds, problem, fitted, evaluate_plan(problem, fitted))
