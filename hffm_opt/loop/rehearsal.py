"""A run without the training: what a course decides, and what that costs, in seconds instead of minutes.

Nothing is learned, so goals without a target alone can be rehearsed; fading is met and not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from hffm_opt.plan.circulation import kind_of_round, top_kind
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import CarriedRounds, RunCost, stretches_cost
from hffm_opt.trace.course import Course, SoFar
from hffm_opt.trace.ledger import LedgerColumns
from hffm_opt.trace.model import Look, Revision, RoundRecord


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Looks and changes of plan of a rehearsed run, what it cost, and the rounds of full participation it was worth."""

    looks: tuple[Look, ...]
    revisions: tuple[Revision, ...]
    cost: RunCost
    taught: float


def rehearse(plan: Plan, rounds: int, course: Course) -> Rehearsal:
    """Run a course without training.

    Args:
        plan: the plan to begin with.
        rounds: how many rounds.
        course: the network, and who looks at the plan.

    Example:
        >>> import hffm_opt
        >>> from hffm_opt.loop.static import StaticCourse
        >>> from hffm_opt.problem.build import build_problem
        >>> from hffm_opt.scenario.read import load_scenario
        >>> plan = hffm_opt.plan("tiny", method="h-fedfm-2").plan
        >>> rehearse(plan, 4, StaticCourse(build_problem(load_scenario("tiny")))).taught
        4.0
    """
    met = CarriedRounds()
    records: list[RoundRecord] = []
    looks: list[Look] = []
    revisions: list[Revision] = []
    ledger = LedgerColumns()
    for number in range(1, rounds + 1):
        plan = revisions[-1].plan if revisions else plan
        carried = met.add(number, course.network(number), plan)
        records.append(
            RoundRecord(
                round=number,
                kind=kind_of_round(number, top_kind(plan.circulation)),
                end_s=0.0,
                energy_j=0.0,
                bits=0.0,
                sat_out=carried.sat_out,
                participation=carried.participation,
            )
        )
        if number < rounds and course.looks(number, plan):
            look, revision = course.revise(SoFar(plan, records, (), ledger, (), revisions, looks))
            looks.append(look)
            revisions += [] if revision is None else [revision]
    told = {each.round - 1: each.notice_bits for each in revisions if each.notice_bits}
    cost = stretches_cost(met.stretches, rounds, told=told)
    return Rehearsal(tuple(looks), tuple(revisions), cost, sum(record.participation for record in records))
