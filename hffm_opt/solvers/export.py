"""The programs behind a plan as files for other tools, with an index that says what each is.

Where links are given these are mixed-integer programs (``.mps`` for solvers, ``.lp`` for people): the relay trees of
every event of every cell, and which way each cell takes in each kind of round under the plan's circulation. Where
bandwidth, power and CPU speed are free they are cone programs (``.cbf``): the allocation of the plan's own trees, phase
by phase and for the whole network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hffm_opt.errors import HffmError
from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.outcome import Outcome
from hffm_opt.problem.model import Problem
from hffm_opt.serial import finite, write_text
from hffm_opt.solvers.engines.file_names import numbered
from hffm_opt.solvers.engines.highs import HighsModel
from hffm_opt.solvers.formulations.calendar import Calendar
from hffm_opt.solvers.formulations.relay_model import build as build_tree
from hffm_opt.solvers.formulations.relay_names import column_names
from hffm_opt.solvers.formulations.relay_program import horizon_of, set_goal
from hffm_opt.solvers.formulations.relay_start import Goal, starting_trees
from hffm_opt.solvers.formulations.tree_problem import Direction, check_reachable
from hffm_opt.solvers.formulations.weights import Weights
from hffm_opt.solvers.joint.fixed_rounds import FixedRounds
from hffm_opt.solvers.joint.schedule import build as build_schedule
from hffm_opt.solvers.joint.states import State, first_at_cloud, owners_by_level, states_of

INDEX, FORMAT = "index.json", "hffm-programs/1"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """A written program: its files, what it decides, its size, and what one unit of its objective is worth."""

    files: tuple[str, ...]
    what: str
    rows: int
    columns: int
    integers: int
    unit: float


def write_programs(
    problem: Problem, outcome: Outcome, directory: Path, progress: Progress = lambda _: None
) -> tuple[Written, ...]:
    """Write the programs behind a plan, and ``index.json``; return what was written.

    Every program minimises ``w_L seconds + w_E joules`` with the outcome's weights: those of an event for a cell's
    program, those per round for the network's. Its optimum times ``unit`` is that figure. Phi is left out, since the
    plan's circulation is held.

    Args:
        problem: the compiled scenario.
        outcome: any plan for it.
        directory: where to; files of the same names are replaced.
        progress: told what is written.

    Raises:
        InputError: a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    skipped: list[dict[str, str]] = []
    make = _with_links_given if problem.fixed_allocation else _with_links_free
    found: list[Written] = []
    for written in make(problem, outcome, directory, skipped):
        progress(written.files[0])
        found.append(written)
    index = {
        "format": FORMAT,
        "scenario": outcome.plan.scenario.model_dump(),
        "method": outcome.method,
        "latency_weight": outcome.weights[0],
        "energy_weight": outcome.weights[1],
        "programs": [asdict(written) for written in found],
        "skipped": skipped,
    }
    write_text(directory / INDEX, json.dumps(finite(index), indent=1) + "\n")
    return tuple(found)


def _weights(outcome: Outcome) -> Weights:
    return Weights(outcome.weights[0], outcome.weights[1], 0.0)


def _calendar(problem: Problem, states: tuple[State, ...]) -> Calendar:
    return Calendar.of(problem, len(states) - 1, first_at_cloud(states))


def _saved(model: HighsModel, directory: Path, name: str, what: str, unit: float) -> Written:
    files = tuple(f"{name}.{suffix}" for suffix in ("mps", "lp"))
    for file in files:
        model.write(directory / file)
    return Written(files, what, *model.shape, model.integers, unit)


def _with_links_given(
    problem: Problem, outcome: Outcome, directory: Path, skipped: list[dict[str, str]]
) -> Iterator[Written]:
    rounds = FixedRounds(problem)
    states = states_of(outcome.plan.circulation, top_kind(outcome.plan.circulation))
    goal = Goal(outcome.weights[0], outcome.weights[1])
    for i, cell in enumerate(problem.cells):
        seen: set[tuple[str, bool, bytes]] = set()
        for j, state in enumerate(states):
            at_head, above, _ = owners_by_level(problem, cell, state)
            trains = not at_head.any()
            events = [("head", Direction.BOTH, False, True, at_head), ("uplink", Direction.GATHER, True, trains, above)]
            if not problem.published:
                events.append(("downlink", Direction.SCATTER, True, False, above))
            for name, direction, at_edge, trained, owners in events:
                key = (name, trained, owners.tobytes())
                if not owners.any() or key in seen:
                    continue
                seen.add(key)
                label = f"{cell.edge.name}.kind{j}.{name}"
                tree = rounds.tree_problem(i, direction, at_edge, trained, owners)
                try:
                    check_reachable(tree)
                    starts = starting_trees(tree, goal)
                    program = build_tree(tree, horizon_of(tree, goal, starts))
                except HffmError as error:
                    skipped.append({"what": label, "why": error.findings[0].message})
                    continue
                unit = set_goal(program, goal)
                program.model.name(column_names(program, cell.edge.name))
                where = "into a head and back" if name == "head" else f"{name} of edge {cell.edge.name}"
                what = f"relay trees of cell {cell.edge.name} in rounds of kind {j}: {where}"
                yield _saved(program.model, directory, label, what, unit)
    yield _network_choice(problem, rounds, states, _weights(outcome), directory)


def _network_choice(
    problem: Problem, rounds: FixedRounds, states: tuple[State, ...], weights: Weights, directory: Path
) -> Written:
    calendar = _calendar(problem, states)
    program = build_schedule(calendar, weights, rounds.ways(states, calendar.collects))
    names = numbered(program.model.families[0])
    for cell, row in zip(problem.cells, program.picks, strict=True):
        for j, columns in enumerate(row):
            for way, column in enumerate(columns):
                names[column] = f"way[{cell.edge.name},{j},{way}]"
    program.model.name(names)
    what = "which of its nondominated ways every cell takes in each kind of round, under the plan's circulation"
    return _saved(program.model, directory, "network", what, 1.0)


def _with_links_free(
    problem: Problem, outcome: Outcome, directory: Path, skipped: list[dict[str, str]]
) -> Iterator[Written]:
    del skipped
    # The conic engine takes a second to load, and only free allocation needs it.
    import cvxpy as cp

    from hffm_opt.solvers.engines.cone_files import write_cone_program
    from hffm_opt.solvers.joint.held_trees import network_program

    weights = _weights(outcome)
    network, phases = network_program(problem, outcome.plan, weights)

    def saved(program: cp.Problem, name: str, what: str) -> Written:
        file = f"{name}.cbf"
        return Written((file,), what, *write_cone_program(program, directory / file), 0, 1.0)

    for phase in phases:
        edge, part = problem.cells[phase.cell].edge.name, phase.program
        cost = weights.latency * part.time_s + weights.energy * part.energy_j
        what = f"allocation of the plan's {phase.name} in cell {edge}, rounds of kind {phase.kind}"
        program = cp.Problem(cp.Minimize(cost), part.constraints)
        yield saved(program, f"{edge}.kind{phase.kind}.{phase.name}", what)
    yield saved(network, "network", "allocation of the whole network, the plan's circulation and trees held")
