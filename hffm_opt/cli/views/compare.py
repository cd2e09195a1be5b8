"""Methods side by side, with the published figures where there are any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hffm_opt.cli.figures import figure, percent, seconds
from hffm_opt.cli.published import PublishedRow
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.comparison import Comparison, Row, Spread

if TYPE_CHECKING:
    from hffm_opt.solvers.registry import Method


def comparison_json(comparison: Comparison, published: Mapping[str, PublishedRow]) -> dict[str, object]:
    """Return the JSON document of a comparison; plans are left out, ``hffm plan`` gives them."""
    rows = [
        _row_json(comparison, row) | ({"published": asdict(published[row.method])} if row.method in published else {})
        for row in comparison.rows
    ]
    aim = {} if comparison.target is None else {"target": comparison.target}
    return {
        "scenario": comparison.scenario,
        "objective_name": comparison.objective_name,
        **aim,
        "bound": comparison.bound,
        "rows": rows,
    }


def _row_json(comparison: Comparison, row: Row) -> dict[str, object]:
    data = asdict(row)
    if comparison.target is None:
        del data["rounds_to_target"]
    return data


def comparison_view(comparison: Comparison, published: Mapping[str, PublishedRow]) -> Iterator[RenderableType]:
    """Yield the table, the draws if any were made, and what the numbers say."""
    aim = "" if comparison.target is None else f", and in all to an accuracy of {comparison.target:g}"
    yield titled(f"{comparison.scenario}, per round{aim}", table_of(comparison, published))
    draws = max((row.draws.count for row in comparison.rows if row.draws), default=0)
    if draws:
        title = f"Random heads: median and range over {draws} seeded draws"
        yield titled(title, draws_of(comparison, published))
    yield Group(*notes(comparison, published))


def table_of(comparison: Comparison, published: Mapping[str, PublishedRow]) -> Table:
    """Return the table of methods, least objective first and in bold, last those that break a limit or cannot plan."""
    rows = sorted(comparison.rows, key=_rank)
    best = rows[0].objective if rows else None
    beside = ("published",) if published else ()
    aims = comparison.target is not None
    total = "total s" if comparison.objective_name == "time-to-accuracy" else "total J" if aims else "objective"
    to_target = ("rounds",) if aims else ()
    right = ("latency s", *beside, "energy J", *beside, "Phi", *to_target, total, "gap to bound", "seconds")
    made = table("method", "feasible", right=right)
    for row in rows:
        told = published.get(row.method)
        made.add_row(
            row.method,
            Text("yes", style="green") if row.feasible else Text("no", style="red"),
            figure(row.latency_s),
            *([f"{told.latency_s:.2f}" if told else ""] if published else []),
            figure(row.energy_j),
            *([f"{told.energy_j:.2f}" if told else ""] if published else []),
            figure(row.drift, 4),
            *([figure(row.rounds_to_target, 4)] if aims else []),
            figure(row.objective),
            percent(row.gap_to_bound, 2),
            f"{row.seconds:.2f}",
            style="bold" if row.objective is not None and row.objective == best else None,
        )
    return made


def _rank(row: Row) -> tuple[bool, bool, float]:
    """Order rows by objective; those that break a limit after it, then those without a plan."""
    value = row.objective if row.objective is not None else 0.0
    return row.objective is None, row.latency_s is None, value


def draws_of(comparison: Comparison, published: Mapping[str, PublishedRow]) -> Table:
    """Return median and range of the methods that draw their heads at random."""
    beside = ("published",) if published else ()
    made = table("method", right=("latency s", *beside, "energy J", *beside))
    for row in comparison.rows:
        if row.draws:
            told = published.get(row.method)
            made.add_row(
                row.method,
                _spread(row.draws.latency_s),
                *([f"{told.latency_s:.2f}" if told else ""] if published else []),
                _spread(row.draws.energy_j),
                *([f"{told.energy_j:.2f}" if told else ""] if published else []),
            )
    return made


def _spread(spread: Spread) -> str:
    return f"{figure(spread.median, 4)} ({figure(spread.low, 4)} to {figure(spread.high, 4)})"


def notes(comparison: Comparison, published: Mapping[str, PublishedRow]) -> Iterator[RenderableType]:
    """Yield what the numbers say, and why methods are not feasible."""
    if comparison.bound is not None:
        yield Text(f"Proven: no plan has an objective below {figure(comparison.bound, 6)}.")
    saving = _saving(comparison.rows)
    if saving is not None:
        yield Text(saving)
    reasons: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.reason is not None:
            reasons.setdefault(row.reason, []).append(row.method)
    for reason, names in reasons.items():
        yield Text.assemble((f"{', '.join(names)}: ", "red"), reason)
    if published:
        yield Text("Published: arXiv 2509.03695. Its energies are labelled kJ and are J.", style="dim")


def methods_json(methods: Iterable[Method], grammar: str) -> dict[str, object]:
    """Return the JSON document of all methods."""
    found = [
        {"name": m.name, "summary": m.summary, "source": m.source, "exact": m.exact, "drawn": m.drawn} for m in methods
    ]
    return {"methods": found, "composition": grammar}


def methods_view(methods: Iterable[Method], grammar: str) -> Iterator[RenderableType]:
    """Yield the table of methods, and how others are composed."""
    made = table("method", "does", "bound", "draws", "source")
    for method in methods:
        flags = ["yes" if flag else "" for flag in (method.exact, method.drawn)]
        made.add_row(Text(method.name, style="bold"), method.summary, *flags, method.source)
    yield made
    yield Text(f"Others by composition: {grammar}.", style="dim")


def _saving(rows: tuple[Row, ...]) -> str | None:
    """Return how the best plan compares with the next method."""
    ranked = sorted((row for row in rows if row.objective is not None), key=lambda row: row.objective or 0.0)
    if len(ranked) < 2:
        return None
    best, second = ranked[0], ranked[1]
    latency, energy = _change(best.latency_s, second.latency_s), _change(best.energy_j, second.energy_j)
    return (
        f"'{best.method}' against the next best, '{second.method}': latency {latency}, energy {energy}, "
        f"planned in {seconds(best.seconds)}."
    )


def _change(new: float | None, old: float | None) -> str:
    assert new is not None and old is not None
    return f"{(new - old) / old:+.1%}".replace("%", " %")
