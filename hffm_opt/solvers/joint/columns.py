"""Mixing known ways of all cells' rounds at least cost: the linear master of the column generation.

Each event of a cell's round is a block; its columns are priced ways with seconds before and after the cloud's meeting
and joules. The optimum puts a price on every cell's seconds, at which new ways are sought (:mod:`.generation`).

Source: Dantzig and Wolfe (1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.engines.highs import HighsModel, HighsOptions
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.duals import Duals
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.phases import Point

Shape = tuple[object, ...]
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Column:
    """A way through an event: its route, one point per phase in the route's order, and what it costs in all."""

    route: int
    points: tuple[Point, ...]
    before_s: float
    after_s: float
    energy_j: float

    @property
    def shape(self) -> Shape:
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
    """An optimum of the master: its value, the columns' weights, and its prices (``charge`` is as wide as the engine's
    tolerance keeps the limits).
    """

    value: float
    weights: list[Floats]
    duals: Duals


@dataclass(frozen=True, eq=False)
class _Table:
    """The rows that columns and spans share: variables are shares of columns, then spans in units of ``unit_s``."""

    rows: sparse.csr_array
    choose: sparse.csr_array
    latency: Floats
    energy: Floats
    worth: Floats
    unit_s: float
    limits: list[tuple[Floats, float]]

    @classmethod
    def of(cls, calendar: Calendar, weights: Weights, cells: int, blocks: Sequence[Block]) -> _Table:
        segments = calendar.segments
        per_round = calendar.counts / calendar.length
        sizes = [len(b.columns) for b in blocks]
        columns, spans = sum(sizes), 2 * len(segments)
        block = np.repeat(np.arange(len(blocks)), sizes)
        cell, kind = (
            np.repeat([getattr(b, name) for b in blocks], sizes).astype(np.int64) for name in ("cell", "kind")
        )
        before, after, joules = (
            np.array([getattr(c, name) for b in blocks for c in b.columns])
            for name in ("before_s", "after_s", "energy_j")
        )
        unit_s = max((min(c.before_s + c.after_s for c in b.columns) for b in blocks), default=0.0) or 1.0
        worth = np.repeat([segment.share for segment in segments], 2)
        latency = np.concatenate([np.zeros(columns), worth * unit_s])
        energy = np.concatenate([joules * per_round[kind], np.zeros(spans)])
        at, column = np.arange(cells), np.arange(columns)
        entries = [(k * cells + at, np.full(cells, columns + k), np.full(cells, -1.0)) for k in range(spans)]
        for k, segment in enumerate(segments):
            entries.append((2 * k * cells + cell, column, before / unit_s * segment.rounds[kind]))
            if segment.ending is not None:
                ends = kind == segment.ending
                entries.append(((2 * k + 1) * cells + cell[ends], column[ends], after[ends] / unit_s))
        row, where, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        limits = [(latency, weights.max_latency_s), (energy, weights.max_energy_j)]
        bounded = [(row, limit) for row, limit in limits if np.isfinite(limit)]
        return cls(
            sparse.csr_array((value, (row, where)), shape=(spans * cells, columns + spans)),
            sparse.csr_array((np.ones(columns), (block, column)), shape=(len(blocks), columns + spans)),
            latency,
            energy,
            worth,
            unit_s,
            bounded,
        )

    @property
    def limit_rows(self) -> Floats:
        """Limits as rows that must not exceed 1."""
        return np.array([row / limit for row, limit in self.limits]).reshape(len(self.limits), self.latency.size)

    def limit_prices(self, dual: Floats) -> tuple[float, float]:
        """Return what the limits add to the price of a second and of a joule, from the duals of their rows."""
        extra = {id(row): price / limit for (row, limit), price in zip(self.limits, dual, strict=True)}
        return extra.get(id(self.latency), 0.0), extra.get(id(self.energy), 0.0)


def _beside(*parts: sparse.csr_array | Floats) -> sparse.csr_array:
    """Return matrices side by side."""
    return sparse.csr_array(sparse.hstack([sparse.csr_array(part) for part in parts]))


