"""Run directories for the report without training: real plans, costs from the referee's parts, invented accuracies."""

from __future__ import annotations

from pathlib import Path

import hffm_opt
from hffm_opt.measurement import measure
from hffm_opt.plan.circulation import Tier, kind_of_round, top_kind
from hffm_opt.plan.costs import backhaul_cost
from hffm_opt.plan.outcome import Outcome
from hffm_opt.plan.rounds import ready_seconds
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.report.flows import KindFlows, kind_flows
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.seeds import derive
from hffm_opt.serial import dump_json, dump_yaml, write_text
from hffm_opt.trace import AccuracyRecord, Ledger, LedgerEntry, Provenance, RoundRecord, RunHeader, Trace, write_trace

SOFTWARE = Provenance(
    python="3.11.0", packages={"hffm_opt": "0.1.0"}, machine="Linux x86_64", commit="c0ffee" * 6 + "c0ff"
)
_EVENT = {"direct-up": "uplink", "direct-down": "downlink"}


def outcome_of(scenario: Scenario, method: str) -> Outcome:
    """Return a method's plan for a scenario."""
    return hffm_opt.plan(scenario, method=method)


def run_directory(directory: Path, scenario: str | Scenario, method: str, rounds: int, seed: int = 0) -> Path:
    """Write a run of a heuristic's plan to a directory and return it."""
    found = load_scenario(scenario) if isinstance(scenario, str) else scenario
    return write_run(directory, found, outcome_of(found, method), rounds, seed)


def write_run(directory: Path, scenario: Scenario, outcome: Outcome, rounds: int, seed: int = 0) -> Path:
    """Write a run of a plan to a directory and return it."""
    problem = build_problem(scenario)
    trace = made_up_trace(problem, outcome, rounds, seed)
    write_text(directory / "scenario.yaml", dump_yaml(scenario))
    write_text(directory / "plan.json", dump_json(outcome.plan))
    write_text(directory / "outcome.json", dump_json(outcome))
    write_trace(trace, directory)
    write_text(directory / "measurement.json", dump_json(measure(problem, outcome.plan, trace)))
    return directory


def made_up_trace(problem: Problem, outcome: Outcome, rounds: int, seed: int) -> Trace:
    """Return a trace whose ledger costs what the plan's rounds cost."""
    plan = outcome.plan
    by_kind = {kind: flows for flows in kind_flows(problem, plan) for kind in flows.kinds}
    entries: list[LedgerEntry] = []
    records, accuracy = [], []
    for number in range(1, rounds + 1):
        end_s = run_cost(problem, plan, number).latency_s
        kind = kind_of_round(number, top_kind(plan.circulation))
        mine = _round_entries(problem, outcome, by_kind[kind], kind, number, end_s)
        entries += mine
        energy = sum(entry.joules for entry in mine)
        records.append(
            RoundRecord(round=number, kind=kind, end_s=end_s, energy_j=energy, bits=sum(e.charged_bits for e in mine))
        )
        spent = sum(record.energy_j for record in records)
        accuracy += _accuracies(problem, by_kind[kind], number, rounds, end_s, spent, seed)
    header = RunHeader(
        scenario=problem.scenario.name,
        fingerprint=problem.fingerprint,
        method=plan.method,
        backbone=problem.scenario.learning.backbone,
        seed=seed,
        rounds=rounds,
        baseline={task.name: 1.5 / task.answers for task in problem.scenario.tasks},
        provenance=SOFTWARE,
    )
    return Trace(header=header, rounds=tuple(records), accuracy=tuple(accuracy), ledger=Ledger.of(entries))


def _round_entries(
    problem: Problem, outcome: Outcome, flows: KindFlows, kind: int, number: int, end_s: float
) -> list[LedgerEntry]:
    entries = []

    def add(
        event: str, cell: str, source: str, target: str, modules: str, bits: float, seconds: float, joules: float
    ) -> None:
        start_s = max(0.0, end_s - seconds)
        entries.append(
            LedgerEntry(number, event, cell, source, target, modules, int(bits), int(bits), start_s, seconds, joules)
        )

    for i, cell in enumerate(problem.cells):
        plan = outcome.plan.cells[i].rounds[kind]
        ready = ready_seconds(problem, cell, plan, "")
        for j, (row, name) in enumerate(zip(cell.members, cell.names, strict=True)):
            work = problem.capacitance_j_s2[row] * plan.cpu_hz[name] ** 2 * problem.cycles[row]
            add("train", cell.edge.name, name, "", "", 0, float(ready[j]), float(work))
        for flow in flows.cells[i]:
            event = _EVENT.get(flow.event, flow.event)
            modules = " ".join(module for module, _ in flow.by_module)
            add(event, cell.edge.name, flow.source, flow.target, modules, flow.bits, flow.seconds, flow.joules)
        direct = any(flow.event == "direct-up" for flow in flows.cells[i])
        due = [m for m, name in enumerate(problem.modules) if flows.tier_of_module[name] == Tier.CLOUD]
        owned = [m for m in due if problem.cell_owners(cell)[:, m].any()]
        if owned and not direct:
            bits = float(problem.payload_bit[owned].sum())
            link = backhaul_cost(problem, cell)
            ways = (("backhaul-up", cell.edge.name, "cloud"), ("backhaul-down", "cloud", cell.edge.name))
            for event, *ends in ways[: 1 if problem.published else 2]:
                modules = " ".join(problem.modules[m] for m in owned)
                add(event, cell.edge.name, *ends, modules, bits, link.seconds(bits), link.joules(bits))
    return entries


def _accuracies(
    problem: Problem, flows: KindFlows, number: int, rounds: int, end_s: float, spent_j: float, seed: int
) -> list[AccuracyRecord]:
    deepest = max(flows.tier_of_module.values())
    records = []
    phases = ("before-average", "after-average") if deepest else ("before-average",)
    for phase, early in zip(phases, (0.98, 1.0), strict=False):
        for task in problem.scenario.tasks:
            noise = derive(seed, "accuracy", number, phase, task.name).normal(0.0, 0.01)
            value = 0.75 * (1 - 0.5 ** (4 * number / rounds)) - (0.04 if phase == "before-average" else 0.0) + noise
            records.append(
                AccuracyRecord(
                    round=number,
                    phase=phase,
                    tier=deepest.name.lower(),
                    task=task.name,
                    accuracy=min(1.0, max(0.0, value)),
                    devices=1,
                    states=1,
                    clock_s=early * end_s,
                    energy_j=early * spent_j,
                )
            )
    return records
