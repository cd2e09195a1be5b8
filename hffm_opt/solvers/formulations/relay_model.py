"""The directed multi-commodity flow program of a relay-tree problem.

Sets: arcs a = (i, j) child to parent; devices k that must be in the tree; groups g of modules with equal
owners, payload b_g [bit]. Per direction (written for one; both share the head h):

    x_a in {0,1}        arc is in the tree              h_r in {0,1}     r is the root, sum h = 1
    0 <= f^k_a <= 1     device k's unit of flow         0 <= c_ag <= 1   arc a carries a copy of group g
    out(x, v) = 1 - h_v on devices k, <= 1 - h_v else   out(f^k, v) - in(f^k, v) = [v = k] - h_v
    f^k_a <= c_ag (g owned by k),  c_ag <= x_a
    T >= ready_k + sum_{a=(i,j)} (seconds_per_bit_a * b(own_k + own_i) + delay_a) f^k_a
    E  = sum_a joules_per_bit_a sum_g b_g c_ag
    f^k_ij <= sum of f^k_jm over m with k -> i -> j -> m -> root in time,  f^k_jm <= sum of f^k_ij over such i
    sum_a f^k_a <= max_hops,  in(x, v) <= max_fan_in (max_uplinks at the edge server)

Where all devices own the same modules the load of every arc is known and the path rows are the latency.
Otherwise they are a relaxation (an arc out of i on k's path carries at least what k and i own), and potentials make it
exact, R_i being when i has everything of its subtree:

    R_j >= R_i + seconds_per_bit_a * sum_g b_g c_ag + delay_a - M_a (1 - x_a),  R_i >= ready_i,  T >= R_i
    M_a = (U - shortest path-load time from i to a root) - ready_j,   U an upper bound on T

Units inside: seconds and joules are divided by those of a known tree, so that coefficients are near one.
Source: docs/formulations.md; directed multi-commodity Steiner flow after Wong, Math. Programming 28 (1984).
"""

from __future__ import annotations

import math

import numpy as np

from hffm_opt.solvers.engines.highs_builder import ModelBuilder
from hffm_opt.solvers.formulations.relay_index import (
    HalfIndex,
    Horizon,
    Ints,
    ModuleGroups,
    TreeProgram,
    group_modules,
    refuse_copies,
)
from hffm_opt.solvers.formulations.relay_reach import SLACK, Reach
from hffm_opt.solvers.formulations.tree_problem import (
    WAYS,
    Bools,
    Direction,
    TreeProblem,
    half_of,
)


def build(problem: TreeProblem, horizon: Horizon, *, with_time: bool = True, reach: Reach | None = None) -> TreeProgram:
    """Build the program; ``with_time=False`` leaves latency out where neither objective nor limit asks for
    it, and ``reach`` is that of the only direction, where it is known.
    """
    refuse_copies(problem)
    builder = ModelBuilder()
    groups = group_modules(problem)
    time = int(builder.add_columns(1, upper=horizon.time_s / horizon.time_unit_s, name="T")[0])
    energy = int(builder.add_columns(1, upper=horizon.energy_j / horizon.energy_unit_j, name="J")[0])
    heads: dict[int, int] = {}
    if len(problem.roots) > 1:
        columns = builder.add_columns(len(problem.roots), upper=1.0, integer=True, name="head")
        heads = dict(zip(problem.roots, columns.tolist(), strict=True))
        builder.add_rows(np.zeros(columns.size), columns, 1.0, lower=1.0, upper=1.0, name="one_head")
    floors = {direction: half_of(problem, direction).floor_s for direction in problem.directions}
    halves = tuple(
        _HalfBuilder(
            builder, problem, groups, direction, heads, horizon, horizon.time_s - others, with_time, reach
        ).add()
        for direction in problem.directions
        for others in [sum(floor for d, floor in floors.items() if d is not direction)]
    )
    times = [half.time for half in halves]
    signs = [1.0] + [-1.0] * len(times)
    builder.add_rows([0] * (1 + len(times)), [time, *times], signs, lower=0.0, upper=0.0, name="latency")
    columns_e, values_e = [np.array([energy])], [np.array([1.0])]
    for half in halves:
        joules = half.half.joules_per_bit[half.child, half.parent] / horizon.energy_unit_j
        for group, payload in enumerate(groups.payload_bit):
            there = half.carry[group] >= 0
            columns_e.append(half.carry[group][there])
            values_e.append(-payload * joules[there])
    columns_all = np.concatenate(columns_e)
    values_all = np.concatenate(values_e)
    builder.add_rows(np.zeros(columns_all.size), columns_all, values_all, lower=0.0, upper=0.0, name="energy")
    return TreeProgram(problem, builder.build(), halves, heads, time, energy, horizon)