def mix_columns(
    calendar: Calendar, weights: Weights, cells: int, blocks: Sequence[Block], even: float, elastic: bool = False
) -> Mix | None:
    """Mix the blocks' columns at least cost within the limits; ``None`` where they admit no mix.

    Args:
        calendar: how kinds of round make up a cycle.
        weights: objective and limits.
        cells: number of cells.
        blocks: the columns of every event.
        even: share of each span's worth that is spread evenly over the cells; any share keeps a Lagrangian bound valid,
            some of it steadies the prices and keeps the time of no cell free.
        elastic: minimise the sum of the limits' relative excesses instead of the cost.
    """
    table = _Table.of(calendar, weights, cells, blocks)
    per_second, per_joule = (0.0, 0.0) if elastic else (weights.latency, weights.energy)
    cost = per_second * table.latency + per_joule * table.energy
    # The engine's tolerances are absolute, so everything is brought near one.
    unit = float(np.abs(cost).max(initial=0.0)) or 1.0
    held, bounded, width = table.rows.shape[0], len(table.limits), table.latency.size
    slack = bounded if elastic else 0
    ease = np.vstack([np.zeros((held, bounded)), -np.eye(bounded)])[:, :slack]
    rows = sparse.vstack([table.rows, sparse.csr_array(table.limit_rows.reshape(bounded, width))])
    answer = linprog(  # type: ignore[call-overload]  # sparse rows are taken, the stubs know dense ones only
        np.concatenate([cost / unit, np.ones(slack)]),
        A_ub=_beside(sparse.csr_array(rows), ease),
        b_ub=np.concatenate([np.zeros(held), np.ones(bounded)]),
        A_eq=_beside(table.choose, np.zeros((len(blocks), slack))),
        b_eq=np.ones(len(blocks)),
        options={"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE},
    )
    if answer.status != 0 or answer.fun is None:
        return None
    dual = np.maximum(-np.asarray(answer.ineqlin.marginals), 0.0) * unit
    extra_s, extra_j = table.limit_prices(dual[held:])
    worths = (per_second + extra_s) * table.worth
    price = _capped(dual[:held].reshape(len(worths), cells) / table.unit_s, worths)
    price = (1 - even) * price + even * worths[:, None] / cells
    before, after = np.zeros((cells, calendar.top + 1)), np.zeros((cells, calendar.top + 1))
    for k, segment in enumerate(calendar.segments):
        before += price[2 * k][:, None] * segment.rounds[None, :]
        if segment.ending is not None:
            after[:, segment.ending] += price[2 * k + 1]
    starts = np.cumsum([len(b.columns) for b in blocks])
    return Mix(
        value=float(answer.fun) * unit,
        weights=np.split(np.asarray(answer.x)[: starts[-1]], starts[:-1]),
        duals=Duals(
            before,
            after,
            (per_joule + extra_j) * calendar.counts / calendar.length,
            float(dual[held:].sum()) * (1 + 10 * TOLERANCE),
        ),
    )


def pick_shapes(
    calendar: Calendar, weights: Weights, cells: int, blocks: Sequence[Block], node_limit: int, elastic: bool = False
) -> list[Shape] | None:
    """Return one shape per block such that mixing columns of these shapes is cheapest; ``None`` where none is found.

    Args:
        calendar, weights, cells, blocks, elastic: as :func:`mix_columns`.
        node_limit: branch-and-bound nodes after which the best choice found is taken.
    """
    table = _Table.of(calendar, weights, cells, blocks)
    cost = (0.0 if elastic else 1.0) * (weights.latency * table.latency + weights.energy * table.energy)
    unit = float(np.abs(cost).max(initial=0.0)) or 1.0
    slack = len(table.limits) if elastic else 0
    shapes = [(b, shape) for b, block in enumerate(blocks) for shape in dict.fromkeys(c.shape for c in block.columns)]
    columns = [(b, column.shape) for b, block in enumerate(blocks) for column in block.columns]
    width, count = cost.size, len(shapes)
    number = {shape: k for k, shape in enumerate(shapes)}
    column = np.arange(len(columns))
    member = sparse.csr_array((np.ones(len(columns)), ([number[c] for c in columns], column)), shape=(count, width))
    one = sparse.csr_array((np.ones(count), ([b for b, _ in shapes], np.arange(count))), shape=(len(blocks), count))
    ease = np.zeros((max(count, table.rows.shape[0], len(blocks)), slack))

    def padded(*parts: sparse.csr_array | Floats) -> sparse.csr_array:
        return _beside(*parts, ease[: parts[0].shape[0]])

    limits = _beside(table.limit_rows, np.zeros((len(table.limits), count)), -np.eye(len(table.limits))[:, :slack])
    parts = [
        (padded(table.rows, np.zeros((table.rows.shape[0], count))), -np.inf, 0.0),
        (padded(member, sparse.csr_array(-sparse.eye_array(count))), 0.0, 0.0),
        (padded(sparse.csr_array((len(blocks), width)), one), 1.0, 1.0),
        (limits, -np.inf, 1.0),
    ]
    # Not through scipy's milp: the HiGHS inside it prints a line that no option silences.
    program = HighsModel(
        sparse.csr_array(sparse.vstack([rows for rows, _, _ in parts])),
        np.zeros(width + count + slack),
        np.concatenate([np.full(width, np.inf), np.ones(count), np.full(slack, np.inf)]),
        np.concatenate([cost / unit, np.zeros(count), np.ones(slack)]),
        np.repeat([False, True, False], [width, count, slack]),
        np.concatenate([np.full(rows.shape[0], low) for rows, low, _ in parts]),
        np.concatenate([np.full(rows.shape[0], high) for rows, _, high in parts]),
    )
    # A choice that presolve gets wrong costs time alone: what the shapes are worth is found anew.
    answer = program.solve(HighsOptions(relative_gap=1e-6, node_limit=node_limit, tolerance=TOLERANCE, presolve=True))
    if answer.x is None:
        return None
    chosen = answer.x[width : width + count]
    return [shape for k, (_, shape) in enumerate(shapes) if chosen[k] > 0.5]


def _capped(price: Floats, worth: Floats) -> Floats:
    """Return prices whose sum over cells is at most the span's worth, which rounding may have exceeded."""
    total = price.sum(axis=1)
    scale = np.where(total > worth, worth / np.where(total > 0, total, 1.0), 1.0)
    return np.asarray(price * scale[:, None])


def shapes_by_weight(block: Block, weight: Floats) -> list[Shape]:
    """Return the shapes of a block's columns, the weightiest first."""
    share: dict[Shape, float] = {}
    for column, part in zip(block.columns, weight, strict=False):
        share[column.shape] = share.get(column.shape, 0.0) + float(part)
    return sorted(share, key=lambda shape: (-share[shape], repr(shape)))
