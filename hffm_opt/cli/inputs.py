"""Commands on scenarios: list the built-in ones, check one, import one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hffm_opt.cli import options, screen
from hffm_opt.errors import InputError

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario


def scenarios(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one: paper, random-7, ...")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, metavar="FILE", help="Write it there, to be changed by hand."),
    ] = None,
    json: options.Json = False,
) -> None:
    """List the built-in scenarios, or write one to a file as a start for one's own."""
    from hffm_opt.cli.views import scenarios as view
    from hffm_opt.scenario.builtin import BUILTINS
    from hffm_opt.scenario.read import load_scenario

    if name is None and out is not None:
        raise InputError.one("-o", "no scenario is named", f"name one: hffm scenarios NAME -o {out}")
    found = [make() for make in BUILTINS.values()] if name is None else [load_scenario(name)]
    path: dict[str, object] = {} if out is None else {"path": str(_written(found[0], out))}
    if json:
        screen.document({"scenarios": [view.summary(scenario) for scenario in found]} | path)
    elif out is None:
        screen.show(view.listing(found))
    else:
        screen.show(f"Written to {out}. Next: {screen.command('check', out)}")


def _written(scenario: Scenario, out: Path) -> Path:
    """Write a scenario to a file that is not there yet; return its path."""
    from hffm_opt.serial import check_writable, dump_yaml, write_text

    check_writable(out)
    if out.is_file():
        raise InputError.one(str(out), "there is such a file already", "give another path, or remove it first")
    write_text(out, dump_yaml(scenario))
    return out


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
