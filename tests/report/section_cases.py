"""Directories of other kinds than plain runs: a run with requests, one with placed experts, answers."""

from __future__ import annotations

from pathlib import Path

from report_cases import outcome_of, run_directory, write_run

from hffm_opt.inference import infer, plan_inference
from hffm_opt.placed import placed_scenario, plan_specialisation
from hffm_opt.plan.inference import InferenceOutcome
from hffm_opt.plan.module_relaying import RelayingPlan, evaluate_relaying, hop_cost
from hffm_opt.problem import Problem, build_problem
from hffm_opt.relayed import plan_requests, states_of
from hffm_opt.scenario.inference import Inference, RequestClass
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.requests import ModuleRequest, Requests, granted
from hffm_opt.scenario.specialise import Specialise
from hffm_opt.serial import dump_json, write_text
from hffm_opt.trace import Ledger, LedgerEntry
from hffm_opt.trace.costs import SpentCosts
from hffm_opt.trace.relaying import RELAYING, RELAYING_PLAN, CopyRecord, RelayingTrace

NEW = "device-0-1"


def asking() -> Scenario:
    """Return tiny, where a device that holds nothing starts a task after round 2, and another one a second task."""
    tiny = load_scenario("tiny")
    devices = tuple(
        device.model_copy(update={"samples": dict.fromkeys(device.samples, 0)}) if device.name == NEW else device
        for device in tiny.devices
    )
    asked = ModuleRequest(device=NEW, task="shapes", samples=16, round=2, deadline_s=5.0)
    return tiny.model_copy(update={"devices": devices, "requests": Requests(asked=(asked,))})


def relayed_directory(directory: Path, method: str = "optimal") -> Path:
    """Write a run with requests, two phases of two rounds, as the referee says that it goes."""
    scenario = asking()
    assert scenario.requests is not None
    (event,) = plan_requests(scenario, method=method, training="h-fedfm-2").events
    before = scenario.model_copy(update={"requests": None})
    run_directory(directory / "phase-0", before, "h-fedfm-2", 2)
    run_directory(directory / "phase-1", granted(scenario, scenario.requests.asked), "h-fedfm-2", 2)
    problem = build_problem(states_of(scenario)[0][1])
    write_text(directory / "phase-0" / RELAYING_PLAN, dump_json(event))
    write_text(directory / "phase-0" / RELAYING, dump_json(_relaying(problem, event)))
    return directory


def _relaying(problem: Problem, plan: RelayingPlan) -> RelayingTrace:
    told = evaluate_relaying(problem, plan)
    payload = dict(zip(problem.modules, map(int, problem.payload_bit), strict=True))
    copies, entries = [], []
    for transfer, finish_s in zip(plan.transfers, told.finish_s, strict=True):
        if transfer.source is None:
            continue
        bits = payload[transfer.module]
        for hop in transfer.hops:
            link, resource = hop_cost(problem, hop.source, hop.target)
            ends = (hop.source, hop.target, transfer.module)
            entry = LedgerEntry(plan.round, "relay", resource, *ends, bits, bits, 0.0, finish_s, link.joules(bits))
            entries.append(entry)
        copies.append(
            CopyRecord(
                device=transfer.device,
                module=transfer.module,
                source=transfer.source,
                sha256="0" * 64,
                arrived_s=finish_s,
            )
        )
    ledger = Ledger.of(entries)
    costs = SpentCosts(latency_s=told.latency_s, energy_j=told.energy_j, bits=ledger.total("charged_bits"))
    return RelayingTrace(
        round=plan.round, method=plan.method, copies=tuple(copies), predicted=costs, measured=costs, ledger=ledger
    )


def specialising() -> Scenario:
    """Return the mixture that ships with the package, its experts to be placed, edge servers with room for copies."""
    m3t = load_scenario("m3t")
    devices = tuple(device.model_copy(update={"experts": None}) for device in m3t.devices)
    section = Specialise(experts_per_device=1, edge_memory_bit=1e6, fetch_rounds=8, misfit_weight=0.1)
    return m3t.model_copy(update={"devices": devices, "specialise": section})


def placed_directory(directory: Path) -> Path:
    """Write a run of one round of a scenario whose experts were placed, with the placement beside it."""
    scenario = specialising()
    plan = plan_specialisation(scenario, gap=0.05)
    placed = placed_scenario(scenario, plan)
    write_run(directory, placed, outcome_of(placed, "h-fedfm-2"), 1)
    write_text(directory / "placement.json", dump_json(plan))
    return directory


def asked_inference() -> Scenario:
    """Return tiny with two classes of requests."""
    classes = tuple(
        RequestClass(name=f"{task}-asked", task=task, device="device-0-0", rate_per_s=2.0)
        for task in ("digits", "shapes")
    )
    return load_scenario("tiny").model_copy(update={"inference": Inference(classes=classes)})


def scattered(scenario: Scenario) -> InferenceOutcome:
    """Return a plan made by hand: pieces on the device, a peer, the edge and the cloud."""
    outcome = plan_inference(scenario, method="edge-only")
    first, second = outcome.plan.classes
    nodes = dict.fromkeys(first.nodes, "edge-0") | {"encode text": "device-0-0", "encode image": "device-0-1"}
    nodes |= {"layer 0": "device-0-1", "layer 3": "cloud", "head": "cloud"}
    plan = outcome.plan.model_copy(update={"classes": (first.model_copy(update={"nodes": nodes}), second)})
    return outcome.model_copy(update={"plan": plan})


def answers_directory(directory: Path) -> Path:
    """Answer two requests of each class for real, and keep the answers."""
    scenario = asked_inference()
    infer(scenario, scattered(scenario), samples=2, out=directory)
    return directory
