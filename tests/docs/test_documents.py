"""README and docs: every example runs, every number is what the tool prints, every link and name leads somewhere."""

import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest
from documents import DOCUMENTS, ROOT, blocks, tables
from typer.main import get_command

import hffm_opt
from hffm_opt.cli.main import app, main
from hffm_opt.scenario.conditions import all_changes
from hffm_opt.scenario.read import parse_scenario
from hffm_opt.serial import parse_text

EXAMPLES = [(path, i) for path in DOCUMENTS for i in range(len(blocks(path, "python")))]


def identity(value):
    return value.name if hasattr(value, "name") else str(value)


@pytest.mark.parametrize(("path", "index"), EXAMPLES, ids=identity)
def test_python_examples_run(path, index, tmp_path, monkeypatch, capsys):
    """In this process, where warnings are errors too, but in an empty directory and with no name known."""
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(path, "python")[index], f"{path.name}, example {index}", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


def test_the_readme_example_is_short():
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line]) <= 15


def test_yaml_examples_are_sound():
    (text,) = blocks(ROOT / "docs" / "file-formats.md", "yaml")
    scenario = parse_scenario(parse_text(text, "file-formats.md"))
    assert hffm_opt.plan(scenario, gap=0.01).feasible


def test_yaml_examples_of_changes_are_sound():
    """Added to a built-in network, one after another they are all that a scenario may say of it."""
    (text,) = blocks(ROOT / "docs" / "closed-loop.md", "yaml")
    added = parse_text(text, "closed-loop.md")
    scenario = parse_scenario(hffm_opt.load_scenario("tiny").model_dump(mode="json") | added)
    events = [event.change for event in scenario.changes.events]
    assert set(events) == {"fade", "fail", "slow", "leave", "join"} and len(all_changes(scenario)) > len(events)
    assert scenario.changes.fading == "rayleigh"


@pytest.fixture(scope="module")
def comparison():
    """What `hffm compare paper` prints, into a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "hffm_opt.cli", "compare", "paper"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_wall_clock(text):
    """Drop what depends on the machine: seconds, and the last digits of the gap that the search stopped at."""
    text = re.sub(r" planned in .*", "", text)
    rows = [re.sub(r" +[0-9.]+$", "", line) for line in text.splitlines()]
    return [re.sub(r" +[<0-9.]+ %$", "", line).rstrip() for line in rows if "────" not in line]


def test_the_readme_shows_what_compare_prints(comparison):
    shown = next(text for text in blocks(ROOT / "README.md", "text") if text.startswith("paper, per round"))
    assert without_wall_clock(shown) == without_wall_clock(comparison)


def test_model_validation_shows_what_compare_prints(comparison):
    exact, drawn, *_ = tables(ROOT / "docs" / "model-validation.md")
    for method, told_s, latency_s, told_j, energy_j in exact[1:]:
        outcome = hffm_opt.plan("paper", method=method, max_drift=float("inf"))
        assert (latency_s, energy_j) == (f"{outcome.latency_s:.4f}", f"{outcome.energy_j:.4f}")
        assert re.search(rf"^{re.escape(method)} .* {told_s} .* {told_j} ", comparison, re.MULTILINE), method
    assert len(exact[1:]) + len(drawn[1:]) == 7
    for row in drawn[1:]:
        method, told_s, latency_s, told_j, energy_j = (re.escape(cell) for cell in row)
        line = rf"^{method} +{latency_s} +{told_s} +{energy_j} +{told_j}$"
        assert re.search(line, comparison, re.MULTILINE), row[0]


def test_published_values_lie_inside_the_draws(comparison):
    found = re.findall(r"\(([0-9.]+) to ([0-9.]+)\) +([0-9.]+)", comparison)
    assert len(found) == 6
    assert all(float(low) <= float(told) <= float(high) for low, high, told in found)


COMMANDS = {text for path in DOCUMENTS for text in re.findall(r"`(hffm [^`]+)`", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("text", sorted(COMMANDS))
def test_commands_in_the_text_exist(text):
    """Names of commands and options are those of the tool; values may be placeholders."""
    words = shlex.split(text)[1:]
    command = get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, text
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known | {"--help"}, text


def test_names_in_the_text_lead_somewhere():
    names = {
        name for path in DOCUMENTS for name in re.findall(r"`(hffm_opt(?:\.\w+)+)`", path.read_text(encoding="utf-8"))
    }
    assert len(names) > 15
    for name in names:
        parts, attributes = name.split("."), []
        while True:
            try:
                found = import_module(".".join(parts))
                break
            except ModuleNotFoundError:
                attributes.insert(0, parts.pop())
        for attribute in attributes:
            found = getattr(found, attribute)


@pytest.mark.parametrize("path", DOCUMENTS, ids=identity)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_every_command_and_scenario_is_in_the_readme(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert main(["scenarios", "--json"]) == 0
    assert set(re.findall(r'"name": "([\w-]+)"', capsys.readouterr().out)) <= set(re.findall(r"`([\w-]+)`", text))
    for name in get_command(app).commands:
        assert f"`hffm {name}" in text


@pytest.mark.parametrize(("objective", "figure"), [("latency", "2.2211 s"), ("energy", "24.039 J")])
def test_the_held_circulation_figures_are_printed(objective, figure, capsys):
    assert main(["plan", "paper", "--circulation", "h-fedfm-8+d2d", "--objective", objective]) == 0
    assert figure in capsys.readouterr().out
    assert figure in (ROOT / "README.md").read_text(encoding="utf-8")
