"""The referee of walks: islands, links, stochastic rows, stationary law and moduli, found anew in plain numpy.

It knows nothing of the program that found a chain. The modulus is that of the eigenvalues of P itself, where the
planner takes those of the symmetric matrix that is similar to it; Kemeny's constant is found from mean first-passage
times, one linear system to each device, where the planner has it from eigenvalues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hffm_opt.errors import Finding, InputError
from hffm_opt.plan.limits import TOLERANCE
from hffm_opt.plan.walks import Island, Kemeny, WalkPlan
from hffm_opt.problem.model import Problem

Floats = NDArray[np.float64]


def second_modulus(transition: ArrayLike) -> float:
    """Return the second largest modulus of a stochastic matrix's eigenvalues; 0 of a single state.

    Example:
        >>> round(second_modulus([[0.75, 0.25], [0.25, 0.75]]), 12)
        0.5
    """
    moduli = np.sort(np.abs(np.linalg.eigvals(np.asarray(transition, dtype=float))))
    return float(moduli[-2]) if len(moduli) > 1 else 0.0


def passage_times(transition: ArrayLike) -> Floats:
    """Return a chain's mean steps [n, n] from state i until it first stands on j, 0 to itself; inf if it may never.

    Example:
        >>> passage_times([[0.75, 0.25], [0.5, 0.5]]).tolist()
        [[0.0, 4.0], [2.0, 0.0]]
    """
    moves = np.asarray(transition, dtype=float)
    n = len(moves)
    times = np.zeros((n, n))
    for j in range(n):
        others = np.arange(n) != j
        try:
            times[others, j] = np.linalg.solve(np.eye(n - 1) - moves[np.ix_(others, others)], np.ones(n - 1))
        except np.linalg.LinAlgError:
            times[others, j] = np.inf
    return times


def check_walk(problem: Problem, plan: WalkPlan) -> None:
    """Check a plan of walks against the network that it is for.

    Raises:
        InputError: it is for another scenario; else with every fault: devices that stand nowhere or twice, steps
            without a link both ways, rows that are no probabilities, a law that the chain does not keep, a modulus or
            Kemeny constant that is not the chain's or is below its bound, or no step at all.
    """
    if plan.scenario.fingerprint != problem.fingerprint:
        message = f"the walk was planned for '{plan.scenario.name}', or for another state of this scenario"
        raise InputError.one("scenario", message, "plan it anew: hffm plan S --for walks")
    findings = list(_partition(problem, plan))
    if not findings:
        findings = [found for i, island in enumerate(plan.islands) for found in _island(problem, island, i)]
    if not findings and not any(
        k != j and p for i in plan.islands for k, row in enumerate(i.transition) for j, p in enumerate(row)
    ):
        findings = [Finding("islands", "no module ever leaves its device", "plan a chain that moves")]
    if findings:
        raise InputError(findings)


def _partition(problem: Problem, plan: WalkPlan) -> Iterator[Finding]:
    """Every device stands on one island."""
    told = Counter(name for island in plan.islands for name in island.devices)
    known = [device.name for device in problem.scenario.devices]
    for name in sorted(told.keys() - set(known)):
        yield Finding("islands", f"no device is named '{name}'", "use the scenario's devices")
    for name in known:
        if told[name] != 1:
            yield Finding("islands", f"device '{name}' stands on {told[name]} islands", "put it on one")


def _island(problem: Problem, island: Island, number: int) -> Iterator[Finding]:
    path, n = f"islands[{number}]", len(island.devices)
    if len(island.law) != n or len(island.transition) != n or any(len(row) != n for row in island.transition):
        yield Finding(path, f"{n} devices need {n} x {n} probabilities and a law of {n}", "give one for each")
        return
    moves, law = np.array(island.transition), np.array(island.law)
    linked = _links(problem, island)
    for i, j in np.argwhere((moves > 0) & ~linked):
        step = f"{island.devices[i]} -> {island.devices[j]}"
        yield Finding(f"{path}.transition[{i}][{j}]", f"there are no links both ways for {step}", "set it to 0")
    if abs(moves.sum(axis=1) - 1).max() > TOLERANCE or abs(law.sum() - 1) > TOLERANCE:
        yield Finding(path, "a row or the law does not sum to 1", "give probabilities")
        return
    if abs(law @ moves - law).max() > TOLERANCE:
        yield Finding(f"{path}.law", "the chain does not keep it", "give the chain's stationary law")
    found = second_modulus(moves)
    if abs(found - island.slem) > TOLERANCE:
        yield Finding(f"{path}.slem", f"the chain's modulus is {found:.9g}, not {island.slem:.9g}", "plan it anew")
    if island.bound is not None and island.bound > found + TOLERANCE:
        message = f"the chain's modulus {found:.9g} is below the bound {island.bound:.9g}"
        yield Finding(f"{path}.bound", message, "plan it anew")
    if island.kemeny is not None:
        yield from _kemeny(island.kemeny, moves, law, f"{path}.kemeny")


def _kemeny(told: Kemeny, moves: Floats, law: Floats, path: str) -> Iterator[Finding]:
    """From every state the mean steps to one drawn by the law are the constant."""
    times = passage_times(moves)
    found = times @ law if np.isfinite(times).all() else np.full(len(law), np.inf)
    if np.abs(found - told.constant).max() > TOLERANCE * max(1.0, told.constant):
        message = f"the chain takes {found.max():.9g} steps to a device drawn by its law, not {told.constant:.9g}"
        yield Finding(f"{path}.constant", message, "plan it anew")
    if told.bound > told.constant * (1 + TOLERANCE):
        message = f"the chain's {told.constant:.9g} steps are below the bound {told.bound:.9g}"
        yield Finding(f"{path}.bound", message, "plan it anew")


def _links(problem: Problem, island: Island) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return which devices of an island reach each other both ways, themselves included, [n, n]."""
    n = len(island.devices)
    linked = np.eye(n, dtype=bool)
    for cell in problem.cells:
        rows = {name: k for k, name in enumerate(cell.names)}
        mine = [(i, rows[name]) for i, name in enumerate(island.devices) if name in rows]
        for i, a in mine:
            for j, b in mine:
                linked[i, j] |= bool(cell.d2d_gain[a, b] > 0 and cell.d2d_gain[b, a] > 0)
    return linked
