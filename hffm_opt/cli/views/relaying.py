"""Module relaying: which copy comes from where over which path, and what a run with requests did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from hffm_opt.cli.figures import counted, figure
from hffm_opt.cli.views.proof import proof_of
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.plan.module_relaying import ModuleTransfer, RelayingPlan, RelayingPlans
from hffm_opt.trace.relaying import RelayingTrace

LEGEND = "misfit: how badly the copy's data fit the new task, in [0, 1] plus 1/sqrt(samples) and what its age adds"


def plans_view(plans: RelayingPlans) -> Iterator[RenderableType]:
    """Yield the transfers of every event and what is proven of them."""
    for event in plans.events:
        title = f"{plans.scenario.name}: {counted(len(event.transfers), 'module')} to copy after round {event.round}"
        yield titled(title, _transfers(event.transfers), LEGEND)
        yield _proof(event)


def _transfers(transfers: Sequence[ModuleTransfer]) -> RenderableType:
    made = table("device", "module", "path", right=("misfit",))
    for transfer in transfers:
        path = " -> ".join([str(transfer.source), *(hop.target for hop in transfer.hops)])
        made.add_row(
            transfer.device,
            transfer.module,
            "from scratch" if transfer.source is None else path,
            "-" if transfer.misfit is None else figure(transfer.misfit),
        )
    return made


def _proof(event: RelayingPlan) -> Text:
    cost = f"{figure(event.latency_s)} s until the last has come, {figure(event.energy_j)} J. "
    if event.status == "infeasible":
        return Text.assemble((f"{event.method}: ", "bold"), cost, ("Deadlines are missed.", "bold red"))
    if event.bound is None or event.objective is None:
        return Text.assemble((f"{event.method}: ", "bold"), cost, event.stop_reason, ".")
    return Text.assemble((f"{event.method}: ", "bold"), cost, "\n", proof_of(event.objective, event.bound, event.gap))


def phase_name(number: int, first: int, last: int) -> str:
    """Return the heading of a phase, from its first round to its last complete one.

    >>> phase_name(0, 1, 2), phase_name(1, 3, 3), phase_name(1, 3, 2)
    ('Phase 0, rounds 1 to 2:', 'Phase 1, round 3:', 'Phase 1, no complete round:')
    """
    rounds = f"rounds {first} to {last}" if first < last else f"round {first}" if first == last else "no complete round"
    return f"Phase {number}, {rounds}:"


def relayings_view(traces: Sequence[RelayingTrace]) -> Iterator[RenderableType]:
    """Yield what was copied, what it took, and what had been predicted."""
    made = table("after round", right=("copies", "seconds", "predicted s", "joules", "predicted J", "Mbit"))
    for trace in traces:
        made.add_row(
            str(trace.round),
            str(len(trace.copies)),
            figure(trace.measured.latency_s),
            figure(trace.predicted.latency_s),
            figure(trace.measured.energy_j),
            figure(trace.predicted.energy_j),
            figure(trace.measured.bits / 1e6),
        )
    if traces:
        yield titled("Modules copied", made)
