"""Networks whose every rate is a round number, so that costs can be worked out by hand.

Noise, power and bandwidth are such that p / (N0 B) = 1: a link of gain ``2^k - 1`` carries k Mbit/s. Devices train
100 samples per second and spend 1 J on each; all radio powers are 1 W, so a transfer's joules equal its seconds.
The backhaul takes 0.5 s and 0.1 s per Mbit at 2 W; the direct link 1 s and 1 s per Mbit at 3 W.
Modules: s (both tasks, 4 Mbit), a (task t1, 1 Mbit), b (task t2, 2 Mbit).
"""

import dataclasses

import numpy as np

from hffm_opt.plan import Arc, CellPlan, ModuleCirculation, Plan, RoundPlan, Tree
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.problem import build_problem
from hffm_opt.scenario.model import (
    Cloud,
    Device,
    DirectLink,
    Edge,
    Module,
    Physics,
    Planning,
    ReferenceArithmetic,
    Scenario,
    Task,
)

MODULES = ("s", "a", "b")


def scenario(cells, sharing="dedicated", allocation="fixed", profile="si", direct=True, **planning):
    """Return a scenario with one edge per cell; ``cells`` lists the samples (t1, t2) of every device of every cell."""
    return Scenario(
        name="small",
        physics=Physics(
            profile=profile,
            noise_dbm_per_hz=-30.0,
            uplink_sharing=sharing,
            downlink_sharing=sharing,
            d2d_sharing=sharing,
            allocation=allocation,
            reference=ReferenceArithmetic(
                noise_offset_db=0.0, uplink_charged_power_w=0.5, d2d_charged_power_w=0.25, collection_rounds=5
            )
            if profile == "reference"
            else None,
        ),
        cloud=Cloud(direct=DirectLink(rate_bit_per_s=1e6, delay_s=1.0, power_w=3.0) if direct else None),
        edges=tuple(
            Edge(
                name=f"e{i}",
                x_m=0,
                y_m=0,
                uplink_bandwidth_hz=1e6,
                downlink_bandwidth_hz=1e6,
                d2d_bandwidth_hz=1e6,
                downlink_power_w=1.0,
                backhaul_rate_bit_per_s=10e6,
                backhaul_delay_s=0.5,
                backhaul_power_w=2.0,
            )
            for i in range(len(cells))
        ),
        devices=tuple(
            Device(
                name=f"d{i}{j}",
                x_m=0,
                y_m=0,
                edge=f"e{i}",
                uplink_power_w=1.0,
                d2d_power_w=1.0,
                cpu_min_hz=0.5e9,
                cpu_max_hz=1e9,
                capacitance_j_s2=1e-25,
                flop_per_cycle=1.0,
                samples={"t1": t1, "t2": t2},
            )
            for i, cell in enumerate(cells)
            for j, (t1, t2) in enumerate(cell)
        ),
        modules=(
            Module(
                name="s", kind="adapter", tasks=("t1", "t2"), payload_bit=4_000_000, forward_flop=4e6, backward_flop=6e6
            ),
            Module(name="a", kind="head", tasks=("t1",), payload_bit=1_000_000),
            Module(name="b", kind="head", tasks=("t2",), payload_bit=2_000_000),
        ),
        tasks=(Task(name="t1", answers=2), Task(name="t2", answers=2)),
        planning=Planning(**planning),
    )


def with_rates(problem, uplink, downlink, d2d=None):
    """Return the problem with links of given Mbit/s.

    ``uplink`` and ``downlink`` list a rate per device of every cell; ``d2d`` maps (cell, from, to) to a rate, other
    pairs have no link.
    """
    cells = []
    for i, cell in enumerate(problem.cells):
        between = np.zeros((cell.size, cell.size))
        for (at, source, target), rate in (d2d or {}).items():
            if at == i:
                between[source, target] = 2.0**rate - 1
        cells.append(
            dataclasses.replace(
                cell,
                uplink_gain=2.0 ** np.array(uplink[i]) - 1,
                downlink_gain=2.0 ** np.array(downlink[i]) - 1,
                d2d_gain=between,
            )
        )
    return dataclasses.replace(problem, noise_w_per_hz=1e-6, cells=tuple(cells))


def small_problem(cells, uplink, downlink, d2d=None, **options):
    """Return the compiled problem of :func:`scenario` with the rates of :func:`with_rates`."""
    return with_rates(build_problem(scenario(cells, **options)), uplink, downlink, d2d)


def tree(*links, relay="sum", charge="own"):
    """Return a tree of "source>target" links at 1 MHz and 1 W; links of the cloud carry no allocation."""
    arcs = []
    for link in links:
        source, target = link.split(">")
        radio = {} if "cloud" in (source, target) else {"bandwidth_hz": 1e6, "power_w": 1.0}
        arcs.append(Arc(source=source, target=target, **radio))
    return Tree(relay=relay, uplink_charge=charge, arcs=tuple(arcs))


def round_plan(cell, **trees):
    """Return a round at full speed (1 GHz) with the given head and trees."""
    return RoundPlan(cpu_hz=dict.fromkeys(cell.names, 1e9), **trees)


def circulation(**periods):
    """Return a circulation from ``module=(d2d, edge, cloud)``; modules that are not named stay local."""
    return tuple(
        ModuleCirculation(module=name, **dict(zip(("d2d", "edge", "cloud"), periods.get(name, ()), strict=False)))
        for name in MODULES
    )


def whole_plan(problem, circ, rounds, collections=None):
    """Return a plan from the rounds of every cell (a list of kinds per cell)."""
    return Plan(
        scenario=ScenarioReference(name=problem.scenario.name, fingerprint=problem.fingerprint),
        method="by-hand",
        circulation=circ,
        cells=tuple(
            CellPlan(
                edge=cell.edge.name,
                devices=cell.names,
                rounds=tuple(kinds),
                collection=collections[i] if collections else None,
            )
            for i, (cell, kinds) in enumerate(zip(problem.cells, rounds, strict=True))
        ),
    )
