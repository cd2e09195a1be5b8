"""Training as one call: what is trained, by which plan, and where the run is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hffm_opt.asked import ScenarioLike, check_numbers, check_seed, problem_of, request_of
from hffm_opt.cores import usable_cores
from hffm_opt.errors import InputError
from hffm_opt.placed import PlacementLike, placed
from hffm_opt.plan.files import PlanLike, load_outcome, load_plan
from hffm_opt.plan.model import Plan
from hffm_opt.plan.outcome import Outcome
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario

if TYPE_CHECKING:
    from hffm_opt.learning.execution import Execution
    from hffm_opt.report.run import Run
    from hffm_opt.trace import AccuracyRecord, RoundRecord, Trace
    from hffm_opt.trace.metrics import Follower

Progress = Callable[[str], None]


def train(
    scenario: ScenarioLike,
    plan: PlanLike | None = None,
    *,
    rounds: int,
    method: str = "optimal",
    seed: int = 0,
    evaluate_every: int | None = None,
    after_only: bool = False,
    max_drift: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    checkpoint_every: int = 1,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    max_memory_bytes: int | None = None,
    proximal: float | None = None,
    fedlama: int | None = None,
    centralised: bool = False,
    kept_neurons: float | None = None,
    realign_every: int | None = None,
    placement: PlacementLike | None = None,
    tensorboard: bool = False,
    progress: Progress | None = None,
    on_round: Callable[[RoundRecord, tuple[AccuracyRecord, ...]], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Train the real modules as planned, and measure what that achieved and cost.

    Args:
        scenario: a scenario, a built-in name or a path.
        plan: what to run: a plan, an outcome, or the path of a file with either; planned by ``method`` if not given.
        rounds: how many rounds to train.
        method: the planning method.
        seed: root of every random stream, of the planning and of the training.
        evaluate_every: evaluate every so many rounds, besides the last deepest average and the end.
        after_only: evaluate right after averages only, and not just before them too.
        max_drift, gap, time_limit, progress: for planning, as :func:`plan`.
        out: directory to keep the run in, for :func:`hffm_opt.report.write_report`; not kept if not given.
        overwrite: replace a run that the directory holds.
        resume: go on with the run in the directory ``out`` that was stopped, to the same bits; its plan is taken from
            there. A run that is complete is returned as it is.
        checkpoint_every: rounds from one checkpoint in the directory to the next.
        device: the torch device to train on, e.g. ``cuda``.
        precision: of matrix products; ``bf16`` is faster where the processor has it and changes losses by about 0.1 %.
        max_memory_bytes: most main memory to take; fewer devices then run together, and fewer constants are kept.
        tell: told before the start how much memory the run will take.
        proximal: FedProx's mu, in place of the scenario's.
        fedlama: FedLAMA's phi: each module's interval follows the training; for methods that begin with ``fedlama``.
        centralised: train one model on the data of all devices instead, the upper bound; no plan is made or taken.
        kept_neurons: FedPFT: devices train on a sub-model that keeps this share of the backbone's feed-forward neurons;
            the modules' FLOPs are counted anew before planning.
        realign_every: with ``kept_neurons``: the cloud realigns neurons after every so many rounds and sends them.
        placement: where the scenario asks for specialisation, a placement, its file, or the method that makes one
            (default: ``optimal``; a run that goes on has that of its directory). Devices then train what they host, and
            fetch the other experts every few rounds (see docs/specialisation.md).
        tensorboard: write scalars for TensorBoard to the run directory too (see :mod:`hffm_opt.learning.board`).
        on_round: called after each complete round with its record and its accuracies, if any.

    Returns:
        The run: problem, outcome, trace, measurement. Interrupted by Ctrl-C, it has the complete rounds only.

    Raises:
        InputError: bad scenario, plan or argument; a plan that breaks a physical limit; the run to resume is of another
            scenario, plan, seed or software.
        InfeasibleError, LimitReachedError: from planning, as :func:`plan`.

    Example:
        >>> run = train("tiny", method="star", rounds=1)
        >>> abs(run.measurement.difference.energy_j) < 1e-9
        True
    """
    from hffm_opt import loop
    from hffm_opt.learning.prepare import algorithm_of
    from hffm_opt.learning.run import train_plan

    check_seed(seed)
    check_numbers({"--proximal": proximal})
    _refuse_together(plan, fedlama, centralised, kept_neurons, realign_every)
    execution = execution_of(device, precision, tensorboard, out)
    if kept_neurons is not None:
        from hffm_opt.learning.baselines.fedpft import counted_for

        whole = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        scenario = counted_for(whole, kept_neurons, realign_every)
    problem = problem_of(scenario)
    directory = None if out is None else Path(out)
    if centralised:
        _refuse_placement(placement)
        problem = problem_of(problem.scenario.model_copy(update={"specialise": None}))
    known = problem.fingerprint
    where = placed(problem.scenario, placement, seed, directory if resume else None)
    problem = problem_of(where.scenario) if where.plan else problem
    if problem.scenario.requests is not None:
        message = "its requests change who trains what during the run"
        raise InputError.one("requests", message, "use train_requests (or hffm train), or leave the requests out")
    given = plan if plan is None or isinstance(plan, Plan | Outcome) else load_outcome(plan) or load_plan(plan)
    if where.plan is not None and given is not None:
        _refuse_unplaced(known, given, scenario, placement, seed)
    request = request_of(problem, max_drift=max_drift, gap=gap, time_limit=time_limit, seed=seed)
    variant: dict[str, Any] = {}
    if centralised:
        from hffm_opt.learning.baselines.centralised import pooled_from
        from hffm_opt.variants import centralised_start

        variant["pooled"] = pooled_from(problem.scenario)
        problem, given = centralised_start(problem)
    if fedlama is not None:
        from hffm_opt.variants import fedlama_start

        given, variant["fedlama"] = fedlama_start(problem, method, fedlama, request)
    begun = None
    if resume:
        directory, begun = _begun(problem, directory, overwrite, given)
        ways = algorithm_of(problem.scenario.learning, proximal, variant.get("fedlama"), centralised)
        finished = loop.finished_run(directory, rounds, seed, precision, ways)
        if finished is not None:
            return finished
    elif directory is not None:
        loop.claim_directory(directory, overwrite)

    def planner(problem: Problem) -> Outcome:
        from hffm_opt.solvers.registry import solve

        if begun is not None:
            return begun
        if isinstance(given, Outcome):
            return given if variant else loop.adopt_outcome(problem, given)
        if given is not None:
            return loop.adopt_plan(problem, given)
        return solve(problem, method, request, progress)

    def executor(problem: Problem, plan: Plan, **more: Any) -> Trace:
        from hffm_opt.loop.static import StaticCourse

        course = None if problem.scenario.changes is None else StaticCourse(problem)
        return trained(problem, plan, course=course, **more)

    trained: Callable[..., Trace] = partial(
        train_plan,
        rounds=rounds,
        seed=seed,
        evaluate_every=evaluate_every,
        after_only=after_only,
        progress=on_round,
        # One torch thread per core in use: the bits of a run must not depend on how many cores there are.
        threads=usable_cores(),
        directory=directory,
        resume=resume,
        checkpoint_every=checkpoint_every,
        execution=execution,
        max_memory_bytes=max_memory_bytes,
        tell=tell,
        proximal=proximal,
        fetching=where.fetching,
        **variant,
    )
    with followers_of(directory, tensorboard) as followers:
        return loop.run_once(problem, planner, partial(executor, followers=followers), directory, resume, where.plan)


