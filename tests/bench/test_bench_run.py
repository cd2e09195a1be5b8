"""Every registered benchmark runs in its quick form and leaves a record that can be judged."""

import json
from typing import Any

import pytest

from hffm_opt.bench.machine import LEARNING, PLANNING
from hffm_opt.bench.registry import BENCHMARKS
from hffm_opt.bench.run import Record, placed, run_benchmark, setting_of
from hffm_opt.bench.write import columns_of, write_record
from hffm_opt.errors import InputError


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_quick_forms_run_and_leave_their_record(name, tmp_path):
    """One test, so that each benchmark runs once however many workers share the tests."""
    told: list[Any] = []
    record = run_benchmark(name, setting_of(name, None, quick=True), told.append)
    assert told and all(told)
    # Whoever follows sees how much is done; pieces that became needless may be left out.
    done = [step.done for step in told]
    assert done == sorted(set(done)) and done[0] == 0 and done[-1] < told[-1].total
    assert len({step.total for step in told}) == 1
    check_findings(record)
    paths = write_record(record, tmp_path / "a")
    assert {path.name for path in paths} >= {f"{name}.json", f"{name}.md"}
    check_document(record, json.loads((tmp_path / "a" / f"{name}.json").read_text()))
    page = (tmp_path / "a" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n") and "Quick form." in page
    assert all(column in page for column in columns_of(record.findings.table or record.findings.rows))
    if BENCHMARKS[name].figure is not None:
        write_record(record, tmp_path / "b")
        first, second = ((tmp_path / folder / f"{name}.svg").read_text() for folder in "ab")
        assert first == second and first.rstrip().endswith("</svg>")


def check_findings(record: Record) -> None:
    findings = record.findings
    assert findings.rows and findings.stopping_rule
    assert len(columns_of(findings.rows)) >= 3
    for target in findings.targets:
        assert target.what and target.limit
        assert isinstance(target.met, bool)


def check_document(record: Record, read: dict[str, Any]) -> None:
    assert read == json.loads(json.dumps(record.document()))
    assert read["rows"] and read["quick"] and read["seeds"]
    assert read["machine"]["cores"] >= 1 and read["machine"]["cpu"]
    assert set(PLANNING) <= read["software"]["packages"].keys() <= {*PLANNING, *LEARNING}


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda item: item.name)
def test_registered_places_exist(benchmark):
    assert benchmark.name in BENCHMARKS and benchmark.summary and benchmark.seeds >= 1
    assert benchmark.place.partition(":")[0] == f"hffm_opt.bench.{benchmark.name.replace('-', '_')}"
    for place in filter(None, (benchmark.place, benchmark.figure)):
        assert callable(placed(place))


def test_the_setting_of_a_call():
    assert setting_of("joint", None, quick=False).seeds == tuple(range(BENCHMARKS["joint"].seeds))
    assert len(setting_of("joint", None, quick=True).seeds) < BENCHMARKS["joint"].seeds
    assert setting_of("joint", 3, quick=True).seeds == (0, 1, 2)
    with pytest.raises(InputError, match="--seeds"):
        setting_of("joint", 0, quick=False)
    with pytest.raises(InputError, match=r"use one of: .*joint"):
        setting_of("joined", None, quick=False)
