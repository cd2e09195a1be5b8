"""The pages of the formulations name what the programs hold: no family is missing, and none is invented."""

import re
from functools import cache
from itertools import pairwise

import numpy as np
import pyomo.environ as pyo
import pytest
from documents import ROOT, section, tables_of

import hffm_opt
from hffm_opt.problem import build_problem
from hffm_opt.solvers.export import write_programs
from hffm_opt.solvers.formulations import allocation_conic, association_placement, relay_model
from hffm_opt.solvers.formulations.allocation_cells import Cells
from hffm_opt.solvers.formulations.allocation_cells_conic import StarProgram, star_batch
from hffm_opt.solvers.formulations.allocation_phase import Objective, PhaseProblem
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.relay_program import horizon_of
from hffm_opt.solvers.formulations.relay_start import Goal, starting_trees
from hffm_opt.solvers.formulations.tree_problem import Direction, TreeProblem
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.schedule import build as build_schedule
from hffm_opt.solvers.joint.states import possible_states
from hffm_opt.solvers.optimal import Space

PAGES = sorted((ROOT / "docs" / "formulations").glob("*.md"))
LIMITED = Weights(1.0, 1.0, 0.1, max_latency_s=1e9, max_energy_j=1e9, max_drift=1e9)


def families(model):
    columns, rows = model.families
    return {name for name, _ in columns}, {name for name, _ in rows}


def joined(found):
    return tuple(set().union(*sides) for sides in zip(*found, strict=True))


def cell(roots, direction, seed, **limits):
    rng = np.random.default_rng(seed)
    links = rng.uniform(1e-7, 1e-6, (6, 6))
    owners = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)
    ready = rng.uniform(0, 1, 5)
    return TreeProblem(links, links, np.full(3, 1e6), owners, roots, direction, ready_s=ready, **limits)


def relay_trees():
    limits = {"max_hops": 2, "max_fan_in": 1, "max_uplinks": 2}
    cases = [cell((5,), way, 0, **limits) for way in (Direction.GATHER, Direction.SCATTER)]
    cases.append(cell((0, 1, 2), Direction.BOTH, 1))
    found = []
    for problem in cases:
        goal = Goal(1.0, 1e-3)
        horizon = horizon_of(problem, goal, starting_trees(problem, goal))
        found.append(families(relay_model.build(problem, horizon).model))
    return joined(found)


def circulation():
    scenario = hffm_opt.random_scenario(12, cells=2, devices=(1, 2), modules=2, periods=(1, 4), allocation="fixed")
    twin = {"payload_bit": 10**6, "divergence_within": 1.0, "divergence_between": 1.0, "tasks": ("digits", "shapes")}
    tasks = tuple(task.name for task in scenario.tasks)
    modules = tuple(
        module.model_copy(update=twin | {"tasks": tasks}) if module.trainable else module for module in scenario.modules
    )
    problem = build_problem(scenario.model_copy(update={"modules": modules}))
    states = possible_states(problem)
    master = Space(problem).masters(states, LIMITED)[0]
    everything = states[-1]
    prices = [[[(1.0, 1.0, 1.0)]] * 3 for _ in problem.cells]
    visited = [((everything,) * 3, 1.0), ((everything,) * 3, np.inf)]
    return families(master.build(prices, visited, {(0, everything)})[0])


def schedule():
    problem = build_problem(hffm_opt.load_scenario("tiny"))
    states, calendar = ((1, 1, 1), (3, 3, 3)), Calendar.of(problem, 1, 1)
    ways = FixedRounds(problem).ways(states, calendar.collects)
    return families(build_schedule(calendar, LIMITED, ways, cutoff=1e9).model)


def phase(load, cycles):
    one = np.ones(1)
    path = np.ones((1, 1), bool)
    return PhaseProblem(
        load * one, 1e9 * one, one, np.zeros(1, int), 1e6 * one, path, cycles * one, one, 1e9 * one, one
    )


def cone_families(variables, named):
    own = {variable.name() for row in variables for variable in row.variables()}
    return {name.rsplit(".", 1)[-1] for name in own}, set(named)


def allocation_phase():
    parts = [allocation_conic.build(phase(load, cycles)) for load, cycles in ((1e6, 1e8), (1e6, 0), (0, 1e8))]
    return joined(cone_families([*part.constraints, part.energy_j], part.named) for part in parts)


