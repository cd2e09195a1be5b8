"""Walks: the chain of every island with its certificate, and what a training by walks achieved and cost."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from hffm_opt.cli.figures import SMALL_RISE, bits, counted, figure, percent
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.plan.walks import WalkCost, WalkPlan
from hffm_opt.trace.walks import WalkTrace


def walk_plan_view(plan: WalkPlan, told: WalkCost, rounds: int, seed: int) -> Iterator[RenderableType]:
    """Yield the chains, their certificates, and what a round costs."""
    made = table("devices", right=("second modulus", "proven bound", "gap", "Metropolis-Hastings"))
    lone = [name for island in plan.islands for name in island.devices if len(island.devices) == 1]
    for island in plan.islands:
        if len(island.devices) > 1:
            certificate = (_modulus(island.slem), _modulus(island.bound), _modulus(island.gap, 2))
            made.add_row(", ".join(island.devices), *certificate, figure(island.slem_metropolis_hastings))
    legend = "Distances from the data shares shrink by the second modulus a step; no chain is below its bound."
    yield titled(f"{plan.scenario.name}: chains by {plan.method}", made, legend)
    sought = [(island, island.kemeny) for island in plan.islands if island.kemeny and len(island.devices) > 1]
    if sought:
        steps = table("devices", right=("Kemeny's constant", "proven bound", "gap", "Metropolis-Hastings"))
        for island, kemeny in sought:
            proof = (figure(kemeny.constant), figure(kemeny.bound), figure(kemeny.gap, 2))
            steps.add_row(", ".join(island.devices), *proof, figure(kemeny.metropolis_hastings))
        meaning = "Mean steps to a device drawn by the data shares; no reversible chain is below its bound."
        yield titled("How soon devices are reached", steps, meaning)
    if lone:
        stay = f"{', '.join(lone)}: no links, so that modules which begin there stay there."
        yield Text(stay, style="yellow")
    copies = "1 copy of each module begins" if plan.walkers == 1 else f"{plan.walkers} copies of each module begin"
    loss = f"hops are lost with probability {plan.loss:g}" if plan.loss else "no hop is lost"
    late = (
        "no copy is made anew"
        if plan.late is None
        else f"copies are made anew where a device has waited for more than {counted(plan.late, 'round')}"
    )
    yield Text(f"On each island {copies}, as far as devices train it; {loss}; {late}.")
    if plan.loss and plan.late is None:
        yield Text("In the end every copy that moves is lost, and nothing trains: set walks.late.", style="yellow")
    yield Text.assemble(
        ("Predicted a round: ", "bold"),
        f"{figure(told.latency_s / rounds)} s, {figure(told.energy_j / rounds)} J, {bits(told.bits / rounds)} moved",
        f" (mean of {rounds} with seed {seed}; {told.lost} lost, {told.met} met, {told.created} made anew).",
    )


def _modulus(value: float | None, digits: int = 5) -> str:
    """Return a modulus, or a difference of two; what only rounding keeps from 0 is not given digits."""
    return "<1e-9" if value is not None and 0 < value < SMALL_RISE else figure(value, digits)


def walk_run_view(trace: WalkTrace) -> Iterator[RenderableType]:
    """Yield what a training by walks achieved and cost."""
    head, found = trace.header, trace.summary()
    state = "" if trace.complete else f" (interrupted; {head.rounds} were asked for)"
    ran = counted(len(trace.rounds), "round")
    yield Text.assemble((head.method, "bold"), f" walks on {head.scenario}: {ran}, seed {head.seed}{state}")
    made = table("task", right=("accuracy", "most frequent answer"))
    for task, value in trace.accuracy.items():
        made.add_row(task, Text(percent(value), style="bold"), percent(head.baseline[task]))
    when = f"Measured at the end of round {trace.curve[-1].round}." if trace.curve else "Never evaluated."
    yield titled("Accuracy", made, f"{when} Devices answer with the copies that they last had.")
    costs = table("", right=("predicted", "measured"))
    told, real = trace.predicted, trace.measured
    costs.add_row("latency", f"{figure(told.latency_s)} s", f"{figure(real.latency_s)} s")
    costs.add_row("energy", f"{figure(told.energy_j)} J", f"{figure(real.energy_j)} J")
    costs.add_row("moved", bits(told.bits), bits(real.bits))
    yield titled("Cost of the whole run", costs)
    yield Text(
        f"{counted(found['hops'], 'hop')}, {found['lost']} lost; copies that met: {found['met']}, "
        f"made anew: {found['created']}."
    )
    for task, faults in head.skipped.items():
        reasons = ", ".join(f"{count} with {fault}" for fault, count in faults.items())
        yield Text(f"Left out of '{task}': {counted(sum(faults.values()), 'record')} ({reasons}).")
