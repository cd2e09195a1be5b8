"""Which device trains which expert, which edge server keeps whose copy, and who fetches from whom (Pyomo, any engine).

    x[h, m]       in {0, 1}   device h keeps and trains expert m                    J_hm a round
    z[h, e, m]    in {0, 1}   edge server e keeps h's copy of m                     c_hem / R
    y[u, h, q, m] in [0, 1]   device u uses h's copy: its own (h = u), fetched from h (q = none) or from e (q = e)
    w[h, g, m]    in [0, 1]   devices h and g both train m                          w_V V_hg

minimise    w_E sum J_hm x + sum (c_hem / R) z + sum (c / R + w_F F_hu) y + w_V sum V_hg w
served      sum_hq y[u, h, q, m] = 1                    for every device u that uses m
own         y[u, u, none, m] = x[u, m]                  what is kept is used
trained     y[u, h, none, m] <= x[h, m]                 for every pair of devices
kept        y[u, h, e, m] <= z[h, e, m]
copied      z[h, e, m] <= x[h, m]
mixed       w[h, g, m] >= x[h, m] + x[g, m] - 1         for every pair of devices
one         sum_m x[u, m] >= 1                          for every device that uses experts
most        sum_m x[u, m] <= experts_per_device
memory      sum_m b_m x[u, m] <= room_u
edge_memory sum_hm b_m z[h, e, m] <= edge_memory_bit
compute     sum_m t_um x[u, m] <= max_train_s - base_u

R are the rounds from one fetch to the next, c_abm the least ``w_E J + w_T s`` of a copy of m from a to b, b_m bits,
t_um seconds; in the sum over y, c is that from h or e to u, and 0 for what u keeps itself.

Source: two-level uncapacitated facility location with strong linking (Cornuejols, Sridharan, Thizy, EJOR 50, 1991).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import pyomo.environ as pyo

from hffm_opt.errors import InfeasibleError
from hffm_opt.plan.fetching import Fetch
from hffm_opt.plan.placement import PlacementProblem

NONE = -1


@dataclass(frozen=True, eq=False)
class PlacementProgram:
    """The Pyomo model of a placement."""

    model: pyo.ConcreteModel
    placing: PlacementProblem


def build(placing: PlacementProblem) -> PlacementProgram:
    """Build the program.

    Raises:
        InfeasibleError: a device has no room or time for a single expert.
    """
    users, count = placing.uses.shape
    edges, settings = len(placing.nodes) - users, placing.settings
    _refuse_full(placing)
    model = pyo.ConcreteModel(name="placement")
    able = [(h, m) for h in range(users) for m in range(count) if placing.uses[h, m]]
    reach = np.all(np.isfinite(placing.price), axis=0).astype(bool, copy=False)
    model.X = pyo.Set(initialize=able, dimen=2)
    model.Z = pyo.Set(
        initialize=[
            (h, e, m) for h, m in able for e in range(edges) if reach[h, users + e] and settings.edge_memory_bit > 0
        ],
        dimen=3,
    )
    routes = [(u, h, NONE, m) for u, m in able for h in range(users) if (h, m) in model.X and reach[h, u]]
    routes += [
        (u, h, e, m)
        for h, e, m in model.Z
        for u in range(users)
        if (u, m) in model.X and u != h and reach[users + e, u]
    ]
    model.Y = pyo.Set(initialize=routes, dimen=4)
    model.x = pyo.Var(model.X, domain=pyo.Binary)
    model.z = pyo.Var(model.Z, domain=pyo.Binary)
    model.y = pyo.Var(model.Y, bounds=(0, 1))
    apart = placing.settings.mixing_weight * placing.apart
    model.W = pyo.Set(
        initialize=[(h, g, m) for h, m in able for g in range(h) if (g, m) in model.X and apart[h, g] > 0], dimen=3
    )
    model.w = pyo.Var(model.W, bounds=(0, 1))
    rounds, energy = settings.fetch_rounds, placing.problem.scenario.planning.energy_weight

    def use(u: int, h: int, e: int, m: int) -> float:
        start = h if e == NONE else users + e
        moved = 0.0 if u == h else float(placing.price[m, start, u]) / rounds
        return moved + settings.misfit_weight * float(placing.misfit[h, u])

    model.cost = pyo.Objective(
        expr=sum(energy * float(placing.train_j[h, m]) * model.x[h, m] for h, m in able)
        + sum(float(placing.price[m, h, users + e]) / rounds * model.z[h, e, m] for h, e, m in model.Z)
        + sum(use(*key) * model.y[key] for key in routes)
        + sum(float(apart[h, g]) * model.w[h, g, m] for h, g, m in model.W)
    )
    of_user: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {pair: [] for pair in able}
    for key in routes:
        of_user[key[0], key[3]].append(key)
    model.served = pyo.Constraint(model.X, rule=lambda m, u, k: sum(m.y[key] for key in of_user[u, k]) == 1)
    model.own = pyo.Constraint(model.X, rule=lambda m, u, k: m.y[u, u, NONE, k] == m.x[u, k])
    model.trained = pyo.Constraint(
        [key for key in routes if key[2] == NONE and key[0] != key[1]],
        rule=lambda m, u, h, e, k: m.y[u, h, e, k] <= m.x[h, k],
    )
    model.kept = pyo.Constraint(
        [key for key in routes if key[2] != NONE], rule=lambda m, u, h, e, k: m.y[u, h, e, k] <= m.z[h, e, k]
    )
    model.copied = pyo.Constraint(model.Z, rule=lambda m, h, e, k: m.z[h, e, k] <= m.x[h, k])
    model.mixed = pyo.Constraint(model.W, rule=lambda m, h, g, k: m.w[h, g, k] >= m.x[h, k] + m.x[g, k] - 1)
    using = [u for u in range(users) if placing.uses[u].any()]
    of_device = {u: [k for k in range(count) if placing.uses[u, k]] for u in using}
    model.one = pyo.Constraint(using, rule=lambda m, u: sum(m.x[u, k] for k in of_device[u]) >= 1)
    if settings.experts_per_device is not None:
        most = settings.experts_per_device
        model.most = pyo.Constraint(using, rule=lambda m, u: sum(m.x[u, k] for k in of_device[u]) <= most)
    tight = [u for u in using if math.isfinite(placing.room[u])]
    model.memory = pyo.Constraint(
        tight,
        rule=lambda m, u: (
            sum(_share(placing.bits[k], placing.room[u]) * m.x[u, k] for k in of_device[u])
            <= _share(placing.room[u], placing.room[u])
        ),
    )
    if settings.max_train_s is not None:
        limit = settings.max_train_s
        model.compute = pyo.Constraint(
            using,
            rule=lambda m, u: (
                sum(_share(placing.time_s[u, k], limit) * m.x[u, k] for k in of_device[u])
                <= _share(limit - placing.base_s[u], limit)
            ),
        )
    if len(model.Z):
        room = settings.edge_memory_bit
        model.edge_memory = pyo.Constraint(
            sorted({e for _, e, _ in model.Z}),
            rule=lambda m, e: (
                sum(_share(placing.bits[k], room) * m.z[h, d, k] for h, d, k in m.Z if d == e) <= _share(room, room)
            ),
        )
    return PlacementProgram(model, placing)


def _share(amount: SupportsFloat, limit: SupportsFloat) -> float:
    """Return an amount in thousandths of a limit, and no more than two limits: what exceeds it is too much anyhow.

    Engines keep rows to about 1e-6, as the referee does limits, but it in shares of them.
    """
    return 1000.0 * min(float(amount) / (float(limit) or 1.0), 2.0)


def _refuse_full(placing: PlacementProblem) -> None:
    for u in np.flatnonzero(placing.uses.any(axis=1)).tolist():
        fits = placing.uses[u] & (placing.bits <= placing.room[u])
        if placing.settings.max_train_s is not None:
            fits &= placing.base_s[u] + placing.time_s[u] <= placing.settings.max_train_s
        if not fits.any():
            message = "it has no room for one expert, or no time to train one within specialise.max_train_s"
            raise InfeasibleError.one(f"devices.{placing.nodes[u]}", message, "give it more memory, or more time")


Hosting = tuple[dict[str, tuple[str, ...]], tuple[Fetch, ...], tuple[Fetch, ...]]
"""The hosts of each expert, the copies that edge servers keep, and who fetches what from whom."""


def read(program: PlacementProgram) -> Hosting:
    """Return hosts, caches that are used, and fetches."""
    placing, model = program.placing, program.model
    nodes, users = placing.nodes, placing.devices
    hosts = {
        name: tuple(nodes[h] for h in range(users) if (h, m) in model.X and model.x[h, m].value > 0.5)
        for m, name in enumerate(placing.experts)
    }
    fetches = []
    for u, m in model.X:
        if model.x[u, m].value > 0.5:
            continue
        # Equal costs may leave a use split; any of its parts costs the same.
        h, e = max((key for key in model.Y if (key[0], key[3]) == (u, m)), key=lambda key: model.y[key].value)[1:3]
        edge = None if e == NONE else nodes[users + e]
        fetches.append(Fetch(device=nodes[u], module=placing.experts[m], host=nodes[h], edge=edge))
    caches = {(f.host, f.module, f.edge) for f in fetches if f.edge is not None}
    kept = tuple(
        Fetch(device=edge, module=module, host=host, edge=edge) for host, module, edge in sorted(caches) if edge
    )
    return hosts, kept, tuple(fetches)
