"""All benchmarks by name."""

from __future__ import annotations

from dataclasses import dataclass

from hffm_opt.errors import InputError, one_of


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: where its ``run(setting, tell)`` lives (``module:function``), what it measures, and its seeds.

    ``figure`` is the place of a function that draws the rows as a matplotlib figure.
    """

    name: str
    summary: str
    place: str
    seeds: int = 10
    figure: str | None = None


BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "allocation",
            "allocation of whole networks against cvxpy with Clarabel, and of a million devices",
            "hffm_opt.bench.allocation:run",
        ),
        Benchmark(
            "closed-loop",
            "seconds and joules to accuracies: published rows, adaptive methods, optimum, closed loop",
            "hffm_opt.bench.closed_loop:run",
            seeds=3,
            figure="hffm_opt.bench.closed_loop:figure",
        ),
        Benchmark(
            "gap-table",
            "every method on every network: cost, and gap to the proven bound",
            "hffm_opt.bench.gap_table:run",
            seeds=30,
            figure="hffm_opt.bench.gap_table:figure",
        ),
        Benchmark(
            "inference",
            "latency, energy and accuracy of collaborative inference over bandwidths, against fixed placements",
            "hffm_opt.bench.inference:run",
            seeds=1,
            figure="hffm_opt.bench.inference:figure",
        ),
        Benchmark("joint", "seconds until the joint plan of a network is proven", "hffm_opt.bench.joint:run"),
        Benchmark(
            "module-relaying",
            "what a relayed start is worth to a newcomer, and what relaying costs as the network gets worse",
            "hffm_opt.bench.module_relaying:run",
            seeds=3,
        ),
        Benchmark(
            "open-answers",
            "answers that a head does not have, given by similarity of embeddings, and what that costs the others",
            "hffm_opt.bench.open_answers:run",
            seeds=3,
        ),
        Benchmark(
            "overhead",
            "what a round costs beyond the arithmetic of training, and memory over a thousand rounds",
            "hffm_opt.bench.overhead:run",
            seeds=1,
        ),
        Benchmark(
            "random-evidence",
            "bounds, heuristics and limits held against each other on random networks",
            "hffm_opt.bench.random_evidence:run",
            seeds=1000,
        ),
        Benchmark(
            "random-walks",
            "accuracy at equal seconds and joules where links are few: walks by three chains, and plans with averages",
            "hffm_opt.bench.random_walks:run",
            seeds=3,
            figure="hffm_opt.bench.random_walks:figure",
        ),
        Benchmark(
            "relay-exact",
            "seconds until a cell's best relay tree is proven, against the plain potential form",
            "hffm_opt.bench.relay_exact:run",
        ),
        Benchmark(
            "replanning",
            "whether a plan that is looked at again ends better than one that stays, in networks that change",
            "hffm_opt.bench.replanning:run",
        ),
        Benchmark(
            "round-throughput",
            "one round of local training, devices stacked, against a plain loop organised as published code",
            "hffm_opt.bench.round_throughput:run",
            seeds=1,
        ),
        Benchmark(
            "scaling",
            "time and memory against the number of cells",
            "hffm_opt.bench.scaling:run",
            seeds=3,
            figure="hffm_opt.bench.scaling:figure",
        ),
        Benchmark(
            "specialisation",
            "accuracy at equal energy: experts as placed, at random, and everywhere",
            "hffm_opt.bench.specialisation:run",
            seeds=3,
        ),
    )
}


def benchmark_named(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        InputError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise InputError.one("NAME", f"no benchmark is named '{name}'", one_of(name, BENCHMARKS))
    return BENCHMARKS[name]
