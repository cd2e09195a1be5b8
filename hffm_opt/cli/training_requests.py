"""``hffm train`` on a scenario with requests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hffm_opt.cli import screen
from hffm_opt.cli.options import refuse
from hffm_opt.errors import InputError

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario


def train_on(
    scenario: Scenario,
    plan: Path | None,
    relaying: str | None,
    directory: Path,
    steps: Mapping[str, Any],
    plain: Mapping[str, object],
    json: bool,
) -> int:
    """Train in phases, relaying modules between them; return the exit code.

    Args:
        scenario: with requests.
        plan: a file of relaying plans to run.
        relaying: plans them instead.
        directory: where the phases are kept.
        steps: further arguments of :func:`hffm_opt.relayed.train_requests`.
        plain: options that only a run without requests has, by name; those given are refused.
    """
    from hffm_opt.cli.rounds import round_progress
    from hffm_opt.cli.views import train as view
    from hffm_opt.cli.views.relaying import phase_name, relayings_view
    from hffm_opt.relayed import load_relaying, train_requests

    refuse(plain, "a run whose scenario has requests cannot do this yet")
    if plan is not None and relaying is not None:
        raise InputError.one("--plan / --relaying", "both say which modules are copied from where", "give one")
    how = load_relaying(plan) if plan is not None else relaying or "optimal"
    with round_progress(f"Training {steps['method']}", steps["rounds"]) as (say, on_round):
        run = train_requests(scenario, relaying=how, out=directory, progress=say, on_round=on_round, **steps)
    complete = len(run.phases) == len(run.plans) + 1 and run.phases[-1].trace.complete
    if json:
        screen.document(run.summary() | {"run": str(directory)})
    else:
        done = 0
        for number, phase in enumerate(run.phases):
            first, done = done + 1, done + len(phase.trace.rounds)
            screen.show(phase_name(number, first, done), *view.run_view(phase))
        screen.show(*relayings_view(run.relayings), f"Kept in {directory}. Next: {screen.command('report', directory)}")
    return 0 if complete else screen.INTERRUPTED