def execution_of(
    device: str, precision: Literal["fp32", "bf16"], tensorboard: bool, out: str | Path | None
) -> Execution:
    """Return how a run is executed; :class:`InputError` where this machine cannot, or scalars have no place to go."""
    from hffm_opt.learning.execution import Execution

    execution = Execution(device, precision)
    execution.check()
    if tensorboard:
        from hffm_opt.learning.board import check_board

        check_board(out)
    return execution


@contextmanager
def followers_of(directory: Path | None, tensorboard: bool) -> Iterator[tuple[Follower, ...]]:
    """Yield what keeps the figures of a run in its directory while it goes on."""
    from hffm_opt.trace.metrics import LiveMetrics

    if directory is None or not tensorboard:
        yield () if directory is None else (LiveMetrics(directory),)
        return
    from hffm_opt.learning.board import Board

    with closing(Board(directory)) as board:
        yield LiveMetrics(directory), board


def _refuse_together(
    plan: PlanLike | None, fedlama: int | None, centralised: bool, kept_neurons: float | None, realign_every: int | None
) -> None:
    """Raise :class:`InputError` where options contradict one another."""
    if plan is not None and (fedlama is not None or centralised):
        what = "--fedlama makes plans as it goes" if fedlama is not None else "--centralised follows no plan"
        raise InputError.one("--plan", what, "leave the plan out")
    if plan is not None and kept_neurons is not None:
        what = "--kept-neurons changes what training costs, so that the plan is one for another scenario"
        raise InputError.one("--plan", what, "leave the plan out, or state learning.kept_neurons in its scenario")
    if fedlama is not None and centralised:
        raise InputError.one("--fedlama / --centralised", "with all data in one place nothing is averaged", "give one")
    if realign_every is not None and kept_neurons is None:
        raise InputError.one("--realign-every", "there is no sub-model to realign", "give --kept-neurons too")


def _refuse_placement(placement: PlacementLike | None) -> None:
    if placement is not None:
        message = "one computer trains one model with all experts"
        raise InputError.one("--placement / --centralised", message, "give one")


def _refuse_unplaced(
    known: str, given: Plan | Outcome, scenario: ScenarioLike, placement: PlacementLike | None, seed: int
) -> None:
    """Raise :class:`InputError` where a plan is one of the scenario before its experts are placed."""
    plan = given.plan if isinstance(given, Outcome) else given
    if plan.scenario.fingerprint != known:
        return
    name = scenario.name if isinstance(scenario, Scenario) else scenario
    told = placement if isinstance(placement, str | Path) else "optimal" if placement is None else "PLACEMENT"
    drawn = f" --seed {seed}" if seed else ""
    repair = f"plan the placed one: hffm plan {name} --placement {told}{drawn} -o PLAN"
    raise InputError.one("--plan", "it plans the scenario as it stands, before its experts are placed", repair)


def _begun(problem: Problem, out: Path | None, overwrite: bool, given: Plan | Outcome | None) -> tuple[Path, Outcome]:
    """Return the directory of a run to resume and the outcome with which it was begun."""
    from hffm_opt import loop

    directory = loop.resumed_directory(out, overwrite)
    outcome = loop.begun_outcome(problem, directory)
    asked = given.plan if isinstance(given, Outcome) else given
    if asked is not None and asked != outcome.plan:
        message = f"the run there was begun with another plan ('{outcome.plan.method}')"
        raise InputError.one(str(directory), message, "leave the plan out, or give another directory")
    return directory, outcome
