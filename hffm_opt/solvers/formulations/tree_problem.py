"""One cell's relay-tree problem and its answer.

Devices are nodes 0..n-1, the edge server is node n. A module event gathers module sums up an arborescence
into the root and scatters the average down a broadcast tree. With ``A_v`` the modules owned in the subtree of
v (v included) and ``load_v = sum of payload_bit over A_v``:

    gather    R_v = max(ready_v, max over children w of R_w + delay_wv + load_w * seconds_per_bit_wv)  [s]
              T_up = max(R_root, ready_u for every device u of the cell)
    scatter   S_root = 0, S_v = S_p + delay_pv + load_v * seconds_per_bit_pv (p parent of v), T_down = max S_v
    energy    E = sum over arcs of load_v * joules_per_bit  [J]

A relay forwards the sum of what it receives (in-network aggregation), unless ``presum_depth`` limits that for a module
m: then an arc of a gathering tree carries ``copies(v, m)`` copies of it, which count in its load. With the height of v
among the nodes in whose subtree somebody owns m (0 at a leaf),

    copies(v, m) = 1 where height(v, m) <= presum_depth_m, else [v owns m] + sum over children w of copies(w, m)

Source: docs/physics.md, docs/formulations.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hffm_opt.errors import Finding, InfeasibleError, InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Direction(StrEnum):
    """Which trees an event needs."""

    GATHER = "gather"
    SCATTER = "scatter"
    BOTH = "both"


WAYS = {Direction.GATHER: "up", Direction.SCATTER: "down"}
"""What names of rows and columns call a direction."""


@dataclass(frozen=True, eq=False)
class TreeProblem:
    """A cell of n devices, the links between them and to the edge server, and the modules of one event.

    ``seconds_per_bit``, ``joules_per_bit`` and ``delay_s`` are [n+1, n+1] with row = transmitter, column =
    receiver; an arc exists where ``seconds_per_bit`` is finite. ``payload_bit`` is [M], ``owners`` [n, M] and
    ``ready_s`` [n] (end of training). ``roots`` is ``(n,)`` for the edge server or the devices that may
    become the head. Limits count arcs on a path (``max_hops``), children of a device (``max_fan_in``) and of
    the edge server (``max_uplinks``), in both directions. ``presum_depth`` [M] is infinite without a limit; with
    ``side_by_side`` copies pass each other, so that latency counts one of each module and only energy counts all.

    Raises :class:`InputError` with every fault of shape, sign or finiteness.
    """

    seconds_per_bit: Floats
    joules_per_bit: Floats
    payload_bit: Floats
    owners: Bools
    roots: tuple[int, ...]
    direction: Direction = Direction.GATHER
    ready_s: Floats = field(default_factory=lambda: np.zeros(0))
    delay_s: Floats = field(default_factory=lambda: np.zeros(0))
    max_hops: int | None = None
    max_fan_in: int | None = None
    max_uplinks: int | None = None
    presum_depth: Floats = field(default_factory=lambda: np.zeros(0))
    side_by_side: bool = False
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        owners = np.array(self.owners, dtype=bool)
        n = owners.shape[0]
        fill = {
            "owners": owners,
            "seconds_per_bit": np.array(self.seconds_per_bit, dtype=np.float64),
            "joules_per_bit": np.array(self.joules_per_bit, dtype=np.float64),
            "payload_bit": np.array(self.payload_bit, dtype=np.float64),
            "ready_s": _or_zeros(self.ready_s, (n,)),
            "delay_s": _or_zeros(self.delay_s, (n + 1, n + 1)),
        }
        unlimited = np.full(fill["payload_bit"].shape, np.inf)
        fill["presum_depth"] = np.array(self.presum_depth, dtype=float) if np.size(self.presum_depth) else unlimited
        for name, array in fill.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "roots", tuple(int(root) for root in self.roots))
        object.__setattr__(self, "direction", Direction(self.direction))
        object.__setattr__(self, "names", tuple(self.names) or tuple(f"device {v}" for v in range(n)))
        findings = _findings(self)
        if findings:
            raise InputError(findings)

    @property
    def n(self) -> int:
        """Number of devices, and the index of the edge server."""
        return int(self.owners.shape[0])

    @property
    def head_is_device(self) -> bool:
        """Whether the root is a device to be chosen, and not the edge server."""
        return self.roots != (self.n,)

    @property
    def required(self) -> Bools:
        """Devices [n] that own a module of the event and so must be in the tree."""
        return np.asarray(self.owners.any(axis=1))

    @property
    def forwards(self) -> bool:
        """Whether an arc of some gathering tree may have to carry several copies of a module."""
        several = (self.owners.sum(axis=0) > 1) & (self.payload_bit > 0)
        gathers = self.direction is not Direction.SCATTER
        # No node that sends is higher than n - 1.
        return gathers and bool((several & (self.presum_depth < self.n - 1)).any())

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The trees to be found, one by one."""
        return (Direction.GATHER, Direction.SCATTER) if self.direction is Direction.BOTH else (self.direction,)


@dataclass(frozen=True)
class TreeHalf:
    """One direction with arcs read child to parent, so that gathering and scattering are the same problem.

    The latency of either is ``max(floor_s, max over v in the tree of ready_v + sum along v's path)``, because
    every tree path's arcs are travelled one after another; arrays as in :class:`TreeProblem`, but [n, n+1] by
    child and parent. ``copies`` says that an arc may have to carry several copies of a module.
    """

    seconds_per_bit: Floats
    joules_per_bit: Floats
    delay_s: Floats
    ready_s: Floats
    floor_s: float
    copies: bool = False


