"""Collect a sparse program column by column and row by row for HiGHS."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hffm_opt.solvers.engines.file_names import Family
from hffm_opt.solvers.engines.highs import Floats, HighsModel, Ints, spread


class ModelBuilder:
    """Collect the columns and rows of a program; indices are handed out in the order of the calls.

    >>> builder = ModelBuilder()
    >>> x = builder.add_columns(2, upper=1.0, cost=[-1.0, -2.0], integer=True)
    >>> _ = builder.add_rows([0, 0], x, [1.0, 1.0], upper=1.0)
    >>> builder.build().solve().objective
    -2.0

    A ``name`` is that of a family; files number its members in the order of the calls.
    """

    def __init__(self) -> None:
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._cost: list[Floats] = []
        self._integer: list[NDArray[np.bool_]] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._entries: list[tuple[Ints, Ints]] = []
        self._values: list[Floats] = []
        self._column_families: list[Family] = []
        self._row_families: list[Family] = []
        self.n_columns = 0
        self.n_rows = 0

    def add_columns(
        self,
        count: int,
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = math.inf,
        cost: ArrayLike = 0.0,
        integer: bool = False,
        name: str = "column",
    ) -> Ints:
        """Add ``count`` columns with scalar or [count] bounds and costs; return their indices."""
        self._lower.append(spread(lower, count))
        self._upper.append(spread(upper, count))
        self._cost.append(spread(cost, count))
        self._integer.append(np.full(count, integer))
        self._column_families.append((name, count))
        self.n_columns += count
        return np.arange(self.n_columns - count, self.n_columns)

    def add_rows(
        self,
        rows: ArrayLike,
        columns: ArrayLike,
        values: ArrayLike,
        *,
        lower: ArrayLike = -math.inf,
        upper: ArrayLike = math.inf,
        count: int | None = None,
        name: str = "row",
    ) -> Ints:
        """Add rows from triplets (row counted from 0 in this call, column, value; duplicates add up); return
        their indices.
        """
        row = np.asarray(rows, dtype=np.int64).ravel()
        if count is None:
            count = int(row.max()) + 1 if row.size else 0
        column, value = np.broadcast_arrays(
            np.asarray(columns, dtype=np.int64).ravel(), np.asarray(values, float).ravel()
        )
        self._entries.append((row + self.n_rows, column.copy()))
        self._values.append(value.copy())
        self._row_lower.append(spread(lower, count))
        self._row_upper.append(spread(upper, count))
        self._row_families.append((name, count))
        self.n_rows += count
        return np.arange(self.n_rows - count, self.n_rows)

    def build(self, offset: float = 0.0) -> HighsModel:
        """Hand the program to HiGHS."""
        if self._entries:
            row, column = (np.concatenate([entry[side] for entry in self._entries]) for side in (0, 1))
            value = np.concatenate(self._values)
        else:
            row, column, value = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        matrix = sparse.csr_array((value, (row, column)), shape=(self.n_rows, self.n_columns))
        matrix.sum_duplicates()
        return HighsModel(
            matrix,
            _join(self._lower),
            _join(self._upper),
            _join(self._cost),
            np.concatenate(self._integer) if self._integer else np.zeros(0, bool),
            _join(self._row_lower),
            _join(self._row_upper),
            offset,
            families=(tuple(self._column_families), tuple(self._row_families)),
        )


def _join(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)
