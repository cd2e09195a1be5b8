"""Glossary, sources of reference values, quoted figures: each word, test and number is where it is said to be."""

import re
from pathlib import Path
from typing import get_args

import pytest
from documents import ROOT, tables

import hffm_opt
from hffm_opt.plan.circulation import Tier
from hffm_opt.plan.model import Tree
from hffm_opt.plan.outcome import Objective, Outcome, Status
from hffm_opt.scenario.changes import KINDS
from hffm_opt.scenario.model import DataFormat, Learning, ModuleKind, Physics
from hffm_opt.scenario.parts import EncoderPart
from hffm_opt.trace.ledger import EVENTS
from hffm_opt.trace.model import ExecutionRecord, Phase, TierName

DOCS = ROOT / "docs"


def choices(model, field):
    return set(get_args(model.model_fields[field].annotation))


def bands():
    """The keys by which energies are broken down."""
    found = set()
    for method in ("star", "h-fedfm-2+best-head"):
        found |= set(hffm_opt.evaluate("tiny", hffm_opt.plan("tiny", method=method)).breakdown.energy_by_band_j)
    return found


TERMS = {
    "tiers": {tier.name.lower() for tier in Tier} | set(get_args(TierName)),
    "events": set(EVENTS),
    "module kinds": set(get_args(ModuleKind)),
    "statuses": set(get_args(Status)),
    "objectives": set(get_args(Objective)),
    "phases": set(get_args(Phase)),
    "data formats": set(get_args(DataFormat)),
    "profiles": choices(Physics, "profile"),
    "sharing": choices(Physics, "uplink_sharing"),
    "allocation": choices(Physics, "allocation"),
    "relaying": choices(Tree, "relay") | choices(Tree, "uplink_charge"),
    "payload": choices(Learning, "payload"),
    "modalities": choices(EncoderPart, "modality"),
    "precision": choices(ExecutionRecord, "precision"),
    "bands": bands(),
    "changes": {*KINDS, "join"},
    "fading": choices(Physics, "fading"),
    "certificate": {"optimised", "fixed"} & set(Outcome.model_fields),
}


@pytest.mark.parametrize("kind", TERMS)
def test_terms_of_files_are_in_the_glossary(kind):
    told = set(re.findall(r"`([^`]+)`", (DOCS / "glossary.md").read_text(encoding="utf-8")))
    assert TERMS[kind] and TERMS[kind] <= told


def test_every_reference_value_names_a_test_that_is_there():
    rows = [row for table in tables(DOCS / "model-validation.md") if table[0][-1] == "held by" for row in table[1:]]
    assert len(rows) > 40
    for *_, holder in rows:
        path, _, name = holder.partition("::")
        assert re.search(rf"^ *def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), holder


def test_every_case_of_the_references_is_named_by_its_page():
    """The published rows stand in two tables; the accuracy curves are told of where the surrogate is."""
    told = {row[0] for table in tables(DOCS / "model-validation.md")[:2] for row in table[1:]}
    pages = ("model-validation.md", "surrogate.md")
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    told |= set(re.findall(r"`tests/reference/([\w-]+)`", text))
    assert told == {path.parent.name for path in (ROOT / "tests" / "reference").glob("*/params.json")}


def numbers(text):
    """All numbers of a text, as written; a percent sign or a unit is no part of them."""
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", text)


def rounds_to(found, told):
    """Whether a figure of a result is the told one at its digits."""
    digits = len(told.partition(".")[2])
    return abs(float(found) - float(told)) <= 0.5000001 * 10**-digits


QUOTED = [row for table in tables(DOCS / "choosing-a-method.md") if table[0][-1] == "from" for row in table[1:]]


@pytest.mark.parametrize("row", QUOTED, ids=lambda row: row[0])
def test_quoted_figures_stand_in_the_committed_results(row):
    """A method's figures stand in the order of its columns, those of a case in one line (or a line each)."""
    target = re.search(r"\]\((.*?)\)", row[-1])[1]
    lines = [numbers(line) for line in (DOCS / target).resolve().read_text(encoding="utf-8").splitlines()]
    told = numbers(" ".join(row[1:-1]))
    assert told
    if len(row) > 3:
        (line,) = [
            numbers(line)
            for line in (DOCS / target).resolve().read_text(encoding="utf-8").splitlines()
            if line.startswith(f"| {row[0]} |")
        ]
        left = iter(line)
        assert all(any(rounds_to(n, t) for n in left) for t in told), row[0]
    elif "million" in row[0]:
        assert all(any(rounds_to(n, t) for line in lines for n in line if "1000000" in line) for t in told)
    else:
        assert any(all(any(rounds_to(n, t) for n in line) for t in told) for line in lines), row[0]


def test_no_figure_is_quoted_outside_the_tables_of_results():
    text = Path(DOCS / "choosing-a-method.md").read_text(encoding="utf-8")
    prose = "\n".join(line for line in text.splitlines() if "../benchmarks/" not in line)
    assert not re.search(r"\d\s*(s|ms|%|MB|GB)\b", prose.replace("1e-3", ""))