def allocation_networks():
    one = np.ones(2)
    cells = Cells(
        1e6 * one, 1e9 * one, one, 1e8 * one, 1e8 * one, 1e9 * one, 1e-28 * one, np.zeros(2, int), 1e6 * one[:1]
    )
    program = StarProgram(1, 2)
    program.solve(star_batch(cells), Objective(1.0, 1.0))
    return cone_families(program.named.values(), program.named)


def association():
    model = association_placement.build([[1.0, 3.0], [1.0, 2.0]], capacity=1).model
    return tuple({c.local_name for c in model.component_objects(kind)} for kind in (pyo.Var, pyo.Constraint))


PROGRAMS = {
    "relay-trees": relay_trees,
    "circulation": circulation,
    "schedule": schedule,
    "allocation-phase": allocation_phase,
    "allocation-networks": allocation_networks,
    "association": association,
}


@cache
def told(page, heading):
    """The names in the first column of the table under a heading."""
    found = tables_of(section(ROOT / "docs" / "formulations" / f"{page}.md", heading))
    if not found:
        return set()
    ((head, *rows),) = found
    assert head == ["name", *head[1:2], "unit", "in code"]
    names = [name.strip("` ") for row in rows for name in row[0].split(",")]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.parametrize("page", [path.stem for path in PAGES])
def test_names_are_those_of_the_program(page):
    variables, constraints = PROGRAMS[page]() if page in PROGRAMS else (set(), set())
    assert told(page, "Variables") == variables
    assert told(page, "Constraints") == constraints


def test_every_program_has_a_page():
    assert set(PROGRAMS) <= {path.stem for path in PAGES}


def in_file(text):
    """Families of the rows and columns of an MPS file."""
    rows = re.search(r"^ROWS\n(.*?)^COLUMNS\n(.*?)^RHS", text, re.MULTILINE | re.DOTALL)
    words = [line.split()[1] for line in rows[1].splitlines()], [line.split()[0] for line in rows[2].splitlines()]
    return tuple({re.sub(r"\(.*", "", word) for word in found} - {"Obj", "MARKER"} for found in words)


def test_written_files_bear_the_names(tmp_path):
    scenario = hffm_opt.load_scenario("tiny")
    written = write_programs(build_problem(scenario), hffm_opt.plan(scenario), tmp_path)
    for item in written:
        page = "schedule" if item.files[0].startswith("network") else "relay-trees"
        rows, columns = in_file((tmp_path / item.files[0]).read_text())
        assert rows and rows <= told(page, "Constraints"), item.files[0]
        columns = {name for name in columns if not name.startswith("MARK")}
        assert columns and columns <= told(page, "Variables"), item.files[0]


def test_written_cones_say_what_their_columns_are(tmp_path):
    scenario = hffm_opt.random_scenario(7, cells=2, devices=(1, 2), modules=1, allocation="optimised", periods=(1,))
    outcome = hffm_opt.plan(scenario, method="h-fedfm-2", max_drift=float("inf"))
    for item in write_programs(build_problem(scenario), outcome, tmp_path):
        named = re.findall(r"^# columns (\d+) to (\d+): (\S+)$", (tmp_path / item.files[0]).read_text(), re.MULTILINE)
        own = {name.rsplit(".", 1)[-1] for _, _, name in named} - {"spans"}
        assert own and own <= told("allocation-phase", "Variables")
        assert ("spans" in {name for *_, name in named}) == (item.files[0] == "network.cbf")
        ends = [(int(first), int(last)) for first, last, _ in named]
        assert all(a[1] < b[0] for a, b in pairwise(ends)) and ends[-1][1] < item.columns


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_have_all_parts_and_code_holds_what_they_name(path):
    text = path.read_text(encoding="utf-8")
    assert "```text" in text and "## Example" in text and "## Tested against" in text
    assert "## Proof" in text or "## Certificate" in text or path.stem == "association"
    assert f"formulations/{path.stem}.md)" in (ROOT / "docs" / "formulations.md").read_text(encoding="utf-8")
    source = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "hffm_opt").rglob("*.py"))
    for table in tables_of(text):
        if table[0][-1] == "in code":
            for word in re.findall(r"[A-Za-z_]\w+", " ".join(row[-1] for row in table[1:])):
                assert re.search(rf"\b{word}\b", source) or word in {"times"}, word
    for named in re.findall(r"`(?:tests/)?([\w/]*test_\w+\.py)`", text):
        assert list((ROOT / "tests").rglob(named.split("/")[-1])), named
