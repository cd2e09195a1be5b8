"""Commands on scenarios: list the built-in ones, check one, import one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hffm_opt.cli import options, screen


def scenarios(json: options.Json = False) -> None:
    """List the built-in scenarios."""
    from hffm_opt.cli.views import scenarios as view
    from hffm_opt.scenario.builtin import BUILTINS

    found = [make() for make in BUILTINS.values()]
    if json:
        screen.document({"scenarios": [view.summary(scenario) for scenario in found]})
    else:
        screen.show(view.listing(found))


def check(scenario: options.Scenario, json: options.Json = False) -> int:
    """Check a scenario and show everything that is wrong with it, each with its repair.

    Exits with 2 if anything is.
    """
    from hffm_opt.cli.views import scenarios as view
    from hffm_opt.scenario.read import read_checked

    given, findings = read_checked(scenario)
    if json:
        screen.document({"ok": not findings, "findings": [screen.findings_json(finding) for finding in findings]})
    elif findings or given is None:
        screen.show(view.faults(scenario, findings))
    else:
        screen.show(view.sound(given))
    return 2 if findings else 0


def import_eua(
    sites: Annotated[Path, typer.Option(help="CSV file of sites: SITE_ID, LATITUDE, LONGITUDE.")],
    users: Annotated[Path, typer.Option(help="CSV file of users: Latitude, Longitude.")],
    out: Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="The scenario file to write.")],
    association: Annotated[
        Literal["nearest", "capacity-aware"], typer.Option(help="Which site serves a user.")
    ] = "nearest",
    max_users_per_edge: Annotated[int | None, typer.Option(help="Limit of 'capacity-aware'.")] = None,
    max_devices: Annotated[int | None, typer.Option(help="Keep so many users, drawn at random.")] = None,
    name: Annotated[str, typer.Option(help="Name of the scenario.")] = "eua",
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Make a scenario from the real sites and users of the EUA data set."""
    from hffm_opt.scenario.eua import import_eua as read
    from hffm_opt.serial import check_writable, dump_yaml, write_text

    check_writable(out, sites, users)
    with screen.waiting("Importing positions") as progress:
        scenario = read(
            sites,
            users,
            association=association,
            max_users_per_edge=max_users_per_edge,
            max_devices=max_devices,
            name=name,
            seed=seed,
            progress=progress,
        )
        write_text(out, dump_yaml(scenario))
    if json:
        screen.document({"devices": len(scenario.devices), "edges": len(scenario.edges), "path": str(out)})
    else:
        from hffm_opt.cli.views import scenarios as view

        screen.show(view.sound(scenario), f"Written to {out}. Next: {screen.command('plan', out)}")
