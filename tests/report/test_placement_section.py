"""What the page says of placed experts is the placement, and its fetches cost what the placement priced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from section_cases import specialising

from hffm_opt.errors import InputError
from hffm_opt.plan.fetching import fetch_cost
from hffm_opt.report import numbers
from hffm_opt.report.directories import read_directories
from hffm_opt.report.placed import Placed
from hffm_opt.report.placement_view import placement_view


@pytest.fixture(scope="module")
def found(placed: Path) -> Placed:
    (subject,) = read_directories([placed]).subjects
    assert isinstance(subject, Placed)
    return subject


def test_the_table_has_every_host_copy_and_fetch(found: Placed) -> None:
    view = placement_view(found, "s0", several=False)
    cells = {(node, module): h for node, row in view.rows for module, h in zip(view.experts, row, strict=True)}
    plan = found.plan
    hosts = {(node, module) for module, nodes in plan.hosts.items() for node in nodes}
    assert {place for place, h in cells.items() if h.kind == "trains"} == hosts
    assert {place for place, h in cells.items() if h.kind == "keeps"} == {(c.edge, c.module) for c in plan.caches}
    assert {p: h.text for p, h in cells.items() if h.kind == "fetches"} == {
        (f.device, f.module): f"{f.host}’s" + (f", from {f.edge}" if f.edge else "") for f in plan.fetches
    }
    assert plan.fetches and view.verdict.startswith("Proven optimal")
    assert view.drawing is not None and "experts that are fetched" in view.drawing.label


def test_fetching_costs_what_the_placement_priced(found: Placed) -> None:
    scenario, fetching = specialising(), found.plan.fetching(every=1)
    assert scenario.specialise is not None and fetching is not None
    weights, once = scenario.planning, fetch_cost(found.run.problem, fetching)
    price = weights.energy_weight * once.joules + weights.latency_weight * once.seconds
    assert price / scenario.specialise.fetch_rounds == pytest.approx(found.plan.transfer, rel=1e-9)
    facts = dict(placement_view(found, "s0", several=False).facts)
    assert facts["Fetching once"].startswith(f"{numbers.seconds(once.seconds)}, {numbers.joules(once.joules)}")


@pytest.mark.parametrize("change", ["hosts", "scenario", "nodes", "modules"])
def test_a_placement_of_another_run_is_refused(placed: Path, tmp_path: Path, change: str) -> None:
    other = Path(shutil.copytree(placed, tmp_path / "other"))
    data = json.loads((other / "placement.json").read_text())
    if change == "hosts":
        first, second, *rest = data["hosts"]
        data["hosts"] = {first: data["hosts"][second], second: data["hosts"][first]} | {
            m: data["hosts"][m] for m in rest
        }
    elif change == "nodes":
        data["fetches"][0]["device"] = "nobody"
    elif change == "modules":
        data["hosts"]["expert-9"] = []
    else:
        data["scenario"]["fingerprint"] = "0" * 64
    (other / "placement.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"placement\.json: it belongs to another run"):
        read_directories([other])
