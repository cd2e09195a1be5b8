"""Commands on optimisation engines: list them, and associate devices with edges by any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hffm_opt.cli import options, screen


def engines(json: options.Json = False) -> None:
    """List the optimisation engines: which are installed, and what each solves."""
    from hffm_opt.cli.views import engines as view
    from hffm_opt.solvers.engines.registry import installed

    found = installed()
    if json:
        screen.document({"engines": [view.summary(item) for item in found]})
    else:
        screen.show(view.listing(found))


def associate(
    scenario: options.Scenario,
    out: Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="The scenario file to write.")],
    max_devices: Annotated[int, typer.Option(min=1, help="How many devices an edge has room for.")],
    opening_cost: Annotated[
        float, typer.Option(help="Cost of an edge that serves anybody, in the weighted objective.")
    ] = 0.0,
    engine: Annotated[str, typer.Option(help="Which engine solves it (see 'hffm engines').")] = "highs",
    gap: Annotated[
        float, typer.Option(min=0.0, help="Stop at this relative gap.", rich_help_panel=options.STOP)
    ] = 1e-3,
    time_limit: Annotated[
        float, typer.Option(min=0.0, help="Stop after so many seconds.", rich_help_panel=options.STOP)
    ] = 300.0,
    json: options.Json = False,
) -> None:
    """Choose which edge serves each device, and which edges rest: least cost of the links plus that of open edges.

    Writes the scenario with the choice; plan it with 'hffm plan'.
    """
    from hffm_opt.cli.views import engines as view
    from hffm_opt.scenario.read import load_scenario
    from hffm_opt.serial import check_writable, dump_yaml, write_text
    from hffm_opt.solvers.association import associate_devices

    given = load_scenario(scenario)
    check_writable(out, scenario)
    with screen.waiting(f"Associating the devices of {given.name}", time_limit):
        chosen, found = associate_devices(
            given, max_devices, opening_cost, engine=engine, gap=gap, time_limit_s=time_limit
        )
    write_text(out, dump_yaml(chosen))
    if json:
        screen.document(view.association_json(found) | {"path": str(out)})
    else:
        screen.show(view.association_view(chosen, found), f"Written to {out}. Next: {screen.command('plan', out)}")
