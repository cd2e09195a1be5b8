"""Random networks for the joint planner: awkward on purpose, and small."""

from __future__ import annotations

import numpy as np

from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.model import (
    Cloud,
    Device,
    DirectLink,
    Edge,
    LogDistance,
    Module,
    Physics,
    Planning,
    ReferenceArithmetic,
    Scenario,
    Task,
)
from hffm_opt.seeds import derive

MENUS = ((1, 2), (1, 2, 4), (1,), (2, 4), (1, 4), (2,), (1, 8))


def random_network(
    seed: int,
    *,
    cells: int | None = None,
    devices: int | None = None,
    modules: int | None = None,
    allocation: str = "fixed",
    profile: str = "si",
    sharing: str | None = None,
    periods: tuple[int, ...] | None = None,
) -> Scenario:
    """Draw a network with 1-3 cells of 1-5 devices (``devices`` sets the most) and 1-3 modules.

    Owners differ, some cells have nobody who owns a module, a payload may be 0, one device may lack D2D, devices may
    be equal, links may end at a range, and the limit on Phi ranges from none to tight.
    """
    rng = derive(seed, "random network")
    most = 5 if devices is None else devices
    sizes = [int(rng.integers(1, most + 1)) for _ in range(cells or int(rng.integers(1, 4)))]
    count = modules or int(rng.integers(1, 4))
    tasks = [f"t{k}" for k in range(int(rng.integers(1, count + 1)))]
    menu = periods or MENUS[int(rng.integers(len(MENUS)))]
    alike = rng.random() < 0.2
    flop = float(rng.choice([0.0, 1e6, 1e8]))
    parts = [_module(rng, k, tasks, flop) for k in range(count)]
    nodes = _devices(rng, sizes, tasks, alike, allocation)
    scenario = Scenario(
        name=f"random-{seed}",
        seed=seed,
        physics=_physics(rng, allocation, profile, sharing),
        cloud=Cloud(direct=_direct(rng)),
        edges=tuple(_edge(rng, i) for i in range(len(sizes))),
        devices=nodes,
        modules=tuple(parts),
        tasks=tuple(Task(name=t, answers=2) for t in tasks),
        planning=_planning(rng, menu, parts),
    )
    findings = check_scenario(scenario)
    assert not findings, findings
    return scenario


def _physics(rng: np.random.Generator, allocation: str, profile: str, sharing: str | None) -> Physics:
    dedicated = allocation == "fixed" or sharing == "dedicated"
    band = "dedicated" if dedicated else "shared"
    reference = ReferenceArithmetic(collection_rounds=int(rng.integers(2, 12))) if profile == "reference" else None
    return Physics(
        profile=profile,
        path_loss=LogDistance(loss_at_1m_db=float(rng.uniform(20, 60)), exponent=3.0),
        fading="rayleigh" if rng.random() < 0.7 else "none",
        uplink_sharing=band,
        downlink_sharing=band,
        d2d_sharing=band,
        d2d_range_m=float(rng.uniform(100, 500)) if rng.random() < 0.25 else None,
        allocation=allocation,
        reference=reference,
    )


def _direct(rng: np.random.Generator) -> DirectLink | None:
    if rng.random() < 0.3:
        return None
    return DirectLink(
        rate_bit_per_s=float(rng.uniform(0.3e6, 8e6)),
        delay_s=float(rng.choice([0.0, rng.uniform(0.01, 0.5)])),
        power_w=float(rng.uniform(0.05, 1.0)),
    )


def _edge(rng: np.random.Generator, i: int) -> Edge:
    return Edge(
        name=f"e{i}",
        x_m=2000.0 * i,
        y_m=0.0,
        uplink_bandwidth_hz=float(rng.uniform(0.3e6, 3e6)),
        downlink_bandwidth_hz=float(rng.uniform(0.3e6, 9e6)),
        d2d_bandwidth_hz=float(rng.uniform(0.3e6, 9e6)),
        downlink_power_w=float(rng.uniform(0.5, 5.0)),
        backhaul_rate_bit_per_s=float(rng.uniform(0.5e6, 20e6)),
        backhaul_delay_s=float(rng.choice([0.0, 0.1])),
        backhaul_power_w=float(rng.uniform(0.0, 1.0)),
    )


def _devices(
    rng: np.random.Generator, sizes: list[int], tasks: list[str], alike: bool, allocation: str
) -> tuple[Device, ...]:
    found = []
    without_d2d = int(rng.integers(sum(sizes))) if rng.random() < 0.3 else -1
    for i, size in enumerate(sizes):
        for j in range(size):
            x, y = (150.0, 150.0) if alike else rng.uniform(-300, 300, 2)
            fast = 1e9 if alike else float(rng.uniform(0.5e9, 2e9))
            samples = {t: int(n) for t, n in zip(tasks, rng.choice([0, 8, 32], len(tasks)), strict=True)}
            found.append(
                Device(
                    name=f"d{i}{j}",
                    x_m=2000.0 * i + float(x),
                    y_m=float(y),
                    edge=f"e{i}",
                    uplink_power_w=0.2 if alike else float(rng.uniform(0.05, 1.0)),
                    d2d_power_w=0.1 if alike else float(rng.uniform(0.05, 0.5)),
                    d2d=len(found) != without_d2d,
                    cpu_min_hz=fast if allocation == "fixed" else fast / 5,
                    cpu_max_hz=fast,
                    samples=dict.fromkeys(tasks, 16) if alike else samples,
                )
            )
    # Every task needs a sample somewhere.
    for k, task in enumerate(tasks):
        if not any(d.samples[task] for d in found):
            at = k % len(found)
            found[at] = found[at].model_copy(update={"samples": found[at].samples | {task: 8}})
    return tuple(found)


def _module(rng: np.random.Generator, k: int, tasks: list[str], flop: float) -> Module:
    size = 0 if k and rng.random() < 0.15 else int(rng.choice([1e5, 1e6, 4e6]))
    # The first module serves all tasks, so that every task trains something.
    chosen = tasks if k == 0 else [tasks[int(rng.integers(len(tasks)))]]
    return Module(
        name=f"m{k}",
        kind="adapter",
        tasks=tuple(chosen),
        payload_bit=size,
        forward_flop=flop,
        backward_flop=2 * flop,
        divergence_within=float(rng.choice([0.0, 0.5, 1.0])),
        divergence_between=float(rng.choice([0.5, 1.0])),
    )


def _planning(rng: np.random.Generator, menu: tuple[int, ...], parts: list[Module]) -> Planning:
    horizon = int(rng.choice([8, 20, 200]))
    both = np.array([[m.divergence_within**2, m.divergence_between**2] for m in parts]).sum()
    often, seldom = ((p**2 - 1) * both for p in (min(menu), max(menu)))
    choice = rng.random()
    limit = None if choice < 0.3 else float(often + rng.random() * (seldom - often)) if choice < 0.8 else float(seldom)
    return Planning(
        periods=menu,
        horizon_rounds=horizon,
        drift_max=limit,
        drift_weight=float(rng.choice([0.0, 0.01])) if rng.random() < 0.3 else 0.0,
        latency_weight=1.0,
        energy_weight=float(rng.choice([0.1, 1.0, 5.0])),
    )
