"""What changes of plan were worth, judged by the referee in the network as it really was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hffm_opt.plan.carried import carried_out
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import RunCost, Stretch, stretches_cost
from hffm_opt.problem.build import build_problem
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.conditions import Conditions, conditions_at, under
from hffm_opt.trace.model import Trace


class TrueNetwork:
    """The network as it is in each round, compiled once for rounds that are alike.

    Args:
        problem: the network as the scenario gives it.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._conditions: Conditions | None = None
        self._last = problem

    def at(self, number: int) -> Problem:
        """Return the network in a round; the same object as long as its conditions stay the same."""
        conditions = conditions_at(self._problem.scenario, number)
        if conditions != self._conditions:
            self._conditions = conditions
            self._last = under_conditions(self._problem, conditions)
        return self._last


def under_conditions(problem: Problem, conditions: Conditions) -> Problem:
    """Return a problem under conditions, every device at the edge that serves it."""
    if conditions == Conditions():
        return problem
    serving = {name: cell.edge.name for cell in problem.cells for name in cell.names}
    return build_problem(under(problem.scenario, conditions), serving)


@dataclass(frozen=True)
class Realised:
    """What a plan and its predecessor cost in the same rounds of the same network, per round of full participation.

    Seconds and joules; infinite where a plan reaches nobody. ``taught`` are the rounds of full participation that the
    new plan's rounds were worth.
    """

    rounds: int
    taught: float
    latency_s: float
    energy_j: float
    old_latency_s: float
    old_energy_j: float


def realised_costs(problem: Problem, first: Plan, trace: Trace) -> tuple[Realised, ...]:
    """Return for every revision of a run what its plan and the one before it cost until the next revision.

    Args:
        problem: the network as the scenario gives it.
        first: the plan that the run began with.
        trace: the run.
    """
    plans = trace.plans(first)
    ends = [*(start - 1 for start, _ in plans[1:]), len(trace.rounds)][1:]
    found = []
    for (_, old), (start, new), end in zip(plans, plans[1:], ends, strict=False):
        network = TrueNetwork(problem)
        rounds = range(start, end + 1)
        costs = [effective_cost(network, plan, rounds) for plan in (new, old)]
        taught = sum(trace.rounds[number - 1].participation for number in rounds)
        found.append(Realised(len(rounds), taught, *costs[0], *costs[1]))
    return tuple(found)


def effective_cost(network: TrueNetwork, plan: Plan, rounds: Sequence[int]) -> tuple[float, float]:
    """Return seconds and joules per round of full participation of a plan in some consecutive rounds.

    Rounds count by the share of the samples that they train: half of it in twice the rounds is taken to teach as much.
    """
    if not rounds:
        return 0.0, 0.0
    carried = [carried_out(network.at(number), plan) for number in rounds]
    taught = sum(each.participation for each in carried)
    if taught <= 0:
        return float("inf"), float("inf")
    stretches = [Stretch(number, each.problem, each.plan) for number, each in zip(rounds, carried, strict=True)]
    cost = stretches_cost(stretches, rounds[-1], start=rounds[0])
    return cost.latency_s / taught, cost.energy_j / taught


def promised(problem: Problem, first: Plan, trace: Trace) -> RunCost:
    """Return what the plans of a run promised: each counted in the network that it was made for.

    Args:
        problem: the network as the scenario gives it.
        first: the plan that the run began with.
        trace: the run.
    """
    stretches = [Stretch(1, problem, first)]
    stretches += [
        Stretch(each.round, under_conditions(problem, each.conditions), each.plan) for each in trace.revisions
    ]
    return stretches_cost(stretches, len(trace.rounds), *_sent(trace))


def _sent(trace: Trace) -> tuple[list[tuple[int, int]], dict[int, tuple[int, ...]]]:
    """Return a run's broadcasts, and the rounds after which devices were told of a new plan."""
    broadcasts = [(each.round, each.bits) for each in trace.broadcasts]
    return broadcasts, {each.round - 1: each.notice_bits for each in trace.revisions if each.notice_bits}


def replayed(problem: Problem, first: Plan, trace: Trace) -> RunCost:
    """Return what the referee counts for a run under the conditions that really were: the ledger's totals, exactly.

    Broadcasts of realigned neurons are counted with the rest.
    """
    network, plans, stretches = TrueNetwork(problem), trace.plans(first), []
    last: tuple[Problem, Plan] | None = None
    for number in range(1, len(trace.rounds) + 1):
        plan = next(plan for start, plan in reversed(plans) if start <= number)
        now = network.at(number)
        if last is None or last[0] is not now or last[1] is not plan:
            carried = carried_out(now, plan)
            stretches.append(Stretch(number, carried.problem, carried.plan))
            last = (now, plan)
    return stretches_cost(stretches, len(trace.rounds), *_sent(trace))
