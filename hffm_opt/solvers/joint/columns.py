"""Mixing known ways of all cells' rounds at least cost: the linear master of the column generation.

Each event of a cell's round is a block; its columns are priced ways with seconds before and after the cloud's meeting
and joules. The optimum puts a price on every cell's seconds, at which new ways are sought (:mod:`.generation`).

Source: Dantzig and Wolfe (1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.circulation import Weights
from hffm_opt.solvers.joint.phases import Point


@dataclass(frozen=True, eq=False)
class Column:
    """A way through an event: its route, one point per phase in the route's order, and what it costs in all."""

    route: int
    points: tuple[Point, ...]
    before_s: float
    after_s: float
    energy_j: float

    @property
    def shape(self) -> tuple[object, ...]:
        """Route and trees; columns of one shape may be mixed."""
        return (self.route, *((p.head, p.parents) for p in self.points))


@dataclass(frozen=True, eq=False)
class Block:
    """An event of a cell in a kind of round, with the columns found so far."""

    cell: int
    kind: int
    event: int
    columns: list[Column] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Mix:
    """An optimum of the master: its value, the columns' weights, and prices per block (s before, s after, J).

    ``charge`` is what the limits' own prices take off a Lagrangian bound.
    """

    value: float
    weights: list[Floats]
    before: Floats
    after: Floats
    energy: Floats
    charge: float


def mix_columns(calendar: Calendar, weights: Weights, cells: int, blocks: Sequence[Block], even: float) -> Mix | None:
    """Mix the blocks' columns at least cost within the limits; ``None`` where they admit no mix.

    Args:
        calendar: how kinds of round make up a cycle.
        weights: objective and limits.
        cells: number of cells.
        blocks: the columns of every event.
        even: share of each span's worth that is spread evenly over the cells; any share keeps a Lagrangian bound valid,
            some of it steadies the prices and keeps the time of no cell free.
    """
    endings: tuple[int | None, ...] = calendar.endings or (None,)
    per_round = calendar.counts / calendar.length
    starts = np.concatenate([[0], np.cumsum([len(b.columns) for b in blocks])]).astype(np.int64)
    width = int(starts[-1]) + 2 * len(endings)
    latency, energy = np.zeros(width), np.zeros(width)
    worth = np.repeat([1.0 / calendar.length if e is None else float(per_round[e]) for e in endings], 2)
    latency[starts[-1] :] = worth
    factors = [segment_factor(calendar, ending) for ending in endings]
    matrix = np.zeros((2 * cells * len(endings), width))
    for k in range(2 * len(endings)):
        matrix[k * cells : (k + 1) * cells, starts[-1] + k] = -1.0
    for b, block in enumerate(blocks):
        where = slice(starts[b], starts[b + 1])
        energy[where] = [c.energy_j * per_round[block.kind] for c in block.columns]
        for k, ending in enumerate(endings):
            matrix[2 * k * cells + block.cell, where] = [c.before_s * factors[k][block.kind] for c in block.columns]
            if ending == block.kind:
                matrix[(2 * k + 1) * cells + block.cell, where] = [c.after_s for c in block.columns]
    limits = [(latency, weights.max_latency_s), (energy, weights.max_energy_j)]
    bounded = [(row, limit) for row, limit in limits if np.isfinite(limit)]
    choose = np.zeros((len(blocks), width))
    for b in range(len(blocks)):
        choose[b, starts[b] : starts[b + 1]] = 1.0
    answer = linprog(
        weights.latency * latency + weights.energy * energy,
        A_ub=np.vstack([matrix, *(row[None, :] for row, _ in bounded)]),
        b_ub=np.concatenate([np.zeros(len(matrix)), [limit for _, limit in bounded]]),
        A_eq=choose,
        b_eq=np.ones(len(blocks)),
    )
    if answer.status != 0 or answer.fun is None:
        return None
    dual = np.maximum(-np.asarray(answer.ineqlin.marginals), 0.0)
    extra = dict(zip([id(row) for row, _ in bounded], dual[len(matrix) :], strict=True))
    extra_s, extra_j = extra.get(id(latency), 0.0), extra.get(id(energy), 0.0)
    worths = (weights.latency + extra_s) * worth
    price = _capped(dual[: len(matrix)].reshape(2 * len(endings), cells), worths)
    price = (1 - even) * price + even * worths[:, None] / cells
    before, after = np.zeros((cells, calendar.top + 1)), np.zeros((cells, calendar.top + 1))
    for k, ending in enumerate(endings):
        before += price[2 * k][:, None] * factors[k][None, :]
        if ending is not None:
            after[:, ending] += price[2 * k + 1]
    return Mix(
        value=float(answer.fun),
        weights=[np.asarray(answer.x)[starts[b] : starts[b + 1]] for b in range(len(blocks))],
        before=before,
        after=after,
        energy=(weights.energy + extra_j) * per_round,
        charge=sum(float(extra[id(row)]) * limit for row, limit in bounded),
    )


def segment_factor(calendar: Calendar, ending: int | None) -> Floats:
    """Return how many rounds of each kind a segment holds."""
    factor = np.array(calendar.interior)
    if ending is not None:
        factor[ending] += 1.0
    return factor


def _capped(price: Floats, worth: Floats) -> Floats:
    """Return prices whose sum over cells is at most the span's worth, which rounding may have exceeded."""
    total = price.sum(axis=1)
    scale = np.where(total > worth, worth / np.where(total > 0, total, 1.0), 1.0)
    return np.asarray(price * scale[:, None])


def shapes_by_weight(block: Block, weight: Floats) -> list[tuple[object, ...]]:
    """Return the shapes of a block's columns, the weightiest first."""
    share: dict[tuple[object, ...], float] = {}
    for column, part in zip(block.columns, weight, strict=False):
        share[column.shape] = share.get(column.shape, 0.0) + float(part)
    return sorted(share, key=lambda shape: (-share[shape], repr(shape)))
