"""All that a run needs before its first round: backbone, data, trainer, evaluator, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf

from hffm_opt.errors import InputError
from hffm_opt.learning.aggregation import Statistic
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.baselines.centralised import DataOf
from hffm_opt.learning.baselines.fedlama import FedLama
from hffm_opt.learning.baselines.fedpft import check_parts, sub_backbone
from hffm_opt.learning.baselines.realign import Realigner
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.execution import Execution
from hffm_opt.learning.fetching import holders
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.memory import fitting, resident_bytes, sizes_of
from hffm_opt.learning.modules import Module, initial_model, learned_modules
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.transport import Post
from hffm_opt.plan.fetching import Fetching, fetch_paths
from hffm_opt.plan.model import Plan
from hffm_opt.problem.model import Problem
from hffm_opt.scenario.model import Learning
from hffm_opt.seeds import derive_entropy
from hffm_opt.trace.model import (
    Algorithm,
    ExecutionRecord,
    RunHeader,
)
from hffm_opt.trace.provenance import provenance


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that stays the same from round to round.

    ``evaluator`` tests devices with the modules that they own, ``served`` with those that they have fetched besides.
    """

    problem: Problem
    header: RunHeader
    engine: RoundEngine
    trainer: LocalTrainer
    evaluator: Evaluator
    served: Evaluator
    data: FederatedData
    start: StackedStates
    realigner: Realigner | None


@dataclass(frozen=True)
class Room:
    """Where a run may compute: device, most devices together, threads, most bytes, and whom to tell of the need."""

    execution: Execution
    group_size: int
    threads: int | None
    limit: int | None = None
    tell: Callable[[str], None] | None = None


def algorithm_of(learning: Learning, proximal: float | None, fedlama: FedLama | None, centralised: bool) -> Algorithm:
    """Return what a run does besides local training and its plan's averages.

    Args:
        learning: the scenario's.
        proximal: FedProx's mu in place of the scenario's.
        fedlama: what lets intervals follow the training.
        centralised: one device stands for all.

    Raises:
        InputError: mu is negative or not finite.
    """
    mu = (learning.proximal or 0.0) if proximal is None else proximal
    if not 0 <= mu < inf:
        raise InputError.one("proximal", f"{mu} is no strength", "give a finite number of at least 0")
    return Algorithm(
        proximal=mu,
        fedlama=fedlama.intervals if fedlama else None,
        centralised=centralised,
        kept_neurons=learning.kept_neurons or 1.0,
        realign_every=learning.realign_every,
    )


def prepare(
    problem: Problem,
    plan: Plan,
    rounds: int,
    seed: int,
    room: Room,
    ways: Algorithm,
    data_of: DataOf,
    phase: int = 0,
    fetching: Fetching | None = None,
) -> Prepared:
    """Return a run that is ready for its first round; of a run in phases, each draws orders of samples of its own.

    Raises:
        InputError: the modules are not those of the backbone, a payload is not as planned, the memory does not suffice,
            no links lead to whoever is to fetch.
    """
    scenario = problem.scenario
    learning, execution, threads = scenario.learning, room.execution, room.threads
    backbone = load_backbone(learning.backbone)
    data = data_of(scenario, seed, backbone.form)
    modules = learned_modules(backbone, learning, data.answers, data.modalities)
    start = initial_model(modules, seed)
    check_modules(problem, modules)
    for name, state in start.items():
        Post(problem, modules, 0).encode(name, Statistic.of(state, 1.0))
    kept = {name: problem.owners[:, m] for m, name in enumerate(problem.modules) if modules[name].kind == "expert"}
    if ways.kept_neurons < 1:
        check_parts(backbone, learning, ways.kept_neurons, data.answers, data.modalities)
    trained = sub_backbone(backbone, ways.kept_neurons, seed, threads) if ways.kept_neurons < 1 else backbone
    for part in {id(part): part for part in (backbone, trained)}.values():
        part.to(execution.device)
    held = resident_bytes()
    sizes = sizes_of(trained, modules, data, learning, threads, execution, anchored=ways.proximal > 0)
    setting, need = fitting(sizes, room.group_size, held, room.limit)
    if room.tell is not None:
        room.tell(need.words(held))
    header = RunHeader(
        scenario=scenario.name,
        fingerprint=problem.fingerprint,
        method=plan.method,
        backbone=learning.backbone,
        seed=seed,
        rounds=rounds,
        baseline=data.majority,
        skipped=data.skipped,
        provenance=provenance(),
        execution=ExecutionRecord(**asdict(execution), **asdict(setting), memory_bytes=need.total),
        algorithm=ways,
        fetching=fetching,
    )
    cache, every = setting.cache_bytes, ways.realign_every
    evaluator = Evaluator(backbone, data, modules, owners=kept, threads=threads, cache_bytes=cache, execution=execution)
    if fetching is not None:
        fetch_paths(problem, fetching)
    return Prepared(
        problem=problem,
        header=header,
        engine=RoundEngine(problem, plan, modules),
        trainer=LocalTrainer(
            trained,
            modules,
            data,
            learning,
            derive_entropy(seed, "phase", phase) if phase else seed,
            owners=kept,
            group_size=setting.group_size,
            threads=threads,
            cache_bytes=cache,
            execution=execution,
            proximal=ways.proximal,
        ),
        evaluator=evaluator,
        served=evaluator if fetching is None else evaluator.holding(holders(problem, fetching, kept)),
        data=data,
        start=StackedStates.repeat(start, data.devices),
        realigner=Realigner(backbone, trained, every, seed, threads, execution) if every else None,
    )


def check_modules(problem: Problem, modules: dict[str, Module]) -> None:
    """Raise :class:`InputError` where the scenario's trainable modules are not those of the backbone."""
    if set(problem.modules) != set(modules):
        raise InputError.one(
            "modules",
            f"the scenario trains {', '.join(problem.modules)}; this backbone has {', '.join(modules)}",
            "write the model card anew from this backbone and use its modules",
        )
