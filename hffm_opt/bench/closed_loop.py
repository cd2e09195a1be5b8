"""What it takes to an accuracy: the published rows, two adaptive methods, plans that stay and plans looked at again.

Real training of the embedded tasks. Methods whose learning is identical share one training run and are each charged
what their own plan costs. Accuracies are means over tasks right after an average; a target counts as reached in the
first evaluated round that has it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from hffm_opt.bench.closed_loop_cases import (
    AIMED,
    FEDLAMA,
    LOOP,
    OPTIMAL,
    PUBLISHED,
    Case,
    Found,
    Training,
    groups,
    own_run,
    shared_run,
)
from hffm_opt.bench.model import Findings, Progress, Row, Setting, Target
from hffm_opt.cores import usable_cores
from hffm_opt.measurement.spread import CONFIDENCE, half_width
from hffm_opt.plan.model import Plan
from hffm_opt.steps import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CASES = (Case("paper"), Case("paper-si"), Case("paper-si", 0.1))
QUICK_CASES = (Case("tiny"), Case("tiny", 0.5))
TRAINING = Training(rounds=16, evaluate_every=4, looks_every=4, target=0.4)
QUICK = Training(rounds=2, evaluate_every=1, looks_every=1, target=0.2, samples=4)
TARGETS, QUICK_TARGETS = (0.3, 0.4, 0.5), (0.15, 0.2)
Job = Callable[[], tuple[Found, ...]]


def run(setting: Setting, tell: Progress) -> Findings:
    """Run every method on every network once per seed, as many at a time as there are cores."""
    cases, training = (QUICK_CASES, QUICK) if setting.quick else (CASES, TRAINING)
    targets = QUICK_TARGETS if setting.quick else TARGETS
    jobs: list[Job] = []
    for case in cases:
        made: dict[str, Plan] = {}
        jobs += [job for seed in setting.seeds for job in _jobs(case, training, seed, made)]
    found = list(_done(jobs, 1 if setting.quick else usable_cores(), tell))
    order = {(case.name, method): i for i, (case, method) in enumerate((c, m) for c in cases for m in c.methods)}
    found.sort(key=lambda each: (order[each.case, each.method], each.seed))
    budgets = _budgets(found)
    table = [_summary(each, targets, budgets) for each in _by_method(found)]
    return Findings(
        rows=tuple(row for each in found for row in _rows(each)),
        stopping_rule=(
            f"{training.rounds} rounds, evaluated every {training.evaluate_every}; the loop looks every "
            f"{training.looks_every} and aims at {training.target:.0%}; plans to 1e-3 (paper) or 1e-2, or 60 s"
        ),
        targets=tuple(_targets(found, training)),
        remarks=(
            f"mean +- half the {CONFIDENCE:.0%} t-interval over seeds; a target counts where all seeds reached it",
            "at equal budgets: the last accuracy before the seconds, or joules, are spent that 'optimal' took in all",
            "matrix products in bf16",
        ),
        table=tuple(table),
    )


def _jobs(case: Case, training: Training, seed: int, made: dict[str, Plan]) -> Iterator[Job]:
    if case.changes_per_round:
        yield from (partial(_alone, case, method, training, seed) for method in case.methods)
        return
    yield from (partial(_alone, case, method, training, seed) for method in (LOOP, FEDLAMA))
    yield from (partial(shared_run, case, plans, training, seed) for plans in groups(case, training, seed, made))


def _alone(case: Case, method: str, training: Training, seed: int) -> tuple[Found, ...]:
    return (own_run(case, method, training, seed),)


def _done(jobs: Sequence[Job], workers: int, tell: Progress) -> Iterator[Found]:
    if workers == 1:
        for done, job in enumerate(jobs):
            tell(Step(f"run {done + 1} of {len(jobs)}", done=done, total=len(jobs)))
            yield from job()
        return
    # Each process has one thread: two trainings side by side are faster than one on two threads.
    with ProcessPoolExecutor(workers, get_context("spawn"), _single) as pool:
        waiting = [pool.submit(job) for job in jobs]
        for done, each in enumerate(as_completed(waiting), start=1):
            tell(Step(f"{done} of {len(jobs)} runs", done=done, total=len(jobs)))
            yield from each.result()


def _single() -> None:
    import torch

    torch.set_num_threads(1)


def _rows(found: Found) -> Iterator[Row]:
    told = {"scenario": found.case, "method": found.method, "seed": found.seed, "trained_as": found.trained}
    for point in found.points:
        yield told | {
            "round": point.round,
            "accuracy": point.accuracy,
            "latency_s": point.seconds,
            "energy_j": point.joules,
            "replans": found.replans,
        }


def _by_method(found: Iterable[Found]) -> Iterator[list[Found]]:
    grouped: defaultdict[tuple[str, str], list[Found]] = defaultdict(list)
    for each in found:
        grouped[each.case, each.method].append(each)
    yield from grouped.values()


def _budgets(found: Sequence[Found]) -> dict[str, tuple[float, float]]:
    """Return per network the seconds and joules that ``optimal`` took in all, as means over seeds."""
    mine: defaultdict[str, list[Found]] = defaultdict(list)
    for each in found:
        if each.method == OPTIMAL:
            mine[each.case].append(each)
    return {
        case: (statistics.fmean(e.seconds for e in runs), statistics.fmean(e.joules for e in runs))
        for case, runs in mine.items()
    }


def interval(values: Sequence[float]) -> str:
    """Return the mean of some values and half the width of its t-interval; the mean alone for a single value.

    >>> interval([1.0, 2.0, 3.0]), interval([2.0]), interval([])
    ('2 +- 2.48', '2', '-')
    """
    if not values:
        return "-"
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.4g}"
    return f"{mean:.4g} +- {half_width(values):.3g}"


def _to_target(found: Found, target: float) -> tuple[float, float] | None:
    return next(((point.seconds, point.joules) for point in found.points if point.accuracy >= target), None)


def _summary(runs: Sequence[Found], targets: Sequence[float], budgets: dict[str, tuple[float, float]]) -> Row:
    first = runs[0]
    row: Row = {
        "scenario": first.case,
        "method": first.method,
        "s in all": interval([each.seconds for each in runs]),
        "J in all": interval([each.joules for each in runs]),
        "accuracy % at the end": interval([100 * each.points[-1].accuracy for each in runs if each.points]),
    }
    for target in targets:
        reached = [hit for each in runs if (hit := _to_target(each, target)) is not None]
        whole = len(reached) == len(runs)
        row[f"s to {target:.0%}"] = interval([s for s, _ in reached]) if whole else f"{len(reached)} of {len(runs)}"
        row[f"J to {target:.0%}"] = interval([j for _, j in reached]) if whole else f"{len(reached)} of {len(runs)}"
    seconds, joules = budgets[first.case]
    row["accuracy % in equal s"] = interval([100 * _within(each, seconds, "seconds") for each in runs])
    row["accuracy % in equal J"] = interval([100 * _within(each, joules, "joules") for each in runs])
    row["replans"] = statistics.fmean(each.replans for each in runs)
    return row


def _within(found: Found, budget: float, unit: str) -> float:
    """Return the last accuracy before a budget is spent, 0 where nothing was known by then."""
    return next((p.accuracy for p in reversed(found.points) if getattr(p, unit) <= budget * (1 + 1e-9)), 0.0)


def _targets(found: Sequence[Found], training: Training) -> Iterator[Target]:
    """Yield whether what plans for an accuracy gets there before every published row does, as means over seeds."""
    for case in dict.fromkeys(each.case for each in found):
        times: dict[str, float] = {}
        for runs in _by_method(each for each in found if each.case == case):
            hits = [_to_target(each, training.target) for each in runs]
            if all(hits):
                times[runs[0].method] = statistics.fmean(hit[0] for hit in hits if hit is not None)
        rows = [times[name] for name in PUBLISHED if name in times]
        for method in (AIMED, LOOP):
            if method in times and rows:
                ratio = times[method] / min(rows)
                what = f"{case}: seconds of '{method}' to {training.target:.0%} over those of the best published row"
                yield Target(what, "at most 1", ratio, ratio <= 1)


def figure(rows: Sequence[Row]) -> Figure:
    """Draw accuracy against seconds and joules, a pair of axes per network: means over seeds with their range."""
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(row["scenario"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    drawn = Figure(figsize=(11.0, 3.6 * len(cases) + 0.8), layout="constrained")
    axes = drawn.subplots(len(cases), 2, squeeze=False)
    for i, case in enumerate(cases):
        for j, (unit, label) in enumerate((("latency_s", "simulated s"), ("energy_j", "J"))):
            for method in methods:
                mine = [row for row in rows if row["scenario"] == case and row["method"] == method]
                if mine:
                    _line(axes[i][j], mine, unit, method, methods.index(method))
            axes[i][j].set_xscale("log")
            axes[i][j].set_xlabel(label)
            axes[i][j].set_ylabel("mean accuracy, %")
            axes[i][j].set_title(case, color="#777d86")
            axes[i][j].grid()
    handles = {line.get_label(): line for pair in axes for ax in pair for line in ax.get_lines()}
    drawn.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize="small")
    return drawn


def _line(axes: Axes, rows: Sequence[Row], unit: str, method: str, number: int) -> None:
    points: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        points[row["round"]].append(row)
    shared = [each for _, each in sorted(points.items())]
    across = [statistics.fmean(row[unit] for row in each) for each in shared]
    levels = [[100 * row["accuracy"] for row in each] for each in shared]
    own = method in (OPTIMAL, AIMED, LOOP)
    colour, line = f"C{number % 10}", "-" if own else ("--", ":", "-.")[number % 3]
    means = list(map(statistics.fmean, levels))
    axes.plot(across, means, label=method, linewidth=2.2 if own else 1.2, color=colour, linestyle=line)
    axes.fill_between(across, list(map(min, levels)), list(map(max, levels)), color=colour, alpha=0.12)
