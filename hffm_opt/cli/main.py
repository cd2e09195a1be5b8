"""``hffm``: one command for each stage, and errors that fit on one screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated

import typer
from typer.main import get_command

from hffm_opt import __version__
from hffm_opt.cli import bench, demo, engines, inference, inputs, judging, loop, planning, report, screen, training
from hffm_opt.errors import Finding, HffmError, InputError

app = typer.Typer(
    name="hffm",
    help="Plan and run hierarchical federated training of multi-modal multi-task foundation models over wireless "
    "networks.",
    epilog="Exit codes: 0 done, 2 bad input, 3 proven infeasible, 4 stopped by a limit without a plan.",
    rich_markup_mode="rich",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
imports = typer.Typer(help="Make a scenario from public data.")

app.command("demo", rich_help_panel="Start here")(demo.demo)
app.command("scenarios", rich_help_panel="Scenarios")(inputs.scenarios)
app.command("check", rich_help_panel="Scenarios")(inputs.check)
app.add_typer(imports, name="import", rich_help_panel="Scenarios")
imports.command("eua")(inputs.import_eua)
app.command("plan", rich_help_panel="Planning")(planning.plan)
app.command("evaluate", rich_help_panel="Planning")(judging.evaluate)
app.command("compare", rich_help_panel="Planning")(judging.compare)
app.command("associate", rich_help_panel="Planning")(engines.associate)
app.command("engines", rich_help_panel="Planning")(engines.engines)
app.command("train", rich_help_panel="Training")(training.train)
app.command("loop", rich_help_panel="Training")(loop.loop)
app.command("report", rich_help_panel="Training")(report.report)
app.command("infer", rich_help_panel="Inference")(inference.infer)
app.command("bench", rich_help_panel="Evidence")(bench.bench)


@imports.callback()
def _several_sources() -> None:
    """Make a scenario from public data."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hffm {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors of the user end here, faults of the program do not."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in given
    screen.have_streams()
    try:
        with screen.undisturbed() if as_json else nullcontext():
            try:
                code = _answer(given, as_json)
                sys.stdout.flush()
                return code
            except OSError:
                screen.drop_output()
                raise
    except BrokenPipeError:
        # The reader has left; a complaint would help nobody.
        return 1
    except OSError as failure:
        words = failure.strerror or str(failure)
        finding = Finding("standard output", words, "send it to where there is room, e.g. with > FILE")
        return screen.error(InputError(finding), as_json=False)


def _answer(given: list[str], as_json: bool) -> int:
    try:
        code = get_command(app).main(given, prog_name="hffm", standalone_mode=False)
    except HffmError as failure:
        return screen.error(failure, as_json)
    except typer.TyperException as failure:
        return screen.error(_usage(failure), as_json)
    except OSError as failure:
        # Files are written beside their place and moved there: the second name is the one that the user gave.
        name = failure.filename2 or failure.filename
        if name is None:
            raise
        finding = Finding(str(name), failure.strerror or str(failure), "give a path that can be used")
        return screen.error(InputError(finding), as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = screen.INTERRUPTED
    if code == screen.INTERRUPTED:
        screen.note("Interrupted.")
    return code if isinstance(code, int) else 0


def _usage(failure: typer.TyperException) -> HffmError:
    context = getattr(failure, "ctx", None)
    command = context.command_path if context is not None else "hffm"
    message = failure.format_message().replace(": Value error, ", ": ")
    return InputError(Finding(command, message, f"see: {command} --help"))
