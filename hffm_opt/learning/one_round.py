"""One round of a run: training, what follows it, and evaluation in stated phases."""

from __future__ import annotations

from math import fsum

import numpy as np

from hffm_opt.learning.baselines.fedlama import FedLama
from hffm_opt.learning.baselines.fedprox import received
from hffm_opt.learning.baselines.realign import NAME
from hffm_opt.learning.broadcast import broadcast, extended
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
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.plan.circulation import Tier
from hffm_opt.plan.model import Plan
from hffm_opt.trace.course import Course, SoFar
from hffm_opt.trace.model import AccuracyRecord, Broadcast, Phase, TierName, plans_of
from hffm_opt.units import bytes_to_bit

_TIER_NAMES: dict[Tier, TierName] = {Tier.LOCAL: "local", Tier.D2D: "d2d", Tier.EDGE: "edge", Tier.CLOUD: "cloud"}


def run_round(
    run: Prepared,
    now: Progressed,
    number: int,
    force: InForce,
    evaluate: bool,
    after_only: bool,
    fedlama: FedLama | None,
    course: Course | None,
    plan: Plan,
    link: Continued,
) -> None:
    """Run one round under the plan in force; nothing of it is kept before it is complete."""
    engine, looks = force.engine, course is not None and number < run.header.rounds and course.looks(number, plan)
    evaluate = evaluate or looks
    spent_j = fsum(record.energy_j for record in now.rounds) if evaluate else 0.0
    update = run.trainer.train(now.states, force.trains, number, now.anchors)
    accuracy: list[AccuracyRecord] = []
    if evaluate and not (after_only and engine.tier(number) != Tier.LOCAL):
        now_s, train_j = engine.after_training(number, now.clock_s)
        accuracy += _accuracies(run, number, engine, "before-average", force, update.states, now_s, spent_j + train_j)
    result = engine.average(number, update.states, now.clock_s)
    link.note(run, engine, number, update.states, result)
    told: dict[str, object] = {"loss": _mean_loss(update), "load": _mean_load(update)}
    told |= {"sat_out": force.sat_out, "participation": force.participation}
    if looks:
        plans = plans_of(run.engine.plan, now.revisions)
        told["divergence"] = divergences(engine.problem, update.states, plans, number)
    record = result.record.model_copy(update=told)
    states, clock_s, entries = result.states, result.clock_s, result.entries
    fetching = run.header.fetching
    if fetching is not None and fetching.due(number):
        done = fetch(engine.problem, fetching, engine.modules, states, number, float(clock_s.max()))
        states, clock_s, entries = done.states, np.full_like(clock_s, done.end_s), entries + done.entries
        record = extended(record, done.entries, clock_s)
    if evaluate and engine.tier(number) != Tier.LOCAL:
        after_j = spent_j + record.energy_j
        accuracy += _accuracies(run, number, engine, "after-average", force, states, record.end_s, after_j)
    realigner, broadcasts = run.realigner, list[Broadcast]()
    due = realigner is not None and number % realigner.every == 0 and number < run.header.rounds
    # Nobody is there to average with: nothing to realign by.
    if realigner is not None and due and ADAPTERS in result.averaged:
        data = realigner.message(states.of_device(result.averaged[ADAPTERS][0], ADAPTERS), number)
        sent, clock_s = broadcast(engine, number, NAME, data, clock_s)
        realigner.adopt(data)
        entries, record = entries + sent, extended(record, sent, clock_s)
        broadcasts.append(Broadcast(round=number, bits=bytes_to_bit(len(data))))
    pulled = received(now.anchors, states, result.averaged) if run.header.algorithm.proximal else None
    revision = None if fedlama is None else fedlama.revise(number, engine.plan, update.states, result)
    look = None
    if looks and course is not None:
        records, found = (*now.rounds, record), (*now.accuracy, *accuracy)
        look, revision = course.revise(SoFar(plan, records, found, now.ledger, entries, now.revisions, now.looks))
        if revision is not None and revision.notice_bits:
            sent, clock_s = tell_devices(force.network, revision.notice_bits, number, clock_s)
            entries, record = entries + sent, extended(record, sent, clock_s)
    revisions = (revision,) if revision is not None and number < run.header.rounds else ()
    now.add(
        record,
        accuracy,
        entries,
        states,
        clock_s,
        revisions=revisions,
        broadcasts=broadcasts,
        looks=() if look is None else (look,),
        anchors=pulled,
        further=realigner.state() if realigner else {},
    )


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
