"""Every limit has an example that breaks it, and one that keeps it."""

import pytest
from small_networks import circulation, round_plan, small_problem, tree, whole_plan

from hffm_opt.plan import evaluate_plan
from hffm_opt.plan.model import Arc, Tree

CELL = [[(100, 0), (0, 300), (100, 100)]]
LINKS = ("d00>e0", "d01>e0", "d02>e0")


def problem_of(**options):
    d2d = {(0, 0, 2): 4, (0, 1, 2): 2, (0, 2, 0): 8, (0, 2, 1): 4}
    return small_problem(CELL, [[1, 2, 4]], [[2, 4, 8]], d2d, **options)


def allocated(links, bandwidth_hz=1e6, power_w=1.0, **options):
    ends = [link.split(">") for link in links]
    arcs = tuple(Arc(source=a, target=b, bandwidth_hz=bandwidth_hz, power_w=power_w) for a, b in ends)
    return Tree(arcs=arcs, **options)


def judge(problem, uplink=None, cpu_hz=1e9, circ=None, **trees):
    """Return the violations of a plan whose only kind of round averages everything at the edge (unless told)."""
    cell = problem.cells[0]
    downlink = trees.pop("downlink", None) or allocated([f"e0>{name}" for name in cell.names], 0.3e6)
    if problem.fixed_allocation and "downlink" not in trees:
        downlink = allocated([f"e0>{name}" for name in cell.names])
    plan = round_plan(cell, uplink=uplink or tree(*LINKS), downlink=downlink, **trees)
    plan = plan.model_copy(update={"cpu_hz": dict.fromkeys(cell.names, cpu_hz)})
    circ = circ or circulation(s=(None, 1), a=(None, 1), b=(None, 1))
    evaluation = evaluate_plan(problem, whole_plan(problem, circ, [[plan]]))
    assert evaluation.feasible == (not evaluation.violations)
    return {finding.path: finding for finding in evaluation.violations}


def test_a_sound_plan_breaks_nothing():
    assert judge(problem_of()) == {}
    assert judge(problem_of(sharing="shared", allocation="optimised"), allocated(LINKS, 1e6 / 3)) == {}


@pytest.mark.parametrize(("excess", "broken"), [(1 + 0.9e-6, False), (1 + 1.1e-6, True)])
def test_tolerance_is_1e_6_relative(excess, broken):
    problem = problem_of(allocation="optimised")
    assert ("cells[0].rounds[0].uplink.arcs[0].power_w" in judge(problem, allocated(LINKS, power_w=excess))) == broken


def test_power_above_the_cap():
    found = judge(problem_of(allocation="optimised"), allocated(LINKS, power_w=1.01))
    assert found["cells[0].rounds[0].uplink.arcs[0].power_w"].repair == "at most 1 W"
    assert len(found) == 3


def test_downlink_power_above_the_cap():
    down = allocated(["e0>d00", "e0>d01", "e0>d02"], power_w=1.5)
    assert "cells[0].rounds[0].downlink.arcs[2].power_w" in judge(problem_of(allocation="optimised"), downlink=down)


def test_d2d_power_and_missing_link():
    # There is no link from 0 to 1.
    up = allocated(["d00>d01", "d01>e0", "d02>e0"], 0.5e6, power_w=1.0)
    found = judge(problem_of(allocation="optimised"), up)
    assert list(found) == ["cells[0].rounds[0].uplink.arcs[0]"]
    assert found["cells[0].rounds[0].uplink.arcs[0]"].message == "no link from d00 to d01"


@pytest.mark.parametrize("cpu_hz", [0.49e9, 1.01e9])
def test_cpu_frequency_outside_its_range(cpu_hz):
    found = judge(problem_of(allocation="optimised"), cpu_hz=cpu_hz)
    assert found["cells[0].rounds[0].cpu_hz.d01"].repair == "allowed: 5e+08 to 1e+09 Hz"


