"""Trees of a plan in index form: checked for shape, ready for the referee and for the executor.

Nodes of a cell with n devices: 0..n-1 the devices, n the edge, n + 1 the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.plan.model import Arc, Tree
from hffm_opt.problem.model import Bools, Cell
from hffm_opt.scenario.model import CLOUD


@dataclass(frozen=True, eq=False)
class IndexedTree:
    """A checked tree. ``order`` lists its device nodes from the leaves to the root; ``arc[v]`` joins v to its parent.

    ``members[v, u]``: device u is in the subtree of v (v included).
    """

    root: int
    order: tuple[int, ...]
    parent: dict[int, int]
    arc: dict[int, Arc]
    members: Bools
    relay: Literal["sum", "forward"]
    uplink_charge: Literal["own", "mean"]


def node_names(cell: Cell) -> dict[str, int]:
    """Return the index of every node that a cell's trees may name."""
    return {name: i for i, name in enumerate((*cell.names, cell.edge.name, CLOUD))}


def index_tree(cell: Cell, tree: Tree, root: int, required: Bools, outward: bool, path: str) -> IndexedTree:
    """Check the shape of a tree and return it in index form.

    Args:
        cell: the cell.
        tree: arcs towards the root (``outward`` false) or away from it (true).
        root: index of the root.
        required: [n] devices that must be in the tree.
        outward: direction of the arcs.
        path: where the tree stands in the plan, for errors.

    Raises:
        InputError: unknown node, several parents, a cycle, a radio link without band or power, or a required device
            that is left out.
    """
    if outward and tree.relay == "forward":
        raise InputError.one(f"{path}.relay", "a broadcast carries one copy of each module", "use relay: sum")
    nodes = node_names(cell)
    parent: dict[int, int] = {}
    arc: dict[int, Arc] = {}
    for i, item in enumerate(tree.arcs):
        for name in (item.source, item.target):
            if name not in nodes:
                raise InputError.one(
                    f"{path}.arcs[{i}]", f"'{name}' is not a node of cell {cell.edge.name}", "name one"
                )
        if CLOUD not in (item.source, item.target) and (item.bandwidth_hz is None or item.power_w is None):
            raise InputError.one(
                f"{path}.arcs[{i}]", "a radio link needs bandwidth_hz and power_w", "give both (null is for the cloud)"
            )
        child, up = nodes[item.source], nodes[item.target]
        if outward:
            child, up = up, child
        if child == root:
            raise InputError.one(f"{path}.arcs[{i}]", "the root has no parent", "remove this arc or turn it round")
        if child >= cell.size:
            raise InputError.one(f"{path}.arcs[{i}]", "only devices hang below a parent", "turn the arc round")
        if child in parent:
            raise InputError.one(
                f"{path}.arcs[{i}]", f"device '{cell.names[child]}' has two parents", "keep one of its arcs"
            )
        parent[child], arc[child] = up, item
    order = _leaves_first(cell, parent, root, path)
    members = np.zeros((cell.size + 2, cell.size), dtype=bool)
    members[np.arange(cell.size), np.arange(cell.size)] = True
    for node in order:
        members[parent[node]] |= members[node]
    missing = [cell.names[v] for v in np.flatnonzero(required) if v not in parent and v != root]
    if missing:
        raise InputError.one(
            path,
            f"{', '.join(missing)} owns a module of this event but is not in the tree",
            "join it to the tree",
        )
    return IndexedTree(root, order, parent, arc, members, tree.relay, tree.uplink_charge)


def _leaves_first(cell: Cell, parent: dict[int, int], root: int, path: str) -> tuple[int, ...]:
    depth: dict[int, int] = {root: 0}
    for start in parent:
        trail = []
        node = start
        while node not in depth:
            trail.append(node)
            if node not in parent:
                name = cell.names[node] if node < cell.size else "the edge or cloud"
                raise InputError.one(path, f"{name} has no way to the root", "give it an arc towards the root")
            node = parent[node]
            if node in trail:
                ring = " -> ".join(cell.names[v] for v in (*trail[trail.index(node) :], node))
                raise InputError.one(
                    path, f"the tree has a cycle: {ring}", "break it so that all arcs lead to the root"
                )
        for up in reversed(trail):
            depth[up] = depth[parent[up]] + 1
    return tuple(sorted(parent, key=lambda v: (-depth[v], v)))
