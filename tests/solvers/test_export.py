"""Programs written for other tools: read back, they have the optimum that the package finds."""

import json
from types import SimpleNamespace

import cvxpy as cp
import highspy
import numpy as np
import pytest
from pyscipopt import Model

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.plan.circulation import Tier
from hffm_opt.problem.build import build_problem
from hffm_opt.solvers.engines.cone_files import write_cone_program
from hffm_opt.solvers.export import write_programs
from hffm_opt.solvers.formulations.relay_tree import solve_tree
from hffm_opt.solvers.formulations.tree_problem import Direction
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.states import at_tiers, states_of


def optimum(path):
    """What HiGHS and SCIP both find in a file."""
    found = highs_optimum(path)
    scip = Model()
    scip.hideOutput()
    scip.readProblem(str(path))
    scip.optimize()
    assert scip.getStatus() == "optimal"
    assert scip.getObjVal() == pytest.approx(found, rel=1e-6)
    return found


def highs_optimum(path):
    """What HiGHS finds in a file, without presolve as everywhere."""
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("presolve", "off")
    highs.setOptionValue("mip_rel_gap", 0.0)
    assert highs.readModel(str(path)) != highspy.HighsStatus.kError
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return highs.getInfo().objective_function_value


def read_cbf(path):
    """A reader of the format, written from its definition: G, h, the cones and the objective."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    at = {line: i + 1 for i, line in enumerate(lines) if line.isupper() and line.isalpha()}

    def entries(name):
        start = at[name]
        return [line.split() for line in lines[start + 1 : start + 1 + int(lines[start])]]

    columns = int(lines[at["VAR"]].split()[0])
    rows, cones = map(int, lines[at["CON"]].split())
    g, h, c = np.zeros((rows, columns)), np.zeros(rows), np.zeros(columns)
    for i, j, value in entries("ACOORD"):
        g[int(i), int(j)] = float(value)
    for i, value in entries("BCOORD"):
        h[int(i)] = float(value)
    for j, value in entries("OBJACOORD"):
        c[int(j)] = float(value)
    kinds = [line.split() for line in lines[at["CON"] + 1 : at["CON"] + 1 + cones]]
    assert lines[at["VAR"] + 1] == f"F {columns}" and lines[at["OBJSENSE"]] == "MIN" and lines[at["VER"]] == "3"
    assert sum(int(size) for _, size in kinds) == rows
    return SimpleNamespace(
        g=g, h=h, c=c, cones=[(kind, int(size)) for kind, size in kinds], d=float(lines[at["OBJBCOORD"]])
    )


def cone_optimum(path):
    """What Clarabel finds in a file."""
    data = read_cbf(path)
    x = cp.Variable(data.c.size)
    rows = data.g @ x + data.h
    constraints, at = [], 0
    for kind, size in data.cones:
        part, at = rows[at : at + size], at + size
        if kind == "L=":
            constraints.append(part == 0)
        elif kind == "L+":
            constraints.append(part >= 0)
        elif kind == "Q":
            constraints.append(cp.SOC(part[0], part[1:]))
        else:
            assert kind == "EXP"
            constraints.append(cp.ExpCone(part[2], part[1], part[0]))
    program = cp.Problem(cp.Minimize(data.c @ x + data.d), constraints)
    program.solve(solver=cp.CLARABEL)
    assert program.status == cp.OPTIMAL
    return program.value


def exported(scenario, tmp_path, **options):
    problem = build_problem(scenario)
    outcome = hffm_opt.plan(scenario, **options)
    told = []
    written = write_programs(problem, outcome, tmp_path, told.append)
    assert len(told) == len(written)
    index = json.loads((tmp_path / "index.json").read_text())
    assert [item["files"] for item in index["programs"]] == [list(item.files) for item in written]
    assert {path.name for path in tmp_path.iterdir()} == {"index.json", *(f for item in written for f in item.files)}
    return problem, outcome, written, index


@pytest.mark.parametrize("name", ["tiny", "random-4"])
def test_the_network_program_has_the_optimum_of_the_plan(name, tmp_path):
    _, outcome, written, index = exported(hffm_opt.load_scenario(name), tmp_path)
    value = outcome.objective - outcome.weights[2] * outcome.drift
    network = written[-1]
    assert network.files == ("network.mps", "network.lp") and network.unit == 1.0
    for file in network.files:
        assert optimum(tmp_path / file) == pytest.approx(value, rel=1e-7)
    assert "way(" in (tmp_path / "network.lp").read_text()
    assert index["skipped"] == []


def test_cell_programs_have_the_optimum_of_the_exact_method(tmp_path):
    scenario = hffm_opt.load_scenario("tiny")
    problem, outcome, written, _ = exported(scenario, tmp_path, objective="weighted")
    files = {item.files[0]: item for item in written}
    rounds, weights = FixedRounds(problem), outcome.weights
    checked = 0
    top = len(outcome.plan.cells[0].rounds) - 1
    for i, cell in enumerate(problem.cells):
        for j, state in enumerate(states_of(outcome.plan.circulation, top)):
            at_head = at_tiers(problem, cell, state, Tier.D2D)
            item = files.get(f"{cell.edge.name}.kind{j}.head.mps")
            if item is None:
                continue
            tree = rounds.tree_problem(i, Direction.BOTH, False, True, at_head)
            best = solve_tree(tree, weights[0], weights[1])
            for file in item.files:
                assert optimum(tmp_path / file) * item.unit == pytest.approx(best.objective, rel=1e-7)
            text = (tmp_path / item.files[1]).read_text()
            assert "x_up(" in text and f"head({cell.names[0].replace('-', '_')})" in text
            assert item.integers > 0
            checked += 1
    assert checked >= 2


@pytest.mark.parametrize("method", ["optimal", "h-fedfm-2"])
def test_cone_programs_have_the_optimum_of_the_allocation(method, tmp_path):
    scenario = hffm_opt.random_scenario(7, cells=2, devices=(1, 3), modules=2, allocation="optimised", periods=(1, 2))
    _, outcome, written, _ = exported(scenario, tmp_path, method=method, max_drift=float("inf"))
    assert len(written) > 1
    value = outcome.objective - outcome.weights[2] * outcome.drift
    found = cone_optimum(tmp_path / "network.cbf")
    if method == "optimal":
        assert found == pytest.approx(value, rel=1e-3)
    assert found <= value * (1 + 1e-6)
    for item in written[:-1]:
        assert cone_optimum(tmp_path / item.files[0]) > 0


def test_all_cones_and_the_constant_survive_the_file(tmp_path):
    x = cp.Variable(3, nonneg=True)
    program = cp.Problem(
        cp.Minimize(cp.exp(x[0]) + 2 * x[1] + cp.norm(x) + 5),
        [x[0] + x[1] == 1.5, cp.inv_pos(x[2] + 1) <= 0.8, cp.entr(x[1]) >= 0.2],
    )
    path = tmp_path / "all.cbf"
    rows, columns = write_cone_program(program, path)
    data = read_cbf(path)
    assert data.g.shape == (rows, columns) and data.d == 5.0
    assert {kind for kind, _ in data.cones} == {"L=", "L+", "Q", "EXP"}
    program.solve(solver=cp.CLARABEL)
    assert cone_optimum(path) == pytest.approx(program.value, rel=1e-6)


def test_other_cones_are_refused(tmp_path):
    x = cp.Variable((2, 2), PSD=True)
    with pytest.raises(InputError, match="semidefinite"):
        write_cone_program(cp.Problem(cp.Minimize(cp.trace(x)), [x[0, 0] >= 1]), tmp_path / "no.cbf")


def test_what_the_relay_program_cannot_say_is_told(tmp_path):
    scenario = hffm_opt.load_scenario("tiny")
    modules = tuple(module.model_copy(update={"presum_depth": 0}) for module in scenario.modules)
    _, _, written, index = exported(scenario.model_copy(update={"modules": modules}), tmp_path)
    assert index["skipped"] and all(item["why"] for item in index["skipped"])
    assert written[-1].files[0] == "network.mps"
