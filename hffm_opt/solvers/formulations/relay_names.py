"""Names of a relay-tree program's columns, for files that other tools read."""

from __future__ import annotations

import numpy as np

from hffm_opt.solvers.engines.file_names import numbered
from hffm_opt.solvers.formulations.relay_index import TreeProgram
from hffm_opt.solvers.formulations.tree_problem import WAYS


def column_names(program: TreeProgram, root_name: str) -> list[str]:
    """Return a name for every column.

    ``T`` and ``J`` are latency and energy in the program's units, ``head[v]`` marks the root; per direction (``up``,
    ``down``) ``x[child,parent]`` is the tree, ``f[k,child,parent]`` device k's flow, ``c[g,child,parent]`` whether the
    arc carries module group g, ``R[v]`` when v has everything, ``T_up`` the latency.

    Args:
        program: as built.
        root_name: name of the node after the devices.
    """
    problem = program.problem
    names = numbered(program.model.families[0])
    node = (*problem.names, root_name)
    devices = np.flatnonzero(problem.required)
    for half in program.halves:
        way = WAYS[half.direction]
        arcs = [f"{node[child]},{node[parent]}" for child, parent in zip(half.child, half.parent, strict=True)]
        # Where one variable plays several parts, the tree's name is the one to keep: it is written last.
        for g, row in enumerate(half.carry):
            for arc, column in zip(arcs, row, strict=True):
                if column >= 0:
                    names[column] = f"c_{way}[{g},{arc}]"
        for k, row in zip(devices, half.flow, strict=True):
            for arc, column in zip(arcs, row, strict=True):
                if column >= 0:
                    names[column] = f"f_{way}[{node[k]},{arc}]"
        for arc, column in zip(arcs, half.x, strict=True):
            names[column] = f"x_{way}[{arc}]"
        for v, column in enumerate(half.potential):
            names[column] = f"R_{way}[{node[v]}]"
        names[half.time] = f"T_{way}"
    for root, column in program.heads.items():
        names[column] = f"head[{node[root]}]"
    names[program.time], names[program.energy] = "T", "J"
    return names