def test_own_band_exceeded():
    found = judge(problem_of(allocation="optimised"), allocated(LINKS, 1.1e6))
    assert found["cells[0].rounds[0].uplink.arcs[1].bandwidth_hz"].repair == "at most 1e+06 Hz"


@pytest.mark.parametrize("kind", ["uplink", "downlink", "gather"])
def test_shared_band_exceeded(kind):
    problem = problem_of(sharing="shared", allocation="optimised")
    trees = {"uplink": allocated(LINKS, 0.3e6)}
    circ = None
    if kind == "uplink":
        trees["uplink"] = allocated(LINKS, 0.4e6)
    elif kind == "downlink":
        trees["downlink"] = allocated(["e0>d00", "e0>d01", "e0>d02"], 0.4e6)
    else:
        circ = circulation(s=(None, 1), a=(1,), b=(1,))
        trees |= {"head": "d02", "gather": allocated(["d00>d02", "d01>d02"], 0.6e6)}
        trees["scatter"] = allocated(["d02>d00", "d02>d01"], 0.5e6)
    found = judge(problem, circ=circ, **trees)
    assert list(found) == [f"cells[0].rounds[0].{kind}.arcs"]
    assert "1.2e+06 Hz of the" in found[f"cells[0].rounds[0].{kind}.arcs"].message


def test_bands_of_one_tree_are_counted_apart():
    # One D2D arc and two uplinks, each band within its own budget.
    problem = problem_of(sharing="shared", allocation="optimised")
    up = Tree(
        arcs=(
            Arc(source="d00", target="d02", bandwidth_hz=1e6, power_w=1.0),
            Arc(source="d01", target="e0", bandwidth_hz=0.5e6, power_w=1.0),
            Arc(source="d02", target="e0", bandwidth_hz=0.5e6, power_w=1.0),
        )
    )
    assert judge(problem, up) == {}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"uplink": allocated(LINKS, power_w=0.5)}, "uplink.arcs[0].power_w"),
        ({"uplink": allocated(LINKS, 0.5e6)}, "uplink.arcs[0].bandwidth_hz"),
        ({"cpu_hz": 0.9e9}, "cpu_hz.d00"),
    ],
)
def test_fixed_allocation_may_not_be_lowered_either(change, path):
    assert f"cells[0].rounds[0].{path}" in judge(problem_of(), **change)
    assert judge(problem_of(allocation="optimised"), **change) == {}


def test_mean_charge_is_the_published_arithmetics_alone():
    found = judge(problem_of(), allocated(LINKS, uplink_charge="mean"))
    assert list(found) == ["cells[0].rounds[0].uplink.uplink_charge"]


def test_direct_links_have_no_allocation():
    links = {"uplink": ["d00>cloud", "d01>cloud", "d02>cloud"], "downlink": ["cloud>d00", "cloud>d01", "cloud>d02"]}
    circ = circulation(s=(None, None, 1), a=(None, None, 1), b=(None, None, 1))
    given = {kind: tree(*arcs) for kind, arcs in links.items()}
    optimised = problem_of(allocation="optimised")
    assert judge(optimised, circ=circ, **given) == {}
    chosen = given | {"uplink": allocated(links["uplink"])}
    assert "cells[0].rounds[0].uplink.arcs[0]" in judge(optimised, circ=circ, **chosen)


def test_drift_above_its_limit():
    # Everything at the edge each round, never at the cloud: 3 modules of 200^2 - 1.
    assert judge(problem_of(drift_max=3 * 39999.0)) == {}
    found = judge(problem_of(drift_max=3 * 39998.0))
    assert list(found) == ["circulation"]


def test_drift_limit_of_zero_admits_averaging_each_round_only():
    assert list(judge(problem_of(drift_max=0.0))) == ["circulation"]


def test_all_violations_at_once():
    found = judge(problem_of(allocation="optimised", drift_max=1.0), allocated(LINKS, 2e6, 2.0), cpu_hz=2e9)
    assert len(found) == 1 + 3 + 3 + 3
