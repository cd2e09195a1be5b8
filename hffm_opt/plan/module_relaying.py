"""Which copies of which modules cross which links, and the referee of it in plain numbers.

A transfer's packets cross its path one behind the other, each forwarded as it arrives, and every hop has a share of its
resource's time from the start until the transfer ends. So with b bits, hops of R_i bit/s with shares s_i and delays d_i

    finish = max_i b / (s_i R_i) + sum_i d_i          energy = sum_i b E_i

What is neglected is the airtime of one packet per hop. The shares of a resource sum to at most 1; transfers that end
early leave their share unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.costs import LinkCost, backhaul_cost, direct_cost, radio_cost
from hffm_opt.plan.holders import averaged_last
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.plan.model import Plan, ScenarioReference
from hffm_opt.plan.nominal import band_of, power_cap_w
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.fingerprint import digest
from hffm_opt.scenario.model import CLOUD, Frozen, Name, Scenario
from hffm_opt.scenario.requests import asked_after, lacking


class RelayHop(Frozen):
    """One link of a path, and the share of its resource's time that the transfer has."""

    source: Name
    target: Name
    share: Annotated[float, Field(gt=0, le=1e9)]


class ModuleTransfer(Frozen):
    """A module that a device gets: from which node, and over which hops. Without a source it begins from scratch.

    ``misfit`` is what the planner charged for the copy; ``None`` without a source.
    """

    device: Name
    module: Name
    source: Name | None
    hops: tuple[RelayHop, ...] = ()
    misfit: float | None = None


class RelayingPlan(Frozen):
    """All transfers after one round, with the certificate of how they were chosen.

    ``objective`` and ``bound`` are in the planner's unit: its weights times seconds until the last module has come,
    joules, and the sum of misfits. ``requests`` is the fingerprint of the requests that it answers, ``ran`` how many
    rounds the training plan in force has run by then.
    """

    scenario: ScenarioReference
    requests: str
    round: Annotated[int, Field(ge=1)]
    ran: Annotated[int, Field(ge=1)]
    method: str
    status: Literal["optimal", "feasible", "limit", "infeasible"]
    stop_reason: str
    objective: float | None
    bound: float | None
    gap: float | None
    seconds: float
    latency_s: float
    energy_j: float
    misfit: float
    transfers: tuple[ModuleTransfer, ...]


class RelayingPlans(Frozen):
    """The relaying plans of all rounds after which requests are granted, in order."""

    format: Literal["hffm-relaying-plan/1"] = "hffm-relaying-plan/1"
    scenario: ScenarioReference
    method: str
    feasible: bool
    events: Annotated[tuple[RelayingPlan, ...], Field(min_length=1)]

    def after(self, number: int) -> RelayingPlan | None:
        """Return the plan of the requests after a round, if there is one."""
        return next((event for event in self.events if event.round == number), None)


@dataclass(frozen=True)
class RelayingCost:
    """What a relaying plan costs: when each transfer ends, its energy, the sums, and every limit that it breaks."""

    finish_s: tuple[float, ...]
    joules: tuple[float, ...]
    latency_s: float
    energy_j: float
    misfit: float
    load: dict[str, float]
    violations: tuple[Finding, ...]

    @property
    def feasible(self) -> bool:
        """Whether every limit is kept."""
        return not self.violations


def requests_fingerprint(scenario: Scenario) -> str:
    """Return the SHA-256 (hex) of a scenario's requests.

    Raises:
        InputError: it has none.
    """
    if scenario.requests is None:
        raise InputError.one("requests", "the scenario has no requests", "add the section 'requests'")
    return digest(scenario.requests.model_dump(mode="json"))


def hop_cost(problem: Problem, source: str, target: str) -> tuple[LinkCost, str]:
    """Return what a link costs while it has all its resource's time, and the resource's name.

    Raises:
        InputError: there is no such link.
    """
    if CLOUD in (source, target):
        other = target if source == CLOUD else source
        way = "down" if source == CLOUD else "up"
        cell = next((c for c in problem.cells if c.edge.name == other), None)
        if cell is not None:
            return backhaul_cost(problem, cell), f"{other} backhaul {way}"
        if problem.scenario.cloud.direct is not None and any(d.name == other for d in problem.scenario.devices):
            return direct_cost(problem), f"{other} direct {way}"
    for cell in problem.cells:
        nodes = [*cell.names, cell.edge.name]
        if source in nodes and target in nodes and source != target:
            band = band_of(cell, source, target)
            width = float(getattr(cell.edge, f"{band}_bandwidth_hz"))
            power = power_cap_w(problem, cell, source, target)
            cost = radio_cost(problem, cell, nodes.index(source), nodes.index(target), width, power)
            shared = getattr(problem.scenario.physics, f"{band}_sharing") == "shared"
            return cost, f"{cell.edge.name} {band}" if shared else f"{source} -> {target}"
    raise InputError.one("transfers", f"there is no link {source} -> {target}", "relay through other nodes")


