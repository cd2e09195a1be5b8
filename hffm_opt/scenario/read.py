"""From a built-in name or a file to a checked scenario."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hffm_opt.errors import Finding, InputError, did_you_mean
from hffm_opt.scenario.builtin import BUILTINS
from hffm_opt.scenario.builtin.random_network import random_scenario
from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.sources import anchor_sources, missing_files
from hffm_opt.serial import parse_text, read_text, validate


def parse_scenario(data: Any, source: str = "") -> Scenario:
    """Turn parsed YAML/JSON into a checked scenario; ``source`` names the file in errors.

    Raises:
        InputError: with all findings, each with its path and repair.
    """
    scenario = validate(data, Scenario, "scenario", source)
    findings = check_scenario(scenario)
    if findings:
        raise InputError(findings, source)
    return scenario


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Return a built-in scenario by name, a random one (``random-7`` is that of seed 7), or read a YAML or JSON file.

    Raises:
        InputError: no such name or file, not valid YAML/JSON, or a scenario with faults; all faults at once.

    Example:
        >>> load_scenario("paper").fingerprint() == load_scenario("paper").fingerprint()
        True
    """
    text = str(name_or_path)
    if text in BUILTINS:
        return BUILTINS[text]()
    if drawn := re.fullmatch(r"random-(\d{1,9})", text):
        return random_scenario(int(drawn[1]))
    path = Path(text)
    if not path.suffix and "/" not in text and not os.path.exists(text):
        repair = f"{did_you_mean(text, BUILTINS)} built in: {', '.join(BUILTINS)}, random-SEED".lstrip()
        raise InputError.one(text, "there is no built-in scenario and no file of this name", repair)
    return anchor_sources(read_scenario(path), path.resolve().parent)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a file; relative paths in it stay as they are.

    Raises:
        InputError: missing file, broken YAML or JSON, or a bad scenario; all faults at once.
    """
    return parse_scenario(parse_text(read_text(path, "scenario"), str(path)), str(path))


def read_checked(name_or_path: str | Path) -> tuple[Scenario | None, tuple[Finding, ...]]:
    """Return a scenario and every finding, as ``hffm check`` shows them; none when it is sound.

    Files of data sets that are not there are findings too. The file is read once, so that it may be a pipe.
    """
    try:
        scenario = load_scenario(name_or_path)
    except InputError as error:
        return None, error.findings
    return scenario, tuple(missing_files(scenario))
