"""The best choice of rounds for a held circulation, exact over the listed ways: a small MILP over all cells at once.

minimise    w_L latency + w_E energy, or one of them with the other as a tie-break, within limits
choice      sum_f x[i, j, f] = 1 for every cell i and kind of round j
segment     sigma[J] >= sum_{j < first} 2^(first-1-j) b_ij x + b_iJ x,  delta[J] >= a_iJ x
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hffm_opt.problem.radio import Floats
from hffm_opt.solvers.engines.highs import HighsModel, HighsOptions, Status
from hffm_opt.solvers.engines.highs_builder import ModelBuilder
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.rounds import RoundOptions

MOST_SECONDS = 1e4

Chosen = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Schedule:
    """Which way every cell takes in every kind of round ([cell][kind]), with value and proven bound (without Phi)."""

    chosen: Chosen
    value: float
    bound: float


@dataclass(frozen=True, eq=False)
class ScheduleProgram:
    """The program in HiGHS: its columns by [cell][kind][way], and latency and energy per round as costs of columns."""

    model: HighsModel
    picks: list[list[np.ndarray[tuple[int], np.dtype[np.int64]]]]
    latency: Floats
    energy: Floats


def build(
    calendar: Calendar, weights: Weights, ways: Sequence[Sequence[RoundOptions]], cutoff: float = np.inf
) -> ScheduleProgram:
    """Build the program with its objective; arguments as :func:`best_schedule`."""
    builder = ModelBuilder()
    calendar = calendar.with_collection() if calendar.collects else calendar
    picks = [
        [builder.add_columns(len(way.choices), upper=1.0, integer=True, name="way") for way in row] for row in ways
    ]
    energies = np.concatenate(
        [way.energy_j * calendar.counts[j] / calendar.length for row in ways for j, way in enumerate(row)]
    )
    x_all = np.concatenate([columns for row in picks for columns in row])
    builder.add_rows(
        np.concatenate([np.full(c.size, k) for k, c in enumerate(c for row in picks for c in row)]),
        x_all,
        1.0,
        lower=1.0,
        upper=1.0,
        name="choice",
    )
    slowest = max(float(np.max(part)) for row in ways for way in row for part in (way.before_s, way.after_s))
    # Far from one, seconds beside choices of 0 and 1 are numerical trouble.
    second = 1.0 / slowest if slowest > MOST_SECONDS else 1.0
    shares = []
    for segment in calendar.segments:
        ending = segment.ending
        (sigma,), (delta,) = (builder.add_columns(1, name=name) for name in ("sigma", "delta"))
        shares += [segment.share, segment.share]
        for row, columns in zip(ways, picks, strict=True):
            used = np.flatnonzero(segment.rounds)
            spent = np.concatenate([row[int(j)].before_s * segment.rounds[j] for j in used])
            where = np.concatenate([columns[int(j)] for j in used])
            builder.add_rows(
                np.zeros(where.size + 1),
                np.concatenate([[sigma], where]),
                np.concatenate([[1.0], -spent * second]),
                lower=0.0,
                name="before",
            )
            if ending is not None:
                late, back = columns[ending], row[ending].after_s
                builder.add_rows(
                    np.zeros(late.size + 1),
                    np.concatenate([[delta], late]),
                    np.concatenate([[1.0], -back * second]),
                    lower=0.0,
                    name="after",
                )
    spans = np.arange(builder.n_columns - len(shares), builder.n_columns)
    latency, energy = np.zeros(builder.n_columns), np.zeros(builder.n_columns)
    latency[spans] = np.array(shares) / second
    energy[x_all] = energies
    if np.isfinite(cutoff):
        cost = weights.latency * latency + weights.energy * energy
        used, unit = np.flatnonzero(cost), abs(cutoff) or 1.0
        builder.add_rows(np.zeros(used.size), used, cost[used] / unit, upper=cutoff / unit, name="cutoff")
    limits = (("max_latency", latency, weights.max_latency_s), ("max_energy", energy, weights.max_energy_j))
    for name, row_of, limit in limits:
        used = np.flatnonzero(row_of)
        # The engine's tolerance is absolute, so a limit stands as 1.
        unit = limit if 0 < limit < np.inf else 1.0
        builder.add_rows(np.zeros(used.size), used, row_of[used] / unit, upper=limit / unit, name=name)
    model = builder.build()
    model.set_cost(np.arange(builder.n_columns), weights.latency * latency + weights.energy * energy)
    return ScheduleProgram(model, picks, latency, energy)


def best_schedule(
    calendar: Calendar,
    weights: Weights,
    ways: Sequence[Sequence[RoundOptions]],
    options: HighsOptions,
    cutoff: float = np.inf,
) -> Schedule | None:
    """Return the best choice of ways, or ``None`` where the limits admit none that costs less than the cutoff.

    Args:
        calendar: how kinds of round make up a cycle.
        weights: objective and limits.
        ways: [cell][kind], the collection last where the calendar has one.
        options: stopping rule.
        cutoff: value from which on a choice is of no use.
    """
    program = build(calendar, weights, ways, cutoff)
    outcome = program.model.solve(options)
    if outcome.x is None:
        if outcome.status is not Status.INFEASIBLE:
            raise RuntimeError(f"the schedule of a circulation was not solved: {outcome.stop_reason}")
        return None
    x, bound = outcome.x, outcome.bound
    if 0 in (weights.latency, weights.energy):
        x = _tie_break(program, weights, x, options)
    value = float(weights.latency * program.latency @ x + weights.energy * program.energy @ x)
    chosen = tuple(tuple(int(np.argmax(x[c])) for c in row) for row in program.picks)
    return Schedule(chosen, value, min(bound, value))


def _tie_break(program: ScheduleProgram, weights: Weights, x: Floats, options: HighsOptions) -> Floats:
    """Return, among plans of equal latency (energy), one of least energy (latency)."""
    held, free = (program.latency, program.energy) if weights.energy == 0 else (program.energy, program.latency)
    limit = weights.max_latency_s if weights.energy == 0 else weights.max_energy_j
    row = program.model.shape[0] - (2 if weights.energy == 0 else 1)
    unit = limit if 0 < limit < np.inf else 1.0
    reached = float(held @ x) * (1 + 1e-9)
    program.model.set_row_bounds(row, -np.inf, min(reached, limit) / unit)
    program.model.set_cost(np.arange(free.size), free)
    program.model.set_start(x)
    second = program.model.solve(options)
    return x if second.x is None else second.x