class _HalfBuilder:
    """Adds one direction to the program; an object only to keep the shared indices at hand."""

    def __init__(
        self,
        builder: ModelBuilder,
        problem: TreeProblem,
        groups: ModuleGroups,
        direction: Direction,
        heads: dict[int, int],
        horizon: Horizon,
        time_limit_s: float,
        with_time: bool,
        reach: Reach | None,
    ) -> None:
        self.builder, self.problem, self.groups, self.heads = builder, problem, groups, heads
        self.direction, self.half = direction, half_of(problem, direction)
        self.way = WAYS[direction]
        self.horizon, self.time_limit_s, self.with_time = horizon, time_limit_s, with_time
        self.n, self.devices = problem.n, groups.devices
        self.reach = reach or Reach.of(problem, self.half)
        passes = self.reach.passes(time_limit_s if with_time else math.inf, horizon.energy_j)
        self.passes = passes.flow
        self.child, self.parent = np.nonzero(passes.usable)

    def add(self) -> HalfIndex:
        arcs, required = self.child.size, self.devices.size
        self.x = self.builder.add_columns(arcs, upper=1.0, integer=True, name=f"x_{self.way}")
        self.flow = np.full((required, arcs), -1, dtype=np.int64)
        for row, k in enumerate(self.devices):
            there = (self.parent != k) & self.passes[row, self.child, self.parent]
            self.flow[row, there] = self.builder.add_columns(int(there.sum()), upper=1.0, name=f"f_{self.way}")
        self.carry = self._carry_columns()
        self._tree_rows()
        self._flow_rows()
        self._link_rows()
        unit = self.horizon.time_unit_s
        top = max(self.time_limit_s, self.half.floor_s) / unit if self.with_time else math.inf
        floor = self.half.floor_s / unit
        self.time = int(self.builder.add_columns(1, lower=floor, upper=top, name=f"T_{self.way}")[0])
        potential = np.zeros(0, dtype=np.int64)
        if self.with_time:
            self._path_rows()
            self._continuation_rows()
            if not (self.groups.uniform and not self._relays_may_be_late()):
                potential = self._potential_rows()
        return HalfIndex(
            self.direction,
            self.half,
            self.child,
            self.parent,
            self.x,
            self.flow,
            self.carry,
            potential,
            self.half.ready_s,
            self.time,
        )

    def _carry_columns(self) -> Ints:
        """A group of one owner is carried where that owner's flow goes, a group of all owners wherever there
        is an arc.
        """
        carry = np.full((self.groups.payload_bit.size, self.child.size), -1, dtype=np.int64)
        for group, owned in enumerate(self.groups.owners.T):
            if owned.all():
                carry[group] = self.x
            elif owned.sum() == 1:
                carry[group] = self.flow[int(owned.argmax())]
            else:
                carry[group] = self.builder.add_columns(self.child.size, upper=1.0, name=f"c_{self.way}")
        return carry

    def _tree_rows(self) -> None:
        add, arcs = self.builder.add_rows, np.arange(self.child.size)
        for v in range(self.n):
            out = arcs[self.child == v]
            is_root = [self.heads[v]] if v in self.heads else []
            lone_root = self.problem.roots == (v,)
            columns = [*self.x[out], *is_root]
            needed = self.problem.required[v] and not lone_root
            least, name = 1.0 if needed else 0.0, f"parent_{self.way}"
            add([0] * len(columns), columns, 1.0, lower=least, upper=1.0, count=1, name=name)
        for v in range(self.n + 1):
            limit = self.problem.max_uplinks if v == self.n else self.problem.max_fan_in
            into = self.x[self.parent == v]
            if limit is not None and into.size > limit:
                add(np.zeros(into.size), into, 1.0, upper=float(limit), name=f"children_{self.way}")

    def _flow_rows(self) -> None:
        add = self.builder.add_rows
        for row, k in enumerate(self.devices):
            there = self.flow[row] >= 0
            columns, child, parent = self.flow[row][there], self.child[there], self.parent[there]
            inner = parent < self.n
            head_rows = np.array(list(self.heads), dtype=np.int64)
            head_columns = np.array(list(self.heads.values()), dtype=np.int64)
            supply = (np.arange(self.n) == k).astype(float)
            if self.problem.roots == (self.problem.roots[0],) and self.problem.roots[0] < self.n:
                supply[self.problem.roots[0]] -= 1.0
            add(
                np.concatenate([child, parent[inner], head_rows]),
                np.concatenate([columns, columns[inner], head_columns]),
                np.concatenate([np.ones(child.size), -np.ones(int(inner.sum())), np.ones(head_rows.size)]),
                lower=supply,
                upper=supply,
                count=self.n,
                name=f"flow_{self.way}",
            )
            if self.problem.max_hops is not None:
                most, name = float(self.problem.max_hops), f"hops_{self.way}"
                add(np.zeros(columns.size), columns, 1.0, upper=most, count=1, name=name)

    def _link_rows(self) -> None:
        """f <= c and c <= x, or f <= x for a device that owns no group of its own copies."""
        pairs: list[tuple[Ints, Ints]] = []
        own_copy = np.array([not owned.all() and owned.sum() > 1 for owned in self.groups.owners.T], dtype=bool)
        for row in range(self.devices.size):
            there = self.flow[row] >= 0
            mine = np.flatnonzero(self.groups.owners[row] & own_copy)
            pairs += [(self.flow[row][there], self.carry[group][there]) for group in mine]
            if not mine.size:
                pairs.append((self.flow[row][there], self.x[there]))
        pairs += [(self.carry[group], self.x) for group in np.flatnonzero(own_copy)]
        for low, high in pairs:
            row_index = np.tile(np.arange(low.size), 2)
            values = np.repeat([1.0, -1.0], low.size)
            both, name = np.concatenate([low, high]), f"link_{self.way}"
            self.builder.add_rows(row_index, both, values, upper=0.0, count=low.size, name=name)

    def _path_rows(self) -> None:
        unit, half = self.horizon.time_unit_s, self.half
        for row, k in enumerate(self.devices):
            there = self.flow[row] >= 0
            seconds = self.reach.seconds[k, self.child[there], self.parent[there]]
            columns = np.append(self.flow[row][there], self.time)
            values = np.append(-seconds / unit, 1.0)
            ready, name = half.ready_s[k] / unit, f"path_{self.way}"
            self.builder.add_rows(np.zeros(columns.size), columns, values, lower=ready, count=1, name=name)

    def _continuation_rows(self) -> None:
        """What enters a relay must leave it, and what leaves must have entered, over arcs that together are in time."""
        if len(self.problem.roots) > 1 or not math.isfinite(self.time_limit_s):
            return
        column = np.full(self.passes.shape, -1)
        for row in range(self.devices.size):
            there = self.flow[row] >= 0
            column[row, self.child[there], self.parent[there]] = self.flow[row][there]
        for j in range(self.n):
            into, out = column[:, :, j], column[:, j]
            both = (into >= 0)[:, :, None] & (out >= 0)[:, None, :]
            back = np.arange(self.n)[:, None] == np.arange(self.n + 1)
            late = both & ~back & (self.reach.onward(j) > self.time_limit_s * (1 + SLACK))
            fits = both & ~back & ~late
            origin = self.devices == j
            rows, i = np.nonzero(late.any(axis=2))
            self._cover(into[rows, i], out[rows], fits[rows, i])
            rows, m = np.nonzero(late.any(axis=1) & ~origin[:, None])
            self._cover(out[rows, m], into[rows], fits[rows, :, m])

    def _cover(self, columns: Ints, covering: Ints, fits: Bools) -> None:
        """Each of the columns [C] is at most the sum of those of ``covering`` [C, N] that ``fits`` [C, N] names."""
        each = np.arange(columns.size)
        rows, at = np.nonzero(fits)
        values = np.repeat([-1.0, 1.0], [each.size, rows.size])
        together = np.concatenate([columns, covering[rows, at]])
        order, name = np.concatenate([each, rows]), f"onward_{self.way}"
        self.builder.add_rows(order, together, values, lower=0.0, count=each.size, name=name)

    def _relays_may_be_late(self) -> bool:
        """Whether a device that owns nothing may still be training when the first sum could reach it."""
        relays = np.flatnonzero(~self.problem.required)
        return bool((self.half.ready_s[relays] > self.half.ready_s[self.devices].min(initial=math.inf)).any())

    def _potential_rows(self) -> Ints:
        unit, half, n = self.horizon.time_unit_s, self.half, self.n
        earliest = half.ready_s
        latest = np.maximum(self.time_limit_s - self.reach.remaining, earliest)
        name = f"R_{self.way}"
        potential = self.builder.add_columns(n, lower=earliest / unit, upper=latest / unit, name=name)
        at = np.append(potential, self.time)
        floor = np.append(earliest, half.floor_s)
        slack = np.maximum(latest[self.child] - floor[self.parent], 0.0) / unit
        delay = half.delay_s[self.child, self.parent] / unit
        seconds = half.seconds_per_bit[self.child, self.parent] / unit
        arcs = np.arange(self.child.size)
        rows = [arcs, arcs, arcs]
        columns = [at[self.parent], potential[self.child], self.x]
        values = [np.ones(arcs.size), -np.ones(arcs.size), -slack - delay]
        for group, payload in enumerate(self.groups.payload_bit):
            there = self.carry[group] >= 0
            rows.append(arcs[there])
            columns.append(self.carry[group][there])
            values.append(-payload * seconds[there])
        self.builder.add_rows(
            np.concatenate(rows),
            np.concatenate(columns),
            np.concatenate(values),
            lower=-slack,
            count=arcs.size,
            name=f"after_{self.way}",
        )
        self.builder.add_rows(
            np.tile(np.arange(n), 2),
            np.concatenate([np.full(n, self.time), potential]),
            np.repeat([1.0, -1.0], n),
            lower=0.0,
            name=f"end_{self.way}",
        )
        return potential
