"""What a run cost, judged by the referee in the network as it really was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hffm_opt.plan.fetching import FetchCost, Fetching, fetch_cost
from hffm_opt.plan.model import Plan
from hffm_opt.plan.schedule import CarriedRounds, RunCost, Stretch, in_force, stretches_cost
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


def effective_cost(network: Callable[[int], Problem], plan: Plan, rounds: Sequence[int]) -> tuple[float, float]:
    """Return seconds and joules per round of full participation of a plan in some consecutive rounds.

    Rounds count by the share of the samples that they train: half of it in twice the rounds is taken to teach as much.
    Both are infinite where the plan reaches nobody.

    Args:
        network: the network in a round.
        plan: the plan.
        rounds: the rounds, before which all cells are taken to meet.
    """
    if not rounds:
        return 0.0, 0.0
    carried = CarriedRounds()
    taught = sum(carried.add(number, network(number), plan).participation for number in rounds)
    if taught <= 0:
        return float("inf"), float("inf")
    cost = stretches_cost(carried.stretches, rounds[-1], start=rounds[0])
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
    return stretches_cost(stretches, len(trace.rounds), *_sent(trace), fetched=_fetched(problem, trace))


def _sent(trace: Trace) -> tuple[list[tuple[int, int]], dict[int, tuple[int, ...]]]:
    """Return a run's broadcasts, and the rounds after which devices were told of a new plan."""
    broadcasts = [(each.round, each.bits) for each in trace.broadcasts]
    return broadcasts, {each.round - 1: each.notice_bits for each in trace.revisions if each.notice_bits}


def _fetched(problem: Problem, trace: Trace) -> tuple[Fetching, FetchCost] | None:
    fetching = trace.header.fetching
    return None if fetching is None else (fetching, fetch_cost(problem, fetching))


def replayed(problem: Problem, first: Plan, trace: Trace) -> RunCost:
    """Return what the referee counts for a run under the conditions that really were: the ledger's totals, exactly.

    Broadcasts of realigned neurons are counted with the rest.
    """
    network, plans, carried = TrueNetwork(problem), trace.plans(first), CarriedRounds()
    for number in range(1, len(trace.rounds) + 1):
        carried.add(number, network.at(number), in_force(plans, number))
    return stretches_cost(carried.stretches, len(trace.rounds), *_sent(trace), fetched=_fetched(problem, trace))
