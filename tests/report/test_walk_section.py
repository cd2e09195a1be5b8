"""The section of a training by walks: what it tells is in the directory, and damaged directories are refused."""

import json
import shutil

import pytest
from pages import Page, outward_references

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.report.directories import kind_of, read_directories
from hffm_opt.report.figures.walks import MOST_DEVICES
from hffm_opt.report.walk_view import MOST_ISLANDS, visit_shares, walk_view
from hffm_opt.report.walked import WALK_FILES, read_walked
from hffm_opt.report.write import write_report
from hffm_opt.scenario.read import load_scenario
from hffm_opt.scenario.walks import Walks


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Three rounds on `tiny` with few samples, one device without links, copies lost and made anew."""
    tiny = load_scenario("tiny")
    devices = tuple(
        device.model_copy(
            update={
                "d2d": device.name != "device-0-2",
                "samples": {task: count // 6 for task, count in device.samples.items()},
            }
        )
        for device in tiny.devices
    )
    tasks = tuple(task.model_copy(update={"test_samples": 24}) for task in tiny.tasks)
    section = Walks(walkers=2, late=1, loss=0.4)
    given = tiny.model_copy(update={"devices": devices, "tasks": tasks, "walks": section})
    out = tmp_path_factory.mktemp("walks") / "walked"
    hffm_opt.train_walks(given, rounds=3, seed=1, out=out)
    return out


def test_a_directory_of_walks_is_known_and_leads(directory):
    assert kind_of(directory).name == "a training by walks"
    found = read_directories([directory])
    assert found.runs == () and found.lead is found.subjects[0]


def test_visits_are_those_of_the_rounds(directory):
    walked = read_walked(directory)
    for island in walked.plan.islands:
        shares = visit_shares(walked, island)
        stood = [name for r in walked.trace.rounds for names in r.stood.values() for name in names]
        mine = [name for name in stood if name in island.devices]
        assert shares == pytest.approx([mine.count(name) / len(mine) for name in island.devices])


def test_the_view_tells_chains_hops_and_costs(directory):
    walked = read_walked(directory)
    view = walk_view(walked, "s0", several=False)
    found = walked.trace.summary()
    counts = dict(view.counts)
    assert counts["Hops"] == str(found["hops"]) and counts["Lost on the way"] == str(found["lost"])
    assert found["lost"] and found["created"]
    assert {difference for *_, difference in view.costs} == {"below 1e−9"}
    assert view.lone == "device-0-2"
    assert [island.devices for island in view.islands] == [
        "device-0-0, device-0-1",
        "device-1-0, device-1-1, device-1-2",
    ]
    assert all("no chain with this law is below" in island.certificate for island in view.islands)
    assert [name for name, _ in view.figures] == [
        *("walks-accuracy-seconds", "walks-accuracy-joules"),
        *("walks-chain-1", "walks-visits-1", "walks-chain-2", "walks-visits-2"),
    ]
    assert view.lead.warnings == ()


def test_kemenys_constant_is_told_where_it_was_sought(directory):
    walked = read_walked(directory)
    assert not any("Kemeny" in island.certificate for island in walk_view(walked, "s0", several=False).islands)
    plan = hffm_opt.plan_walks(walked.problem.scenario, method="minimal-kemeny")
    view = walk_view(type(walked)("soon", walked.problem, plan, walked.trace), "s0", several=False)
    # Of two devices it is the greater share: the lesser one has the greater one step away.
    told = f"Kemeny’s constant {max(plan.islands[0].law):.4f} steps: no reversible chain"
    assert told in view.islands[0].certificate


def test_large_islands_and_many_are_left_out(directory):
    walked = read_walked(directory)
    n = MOST_DEVICES + 1
    row = tuple(1 / n for _ in range(n))
    names = tuple(f"d{k}" for k in range(n))
    wide = walked.plan.islands[0].model_copy(update={"devices": names, "transition": (row,) * n, "law": row})
    islands = (wide,) * (MOST_ISLANDS + 2)
    changed = type(walked)("many", walked.problem, walked.plan.model_copy(update={"islands": islands}), walked.trace)
    view = walk_view(changed, "s0", several=True)
    assert (view.label, view.left_out, len(view.islands)) == ("many", 2, MOST_ISLANDS)
    assert view.islands[0].devices == f"{n} devices" and view.islands[0].chain is None


def test_a_page_is_written_and_stopped_runs_say_so(directory, tmp_path):
    page = write_report([directory], tmp_path / "page.html", figures=tmp_path / "figures")
    text = page.read_text(encoding="utf-8")
    read = Page(text)
    assert read.faults == [] and outward_references(text) == []
    assert len(read.having("id")) == len(set(read.having("id")))
    assert "Modules that walked" in text and "device-0-2" in text and "over D2D links" in text
    assert text == write_report([directory], tmp_path / "again.html").read_text(encoding="utf-8")
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"walks-chain-1.svg", "walks-visits-2.pdf"}
    walked = read_walked(directory)
    header = walked.trace.header.model_copy(update={"rounds": 9})
    stopped = walked.trace.model_copy(update={"header": header, "curve": ()})
    view = walk_view(type(walked)("w", walked.problem, walked.plan, stopped), "s0", several=False)
    assert "3 of 9 rounds" in view.lead.warnings[0] and view.curves == ()
    with pytest.raises(InputError):
        write_report([directory], directory / "walk.json")


@pytest.mark.parametrize("name", WALK_FILES)
def test_missing_files_are_told(directory, tmp_path, name):
    shutil.copytree(directory, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        read_walked(tmp_path / "run")


def test_strangers_are_told(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "run")
    path = tmp_path / "run" / "walk.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"method": "metropolis-hastings"}))
    with pytest.raises(InputError, match="belongs to another run"):
        read_walked(tmp_path / "run")
