"""A scenario from real positions: base stations and users of the EUA data set (Melbourne's centre and alike).

Source of the format: Lai et al., "Optimal edge user allocation in edge computing with variable sized vector bin
packing" (ICSOC 2018); its data are published under the MIT licence. Positions are real; everything else is stated
below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hffm_opt.errors import InputError
from hffm_opt.scenario.association import capacity_aware_edges, nearest_edges
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.eua_files import Place, read_places
from hffm_opt.scenario.heterogeneity import share_tasks
from hffm_opt.scenario.model import (
    NAME_PATTERN,
    Cloud,
    Device,
    DirectLink,
    Edge,
    Learning,
    Physics,
    Planning,
    Scenario,
    Tr38901,
)
from hffm_opt.scenario.projection import centroid_deg, tangent_plane_m
from hffm_opt.seeds import derive
from hffm_opt.steps import pieces
from hffm_opt.units import dbm_to_w

Association = Literal["nearest", "capacity-aware"]

CAPACITY_SLACK = 1.25
SAMPLES_PER_DEVICE = 48
D2D_RANGE_M = 150.0
# Street canyon cells at 3.5 GHz: antennas at 10 m (TR 38.901 table 7.2-1) and pedestrians at 1.5 m, also among
# themselves; receiver noise figure 5 dB; power class 3 devices (23 dBm) and 33 dBm sites, as in the dense urban micro
# layer of TR 38.802.
CARRIER_HZ = 3.5e9
SITE_HEIGHT_M = 10.0
DEVICE_HEIGHT_M = 1.5
NOISE_FIGURE_DB = 5.0
DEVICE_POWER_DBM = 23.0
SITE_POWER_DBM = 33.0


def import_eua(
    sites_csv: str | Path,
    users_csv: str | Path,
    *,
    association: Association = "nearest",
    max_users_per_edge: int | None = None,
    max_devices: int | None = None,
    name: str = "eua",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Scenario:
    """Return the scenario of real base stations and users, with correct physics and allocation left to the plan.

    Positions become metres east and north of their centroid (WGS84 tangent plane). Every site is an edge, those that
    serve nobody included. Each device holds 48 samples, spread over the embedded tasks by a seeded Dirichlet law.

    Args:
        sites_csv: file with columns SITE_ID, LATITUDE, LONGITUDE (others are ignored).
        users_csv: file with columns Latitude, Longitude.
        association: ``nearest`` site, or ``capacity-aware``: least total distance under ``max_users_per_edge``.
        max_users_per_edge: limit of the latter; default ``ceil(1.25 users / sites)``.
        max_devices: keep this many users, drawn from ``seed``; default all.
        name: name of the scenario.
        seed: seed of the draw, the data's spread and the fading.
        progress: told what is done.

    Raises:
        InputError: faulty files (all faults at once, each with file, line and column) or arguments.
    """
    if len(name) > 80 or not re.match(NAME_PATTERN, name):
        raise InputError.one(
            "--name",
            f"'{name}' cannot name a scenario",
            "use up to 80 letters, digits and . _ + - , a letter or digit first",
        )
    _check_arguments(association, max_users_per_edge, max_devices)
    begin = pieces(progress, 3)
    begin("reading sites and users")
    sites, users = read_places(Path(sites_csv), Path(users_csv))
    if max_devices is not None and max_devices < len(users):
        kept = derive(seed, "eua", "users").choice(len(users), size=max_devices, replace=False)
        users = [users[i] for i in sorted(kept)]
    latitude_deg = [p.latitude_deg for p in (*sites, *users)]
    longitude_deg = [p.longitude_deg for p in (*sites, *users)]
    # Millimetres: finer than any survey, and short in the file.
    places = tangent_plane_m(latitude_deg, longitude_deg, centroid_deg(latitude_deg, longitude_deg)).round(3)
    site_places, user_places = places[: len(sites)], places[len(sites) :]
    distance_m = np.linalg.norm(user_places[:, None, :] - site_places[None, :, :], axis=2)
    begin("choosing an edge for each user")
    if association == "nearest":
        served = nearest_edges(distance_m)
    else:
        most = max_users_per_edge or math.ceil(CAPACITY_SLACK * len(users) / len(sites))
        served = capacity_aware_edges(distance_m, most)
    begin("checking the scenario")
    edges = _edges(sites, site_places)
    scenario = Scenario(
        name=name,
        description=f"{len(sites)} sites and {len(users)} users at real positions (EUA), association {association}.",
        seed=seed,
        physics=_physics(),
        cloud=Cloud(direct=DirectLink(rate_bit_per_s=4e6, delay_s=0.1, power_w=0.8)),
        edges=edges,
        devices=_devices(users, user_places, [edges[k].name for k in served], seed),
        modules=shipped_card("vilt-small").modules,
        tasks=EMBEDDED_TASKS,
        planning=Planning(drift_max=3 * (8.0**2 - 1), latency_weight=1.0, energy_weight=0.1),
    )
    if findings := check_scenario(scenario):
        raise InputError(findings)
    return scenario


def _check_arguments(association: str, max_users_per_edge: int | None, max_devices: int | None) -> None:
    known = get_args(Association)
    if association not in known:
        raise InputError.one("association", f"'{association}' is not known", f"use one of: {', '.join(known)}")
    for key, value in (("max_users_per_edge", max_users_per_edge), ("max_devices", max_devices)):
        if value is not None and value < 1:
            raise InputError.one(key, f"{value} is below 1", "give at least 1")
    if max_users_per_edge is not None and association != "capacity-aware":
        raise InputError.one("max_users_per_edge", "'nearest' knows no limit", "use association capacity-aware")


def _physics() -> Physics:
    law = Tr38901(law="umi-nlos", carrier_hz=CARRIER_HZ, edge_height_m=SITE_HEIGHT_M, device_height_m=DEVICE_HEIGHT_M)
    return Physics(
        profile="si",
        path_loss=law,
        d2d_path_loss=law.model_copy(update={"edge_height_m": DEVICE_HEIGHT_M}),
        noise_dbm_per_hz=-174.0 + NOISE_FIGURE_DB,
        fading="rayleigh",
        d2d_range_m=D2D_RANGE_M,
    )


def _edges(sites: Sequence[Place], places: NDArray[np.float64]) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            name=f"site-{site.name}",
            x_m=x,
            y_m=y,
            uplink_bandwidth_hz=10e6,
            downlink_bandwidth_hz=20e6,
            d2d_bandwidth_hz=10e6,
            downlink_power_w=dbm_to_w(SITE_POWER_DBM),
            backhaul_rate_bit_per_s=100e6,
            backhaul_delay_s=0.02,
            backhaul_power_w=1.0,
        )
        for site, (x, y) in zip(sites, places.tolist(), strict=True)
    )


def _devices(
    users: Sequence[Place], places: NDArray[np.float64], edges: Sequence[str], seed: int
) -> tuple[Device, ...]:
    samples = spread_samples([user.name for user in users], seed)
    power_w = dbm_to_w(DEVICE_POWER_DBM)
    return tuple(
        Device(
            name=f"user-{user.name}",
            x_m=x,
            y_m=y,
            edge=edge,
            uplink_power_w=power_w,
            d2d_power_w=power_w,
            samples=held,
        )
        for user, (x, y), edge, held in zip(users, places.tolist(), edges, samples, strict=True)
    )


def spread_samples(users: Sequence[str], seed: int) -> list[dict[str, int]]:
    """Return the samples of every user per task, each user's own seeded stream (see :mod:`.heterogeneity`).

    A task that nobody would hold gets one batch at the first user.
    """
    batch = Learning().batch_size
    held = [
        share_tasks(derive(seed, "eua", "samples", user), EMBEDDED_TASKS, SAMPLES_PER_DEVICE, batch) for user in users
    ]
    for task in EMBEDDED_TASKS:
        if not any(samples[task.name] for samples in held):
            held[0][task.name] = batch
    return held
