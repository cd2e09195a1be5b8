"""The published network twice: counted as published (``paper``) and counted correctly (``paper-si``)."""

from __future__ import annotations

from collections.abc import Iterator

from hffm_opt.scenario.builtin.divergence import independent_devices
from hffm_opt.scenario.builtin.paper_recipe import USERS_PER_EDGE, Draw, draw_network
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS, LEARNING_RATE
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.model import (
    Cloud,
    Device,
    DirectLink,
    Edge,
    Learning,
    LinkFading,
    Module,
    Physics,
    Planning,
    ReferenceArithmetic,
    Scenario,
)

PAYLOAD_BIT = 48_000_000
# Parameters of the published modules: two parallel 768-256-768 adapters in 12 layers; a 768-20 head per task.
ADAPTER_PARAMETERS = 24 * (768 * 256 + 256 + 256 * 768 + 768)
HEAD_PARAMETERS = 768 * 20 + 20
SAMPLES_PER_TASK = 24
MEAN_OF_PUBLISHED_FADING = 2.0


def _edges(draw: Draw, uplink_hz: float) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            name=f"edge-{i}",
            x_m=x,
            y_m=y,
            uplink_bandwidth_hz=uplink_hz,
            downlink_bandwidth_hz=20e6,
            d2d_bandwidth_hz=8e6,
            downlink_power_w=5.0,
            backhaul_rate_bit_per_s=4e6,
            backhaul_delay_s=0.1,
            backhaul_power_w=0.8,
        )
        for i, (x, y) in enumerate(draw.edges)
    )


def _devices(draw: Draw, samples: list[dict[str, int]]) -> tuple[Device, ...]:
    return tuple(
        Device(
            name=f"device-{i}-{j}",
            x_m=x,
            y_m=y,
            edge=f"edge-{i}",
            uplink_power_w=1.0,
            d2d_power_w=0.2,
            samples=samples[i * len(cluster) + j],
        )
        for i, cluster in enumerate(draw.users)
        for j, (x, y) in enumerate(cluster)
    )


def _fading(draw: Draw, mean: float) -> Iterator[LinkFading]:
    for i, cluster in enumerate(draw.uplink_fading):
        for j, power in enumerate(cluster):
            yield LinkFading(source=f"device-{i}-{j}", target=f"edge-{i}", fading=power / mean)
    for i, pairs in enumerate(draw.d2d_fading):
        for (j, k), power in pairs.items():
            yield LinkFading(source=f"device-{i}-{j}", target=f"device-{i}-{k}", fading=power / mean)


def _published_modules() -> tuple[Module, ...]:
    """The 6 MB that the publication assumes for every transfer, shared out by counted parameters."""
    total = ADAPTER_PARAMETERS + len(EMBEDDED_TASKS) * HEAD_PARAMETERS
    head_bit = round(PAYLOAD_BIT * HEAD_PARAMETERS / total)
    adapters_bit = PAYLOAD_BIT - len(EMBEDDED_TASKS) * head_bit
    sizes = {"adapters": adapters_bit} | {f"head-{task.name}": head_bit for task in EMBEDDED_TASKS}
    card = shipped_card("vilt-small")
    weighed = tuple(m.model_copy(update={"payload_bit": sizes.get(m.name, m.payload_bit)}) for m in card.modules)
    return independent_devices(weighed, USERS_PER_EDGE)


def paper() -> Scenario:
    """Return the published case study with the arithmetic as published (profile ``reference``)."""
    draw = draw_network()
    return Scenario(
        name="paper",
        description="Published case study (arXiv 2509.03695): 10 edges, 40 devices, arithmetic as published.",
        seed=49,
        physics=Physics(
            profile="reference",
            uplink_sharing="dedicated",
            downlink_sharing="dedicated",
            d2d_sharing="dedicated",
            allocation="fixed",
            reference=ReferenceArithmetic(),
        ),
        cloud=Cloud(direct=DirectLink(rate_bit_per_s=4e6, delay_s=0.1, power_w=0.8)),
        edges=_edges(draw, uplink_hz=1e6),
        devices=_devices(draw, [{task.name: SAMPLES_PER_TASK for task in EMBEDDED_TASKS}] * 40),
        links=tuple(_fading(draw, 1.0)),
        modules=_published_modules(),
        tasks=EMBEDDED_TASKS,
        learning=Learning(payload="assumed", learning_rate=LEARNING_RATE),
        planning=_planning(),
    )


def _planning() -> Planning:
    """The drift allowed is that of the published E = 8 row: averaged in the cells each round, globally every 8."""
    modules = 1 + len(EMBEDDED_TASKS)
    return Planning(drift_max=modules * (8**2 - 1) / USERS_PER_EDGE, latency_weight=1.0, energy_weight=0.1)


def _mixed_ownership() -> list[dict[str, int]]:
    """In every cell two devices train both tasks, one only the first and one only the second."""
    first, second = (task.name for task in EMBEDDED_TASKS)
    both = {first: SAMPLES_PER_TASK, second: SAMPLES_PER_TASK}
    cell = [both, both, {first: 2 * SAMPLES_PER_TASK, second: 0}, {first: 0, second: 2 * SAMPLES_PER_TASK}]
    return cell * 10


def paper_si() -> Scenario:
    """Return the same network with correct physics, shared bands, computation charged and counted payloads."""
    draw = draw_network()
    return Scenario(
        name="paper-si",
        description="The network of the published case study with correct physics and shared band budgets.",
        seed=49,
        physics=Physics(profile="si"),
        cloud=Cloud(direct=DirectLink(rate_bit_per_s=4e6, delay_s=0.1, power_w=0.8)),
        edges=_edges(draw, uplink_hz=4e6),
        devices=_devices(draw, _mixed_ownership()),
        links=tuple(_fading(draw, MEAN_OF_PUBLISHED_FADING)),
        modules=independent_devices(shipped_card("vilt-small").modules, USERS_PER_EDGE),
        tasks=EMBEDDED_TASKS,
        learning=Learning(learning_rate=LEARNING_RATE),
        planning=_planning(),
    )