def half_of(problem: TreeProblem, direction: Direction) -> TreeHalf:
    """Return one direction of the problem with its arcs read child to parent."""
    n = problem.n
    arrays = (problem.seconds_per_bit, problem.joules_per_bit, problem.delay_s)
    if direction is Direction.GATHER:
        spb, jpb, delay = (array[:n] for array in arrays)
        return TreeHalf(spb, jpb, delay, problem.ready_s, float(problem.ready_s.max(initial=0.0)), problem.forwards)
    spb, jpb, delay = (array.T[:n] for array in arrays)
    return TreeHalf(spb, jpb, delay, np.zeros(n), 0.0)


@dataclass(frozen=True)
class TreeSolution:
    """A head with its trees and what they cost.

    ``up_parent[v]`` is who v sends to and ``down_parent[v]`` who v hears from: a device, n for the edge
    server, -1 for the head and for devices outside the tree; empty where the problem does not ask for that
    direction.
    """

    head: int | None
    up_parent: tuple[int, ...]
    down_parent: tuple[int, ...]
    time_s: float
    energy_j: float


def check_reachable(problem: TreeProblem) -> None:
    """Raise :class:`InfeasibleError` naming every owner that no allowed root can be reached from (or reached
    by).
    """
    n, required = problem.n, problem.required
    best: list[Finding] | None = None
    for root in problem.roots:
        findings: list[Finding] = []
        for direction in problem.directions:
            half = half_of(problem, direction)
            cut = required & ~_reaching(np.isfinite(half.seconds_per_bit), root)
            cut[root : root + 1] = False
            verb = "cannot reach" if direction is Direction.GATHER else "cannot be reached from"
            goal = "the edge server" if root == n else f"head {problem.names[root]}"
            findings += [
                Finding(
                    f"devices.{problem.names[v]}",
                    f"{problem.names[v]} owns a module and {verb} {goal}",
                    "add a link, or take its modules out of this event",
                )
                for v in np.flatnonzero(cut)
            ]
        if not findings:
            return
        if best is None or len(findings) < len(best):
            best = findings
    raise InfeasibleError(best or [])


def _reaching(arcs: Bools, root: int) -> Bools:
    """Return which devices reach ``root`` over child-to-parent ``arcs`` [n, n+1]; the edge server forwards
    nothing.
    """
    n = arcs.shape[0]
    reach = np.zeros(n + 1, dtype=bool)
    reach[root] = True
    links = arcs.copy()
    if root != n:
        links[:, n] = False
    links[np.arange(n), np.arange(n)] = False
    for _ in range(n):
        reach[:n] |= (links & reach).any(axis=1)
    return reach[:n]


def _or_zeros(values: Floats, shape: tuple[int, ...]) -> Floats:
    return np.array(values, dtype=np.float64) if np.size(values) else np.zeros(shape)


def _findings(problem: TreeProblem) -> list[Finding]:
    n, modules = problem.n, problem.payload_bit.size
    found: list[Finding] = []

    def need(ok: bool, path: str, message: str, repair: str) -> None:
        if not ok:
            found.append(Finding(path, message, repair))

    need(n > 0, "owners", "the cell has no device", "give at least one row")
    shapes = {
        "seconds_per_bit": (n + 1, n + 1),
        "joules_per_bit": (n + 1, n + 1),
        "delay_s": (n + 1, n + 1),
        "owners": (n, modules),
        "ready_s": (n,),
        "presum_depth": (modules,),
    }
    for name, shape in shapes.items():
        actual = getattr(problem, name).shape
        need(actual == shape, name, f"shape {actual}", f"give shape {shape}")
    if found:
        return found
    arcs = np.isfinite(problem.seconds_per_bit)
    need(
        not np.isnan(problem.seconds_per_bit).any(),
        "seconds_per_bit",
        "is not a number",
        "use inf for an absent link",
    )
    for name in ("joules_per_bit", "delay_s"):
        need(
            bool(np.isfinite(getattr(problem, name)[arcs]).all()),
            name,
            "not finite on a link",
            "give a finite value",
        )
    for name in ("payload_bit", "ready_s"):
        need(bool(np.isfinite(getattr(problem, name)).all()), name, "not finite", "give finite values")
    for name in ("seconds_per_bit", "joules_per_bit", "delay_s", "payload_bit", "ready_s"):
        need(not (getattr(problem, name) < 0).any(), name, "negative", "give values of at least 0")
    need(bool((problem.presum_depth >= 0).all()), "presum_depth", "negative", "give at least 0, or inf")
    edge_root = problem.roots == (n,)
    device_roots = bool(problem.roots) and all(0 <= root < n for root in problem.roots)
    need(edge_root or device_roots, "roots", f"{problem.roots}", f"give ({n},) or devices below {n}")
    need(len(set(problem.roots)) == len(problem.roots), "roots", "a root is named twice", "name each once")
    for name in ("max_hops", "max_fan_in", "max_uplinks"):
        limit = getattr(problem, name)
        need(limit is None or limit >= 1, name, f"{limit} forbids every tree", "give at least 1, or None")
    need(len(problem.names) == n, "names", f"{len(problem.names)} names for {n} devices", "name every device")
    return found
