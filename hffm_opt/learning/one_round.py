"""One round of a run: training, what follows it, and evaluation in stated phases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import fsum

import numpy as np

from hffm_opt.learning.baselines.fedlama import FedLama
from hffm_opt.learning.baselines.fedprox import received
from hffm_opt.learning.baselines.realign import NAME
from hffm_opt.learning.broadcast import broadcast
from hffm_opt.learning.continued import Continued
from hffm_opt.learning.divergence import divergences
from hffm_opt.learning.engines import InForce
from hffm_opt.learning.engines import tell as tell_devices
from hffm_opt.learning.fetching import fetch
from hffm_opt.learning.local import LocalUpdate
from hffm_opt.learning.modules.module import ADAPTERS, head_name
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.prepare import Prepared
from hffm_opt.learning.progressed import Progressed
from hffm_opt.learning.rounds import RoundEngine, RoundResult
from hffm_opt.plan.circulation import Tier
from hffm_opt.plan.model import Plan
from hffm_opt.trace.course import Course, SoFar
from hffm_opt.trace.model import AccuracyRecord, Broadcast, Phase, TierName, plans_of
from hffm_opt.units import bytes_to_bit

_TIER_NAMES: dict[Tier, TierName] = {Tier.LOCAL: "local", Tier.D2D: "d2d", Tier.EDGE: "edge", Tier.CLOUD: "cloud"}


@dataclass(frozen=True, eq=False)
class Conduct:
    """What the rounds of a run have in common besides what is trained.

    Attributes:
        evaluated: the rounds whose accuracy is measured.
        after_only: measure it just before averages only in rounds that have none.
        fedlama: lets each module's interval follow the training.
        course: what happens to the network, and the plans that take over.
        link: what the run takes over from the run before, and leaves for the one after.
    """

    evaluated: frozenset[int]
    after_only: bool
    fedlama: FedLama | None
    course: Course | None
    link: Continued


def run_round(run: Prepared, now: Progressed, number: int, force: InForce, plan: Plan, conduct: Conduct) -> None:
    """Run one round under the plan in force; nothing of it is kept before it is complete.

    Args:
        run: the run.
        now: how far it is; the round is added to it.
        number: the round, from 1.
        force: what carries the round out.
        plan: the plan in force.
        conduct: what all rounds have in common.
    """
    engine, course = force.engine, conduct.course
    looks = course is not None and number < run.header.rounds and course.looks(number, plan)
    evaluate = looks or number in conduct.evaluated
    spent_j = fsum(record.energy_j for record in now.rounds) if evaluate else 0.0
    update = run.trainer.train(now.states, force.trains, number, now.anchors)
    accuracy: list[AccuracyRecord] = []
    if evaluate and not (conduct.after_only and engine.tier(number) != Tier.LOCAL):
        now_s, train_j = engine.after_training(number, now.clock_s)
        accuracy += _accuracies(run, number, engine, "before-average", force, update.states, now_s, spent_j + train_j)
    averaged = engine.average(number, update.states, now.clock_s)
    conduct.link.note(run, engine, number, update.states, averaged)
    told: dict[str, object] = {"loss": _mean_loss(update), "load": _mean_load(update)}
    told |= {"sat_out": force.sat_out, "participation": force.participation}
    if looks:
        plans = plans_of(run.engine.plan, now.revisions)
        told["divergence"] = divergences(engine.problem, update.states, plans, number)
    done = replace(averaged, record=averaged.record.model_copy(update=told))
    done = _fetched(run, engine, number, done)
    if evaluate and engine.tier(number) != Tier.LOCAL:
        after_j = spent_j + done.record.energy_j
        accuracy += _accuracies(run, number, engine, "after-average", force, done.states, done.record.end_s, after_j)
    done, broadcasts = _realigned(run, engine, number, done)
    pulled = received(now.anchors, done.states, done.averaged) if run.header.algorithm.proximal else None
    revision = None
    if conduct.fedlama is not None:
        revision = conduct.fedlama.revise(number, engine.plan, update.states, averaged)
    look = None
    if looks and course is not None:
        records, found = (*now.rounds, done.record), (*now.accuracy, *accuracy)
        so_far = SoFar(plan, records, found, now.ledger, done.entries, now.revisions, now.looks)
        look, revision = course.revise(so_far)
        if revision is not None and revision.notice_bits:
            done = done.then(*tell_devices(force.network, revision.notice_bits, number, done.clock_s))
    now.add(
        done.record,
        accuracy,
        done.entries,
        done.states,
        done.clock_s,
        revisions=(revision,) if revision is not None and number < run.header.rounds else (),
        broadcasts=broadcasts,
        looks=() if look is None else (look,),
        anchors=pulled,
        further=run.realigner.state() if run.realigner else {},
    )


def _fetched(run: Prepared, engine: RoundEngine, number: int, done: RoundResult) -> RoundResult:
    """Return the round with the experts that devices fetch after it; nobody goes on until the last copy has come."""
    fetching = run.header.fetching
    if fetching is None or not fetching.due(number):
        return done
    found = fetch(engine.problem, fetching, engine.modules, done.states, number, float(done.clock_s.max()))
    return replace(done, states=found.states).then(found.entries, np.full_like(done.clock_s, found.end_s))


def _realigned(
    run: Prepared, engine: RoundEngine, number: int, done: RoundResult
) -> tuple[RoundResult, tuple[Broadcast, ...]]:
    """Return the round with the realigned neurons that the cloud sends after it, and how many bits they are."""
    realigner = run.realigner
    if realigner is None or number % realigner.every or number >= run.header.rounds:
        return done, ()
    # Nobody is there to average with: nothing to realign by.
    if ADAPTERS not in done.averaged:
        return done, ()
    data = realigner.message(done.states.of_device(done.averaged[ADAPTERS][0], ADAPTERS), number)
    sent, clock_s = broadcast(engine, number, NAME, data, done.clock_s)
    realigner.adopt(data)
    return done.then(sent, clock_s), (Broadcast(round=number, bits=bytes_to_bit(len(data))),)


def _mean_loss(update: LocalUpdate) -> dict[str, float]:
    """Return the mean loss per task over all samples."""
    weights = {task: samples.astype(float) for task, samples in update.samples.items() if samples.any()}
    return {task: float(np.nansum(update.loss[task] * weight) / weight.sum()) for task, weight in weights.items()}


def _mean_load(update: LocalUpdate) -> dict[str, float]:
    """Return the share of all tokens that each expert was given, every sample counting the same."""
    samples = np.sum(list(update.samples.values()), axis=0)
    return {name: float(load @ samples / samples.sum()) for name, load in update.load.items()}


def _accuracies(
    run: Prepared,
    number: int,
    engine: RoundEngine,
    phase: Phase,
    force: InForce,
    states: StackedStates,
    clock_s: float,
    energy_j: float,
) -> list[AccuracyRecord]:
    """Evaluate every device that owns a task's head, all with equal weight.

    Devices that have fetched experts answer with these too; copies are those of the last fetch.
    """
    fetching, records = run.header.fetching, list[AccuracyRecord]()
    since = number if phase == "after-average" else number - 1
    evaluator = run.evaluator if fetching is None or since < fetching.every else run.served
    for task in run.data.tasks:
        head = head_name(task)
        owners = np.flatnonzero(force.network.owners[:, run.problem.modules.index(head)]).tolist()
        devices = sorted(owners, key=run.data.streams.__getitem__)  # as in training
        if not devices:
            continue
        found = evaluator.evaluate(states, task, devices)
        families, answer_types = (
            {kind: _mean([part[kind] for part in parts]) for kind in parts[0]}
            for parts in ([a.by_family for a in found], [a.by_answer_type for a in found])
        )
        records.append(
            AccuracyRecord(
                round=number,
                phase=phase,
                tier=_TIER_NAMES[engine.tier(number)],
                task=task,
                accuracy=_mean([accuracy.value for accuracy in found]),
                devices=len(devices),
                states=evaluator.distinct(states, task, devices),
                clock_s=clock_s,
                energy_j=energy_j,
                families=families,
                answer_types=answer_types,
            )
        )
    return records


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)