def evaluate_relaying(problem: Problem, plan: RelayingPlan, training: Plan | None = None) -> RelayingCost:
    """Let the referee judge a relaying plan.

    It computes rates and energies as the referee of training plans does, knows nothing of the planner's program, and
    takes over nothing but the misfits, which are a choice of model and no cost.

    Args:
        problem: the scenario before the requests are granted.
        plan: the plan.
        training: the training plan that runs until then; with it, that edge servers and the cloud hold the averages
            that are copied from them is checked too.

    Raises:
        InputError: the plan is for another scenario or other requests, or names links that there are not.
    """
    scenario = problem.scenario
    made_for = plan.scenario.fingerprint, plan.requests
    if made_for != (problem.fingerprint, requests_fingerprint(scenario)):
        message = f"the plan is for '{plan.scenario.name}' with other requests or in another state"
        raise InputError.one("scenario", message, "plan it anew: hffm plan S --for requests")
    due = {
        (request.device, module.name): request.deadline_s
        for request in asked_after(scenario, plan.round)
        for module in lacking(scenario, request)
    }
    bits_of = dict(zip(problem.modules, problem.payload_bit.tolist(), strict=True))
    violations = list(_unanswered(plan, set(due)))
    finish, joules, load = [], [], dict[str, float]()
    for i, transfer in enumerate(plan.transfers):
        bits = bits_of.get(transfer.module, 0.0)
        hops = [(hop, *hop_cost(problem, hop.source, hop.target)) for hop in transfer.hops]
        for hop, _, resource in hops:
            load[resource] = load.get(resource, 0.0) + hop.share
        stream = max((cost.s_per_bit * bits / hop.share for hop, cost, _ in hops), default=0.0)
        finish.append(stream + sum(cost.delay_s for _, cost, _ in hops) if bits else 0.0)
        joules.append(float(sum(cost.joules(bits) for _, cost, _ in hops)))
        limit = due.get((transfer.device, transfer.module), 0.0)
        violations += _broken_path(problem, transfer, f"transfers[{i}]")
        violations += _no_average(problem, training, plan.ran, transfer, f"transfers[{i}]")
        if finish[-1] > limit * (1 + TOLERANCE):
            message = f"'{transfer.module}' reaches {transfer.device} after {finish[-1]:.6g} s, due after {limit:.6g} s"
            violations.append(Finding(f"transfers[{i}]", message, "use faster links, or a later deadline"))
    for resource, total in load.items():
        if total > 1 + TOLERANCE:
            violations.append(Finding(resource, f"{total:.6g} of its time is given away", "give away at most 1"))
    return RelayingCost(
        finish_s=tuple(finish),
        joules=tuple(joules),
        latency_s=max(finish, default=0.0),
        energy_j=float(sum(joules)),
        misfit=float(sum(t.misfit or 0.0 for t in plan.transfers)),
        load=load,
        violations=tuple(violations),
    )


def _unanswered(plan: RelayingPlan, due: set[tuple[str, str]]) -> list[Finding]:
    told = [(transfer.device, transfer.module) for transfer in plan.transfers]
    found = [
        Finding("transfers", f"{device} is to get '{module}' {told.count((device, module))} times", "give it once")
        for device, module in sorted(due)
        if told.count((device, module)) != 1
    ]
    extra = sorted(set(told) - due)
    return found + [
        Finding("transfers", f"{device} did not ask for '{module}'", "remove it") for device, module in extra
    ]


def _broken_path(problem: Problem, transfer: ModuleTransfer, path: str) -> list[Finding]:
    if transfer.source is None:
        return [] if not transfer.hops else [Finding(path, "hops without a source", "name the holder, or no hops")]
    ends = [transfer.source, *(hop.target for hop in transfer.hops)]
    starts = [hop.source for hop in transfer.hops]
    if starts != ends[:-1] or ends[-1] != transfer.device:
        return [Finding(path, f"its hops are no path from {transfer.source} to {transfer.device}", "join them")]
    if len(set(ends)) < len(ends):
        return [Finding(path, "it passes a node twice", "leave the loop out")]
    rows = {d.name: u for u, d in enumerate(problem.scenario.devices)}
    if transfer.module not in problem.modules:
        return [Finding(path, f"no module is named '{transfer.module}'", "remove it")]
    if transfer.source in rows and not problem.owners[rows[transfer.source], problem.modules.index(transfer.module)]:
        return [Finding(path, f"{transfer.source} holds no '{transfer.module}'", "copy from a node that does")]
    return []


def _no_average(
    problem: Problem, training: Plan | None, number: int, transfer: ModuleTransfer, path: str
) -> list[Finding]:
    """Return a finding where an edge server or the cloud is to give an average that it never made."""
    if training is None or transfer.module not in problem.modules:
        return []
    m = problem.modules.index(transfer.module)
    _, at_edge, at_cloud = averaged_last(training, number, m)
    # Where nobody owns the module, a round that averages it averages nothing.
    there = [bool(problem.owners[cell.members, m].any()) for cell in problem.cells]
    made = {cell.edge.name: at_edge[i] * there[i] for i, cell in enumerate(problem.cells)}
    made[CLOUD] = at_cloud * any(there)
    if made.get(str(transfer.source), 1):
        return []
    return [Finding(path, f"{transfer.source} holds no average of '{transfer.module}'", "copy from a node that does")]
