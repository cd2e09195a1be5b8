"""A network small enough to enumerate every plan: two cells of three devices with differing owners."""

from __future__ import annotations

from hffm_opt.scenario.builtin.divergence import independent_devices
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS, LEARNING_RATE
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.model import Cloud, Device, DirectLink, Edge, Learning, Physics, Planning, Scenario

_PLACES = (
    ((0.0, 0.0), ((120.0, 40.0), (150.0, -30.0), (260.0, 10.0))),
    ((900.0, 0.0), ((760.0, 60.0), (700.0, -40.0), (980.0, 180.0))),
)
_SAMPLES = (
    ({"digits": 24, "shapes": 24}, {"digits": 32, "shapes": 0}, {"digits": 0, "shapes": 32}),
    ({"digits": 32, "shapes": 0}, {"digits": 24, "shapes": 24}, {"digits": 24, "shapes": 24}),
)


def tiny() -> Scenario:
    """Return the small network: correct physics, every link its own band, powers and CPU speeds fixed."""
    edges, devices = [], []
    for i, ((x, y), places) in enumerate(_PLACES):
        edges.append(
            Edge(
                name=f"edge-{i}",
                x_m=x,
                y_m=y,
                uplink_bandwidth_hz=1e6,
                downlink_bandwidth_hz=5e6,
                d2d_bandwidth_hz=4e6,
                downlink_power_w=2.0,
                backhaul_rate_bit_per_s=2e6,
                backhaul_delay_s=0.1,
                backhaul_power_w=0.8,
            )
        )
        for j, (dx, dy) in enumerate(places):
            devices.append(
                Device(
                    name=f"device-{i}-{j}",
                    x_m=dx,
                    y_m=dy,
                    edge=f"edge-{i}",
                    uplink_power_w=0.2,
                    d2d_power_w=0.1,
                    cpu_min_hz=(0.8 + 0.3 * j) * 1e9,
                    cpu_max_hz=(0.8 + 0.3 * j) * 1e9,
                    samples=_SAMPLES[i][j],
                )
            )
    return Scenario(
        name="tiny",
        description="Two cells of three devices with differing owners; small enough to enumerate.",
        seed=1,
        physics=Physics(
            profile="si",
            uplink_sharing="dedicated",
            downlink_sharing="dedicated",
            d2d_sharing="dedicated",
            allocation="fixed",
        ),
        cloud=Cloud(direct=DirectLink(rate_bit_per_s=1e6, delay_s=0.1, power_w=0.8)),
        edges=tuple(edges),
        devices=tuple(devices),
        modules=independent_devices(shipped_card("vilt-small").modules, len(_PLACES[0][1])),
        tasks=EMBEDDED_TASKS,
        learning=Learning(learning_rate=LEARNING_RATE),
        planning=Planning(periods=(1, 2, 4), drift_max=20.0, latency_weight=1.0, energy_weight=0.5),
    )
