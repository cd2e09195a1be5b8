"""Cone programs as files: the Conic Benchmark Format (CBF, version 3), which knows the exponential cone.

    minimise  c'x + d   subject to  G x + h in K,   K a product of {0}, R_+, second-order and exponential cones

cvxpy brings a program to ``b - A x in K`` for Clarabel; this file writes that down. MPS and LP have no words for an
exponential cone. In CBF it is ``{(t, s, r): t >= s e^(r/s)}``, in cvxpy the same in reverse order.

Source: H. A. Friberg, CBLIB 2014: a benchmark library for conic mixed-integer and continuous optimization,
doi:10.1007/s12532-015-0092-4; its format's version 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
from scipy import sparse

from hffm_opt.errors import InputError
from hffm_opt.serial import write_text


def write_cone_program(program: cp.Problem, path: Path) -> tuple[int, int]:
    """Write a convex program's canonical form to a ``.cbf`` file; return its rows and columns.

    Raises:
        InputError: it needs a cone that is not written here (semidefinite or power).
    """
    data: dict[str, Any]
    data, _, inverse = program.get_problem_data(cp.CLARABEL, solver_opts={"use_quad_obj": False})
    dims = data["dims"]
    if dims.psd or dims.p3d:
        raise InputError.one(str(path), "semidefinite and power cones are not written", "reformulate the program")
    given = sparse.csr_array(-data["A"])
    constants = np.asarray(data["b"], dtype=float)
    # Rows of exponential cones stand last and change their order within each cone.
    first = dims.zero + dims.nonneg + sum(dims.soc)
    order = np.concatenate([np.arange(first), first + np.arange(3 * dims.exp).reshape(-1, 3)[:, ::-1].ravel()])
    rows, constants = sparse.coo_array(given[order]), constants[order]
    cones = [("L=", dims.zero), ("L+", dims.nonneg), *(("Q", size) for size in dims.soc), *[("EXP", 3)] * dims.exp]
    cones = [(name, int(size)) for name, size in cones if size]
    cost = np.asarray(data["c"], dtype=float)
    used = np.flatnonzero(cost)
    h_used = np.flatnonzero(constants)
    lines = ["# Written by hffm_opt.", *_named_columns(program, data), "VER", "3", "", "OBJSENSE", "MIN", ""]
    lines += ["VAR", f"{cost.size} 1", f"F {cost.size}", ""]
    lines += ["CON", f"{constants.size} {len(cones)}", *(f"{name} {size}" for name, size in cones), ""]
    lines += ["OBJACOORD", str(used.size), *(f"{j} {float(cost[j])!r}" for j in used), ""]
    lines += ["OBJBCOORD", repr(float(inverse[-1]["offset"])), ""]
    entries = zip(rows.row.tolist(), rows.col.tolist(), rows.data.tolist(), strict=True)
    lines += ["ACOORD", str(rows.nnz), *(f"{i} {j} {value!r}" for i, j, value in entries), ""]
    lines += ["BCOORD", str(h_used.size), *(f"{i} {float(constants[i])!r}" for i in h_used), ""]
    write_text(path, "\n".join(lines))
    return int(constants.size), int(cost.size)


def _named_columns(program: cp.Problem, data: dict[str, Any]) -> list[str]:
    """Return comments that say which columns are the program's own variables; the format has no names."""
    own = {variable.name() for variable in program.variables()}
    first = data["param_prob"].var_id_to_col
    placed = sorted((int(first[v.id]), v.size, v.name()) for v in data["param_prob"].variables if v.name() in own)
    return [f"# columns {at} to {at + size - 1}: {name}" for at, size, name in placed]
