"""Collaborative inference as planned: segments run where the plan says, and what they make crosses the links as bytes.

The clock is simulated: a computation lasts its counted FLOPs at the node's speed, a transfer what the link's law says,
and each starts when what it needs is there. Nothing is added up in closed form; that the ledger's means equal the
referee's prediction is a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum

import numpy as np
import torch
from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.inference.exits import Exits, TaskHeads, exit_logits, masked
from hffm_opt.learning.inference.model import AnsweringModel
from hffm_opt.learning.inference.request import RequestLedger
from hffm_opt.learning.inference.segments import Message, SplitModel, answer_message
from hffm_opt.learning.inference.thresholds import uncertainty
from hffm_opt.learning.tasks import TaskData
from hffm_opt.plan.inference import ClassPlan, InferencePlan, InferenceProblem
from hffm_opt.plan.inference.network import Asked
from hffm_opt.plan.inference.referee import ClassCost, check_inference_plan, class_cost, with_exits_of
from hffm_opt.trace.files import text_digest
from hffm_opt.trace.inference import ClassResult, Cost, InferenceEntry, InferenceTrace, ledger_text
from hffm_opt.trace.provenance import provenance

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to one request: its index, where it ended, when it was back, and the logits that gave it."""

    answer: int
    ended: str
    latency_s: float
    energy_j: float
    logits: np.ndarray


class SplitRunner:
    """Answers the requests of one class by the split model.

    Args:
        inference: the problem, with the plan's exits.
        asked: the class.
        part: its placement.
        model: the task's model in segments.
        heads: the exits' heads and open answers.
    """

    def __init__(
        self, inference: InferenceProblem, asked: Asked, part: ClassPlan, model: SplitModel, heads: TaskHeads
    ) -> None:
        self._inference, self._asked, self._part = inference, asked, part
        self._model, self._heads = model, heads
        self._thresholds = {place.after: place.threshold for place in asked.exits}
        self.kind = inference.section.uncertainty

    def answer(self, data: TaskData, index: int, number: int) -> tuple[Answer, list[InferenceEntry]]:
        """Answer one sample; return the answer and what the ledger keeps of it."""
        asked = self._asked
        run = RequestLedger(self._inference, asked.spec.name, number, number / asked.spec.rate_per_s)
        with torch.inference_mode():
            values, now = self._tokens(run, data, index)
            return self._through(run, values, now), run.entries

    def _tokens(self, run: RequestLedger, data: TaskData, index: int) -> tuple[Message, float]:
        """Run the encoders where they are placed, and return all tokens and when they are at the trunk."""
        chain, where, origin = self._asked.chain, self._part.nodes, self._asked.spec.device
        first, tokens = where[chain.trunk[0].name], Message()
        made: list[tuple[str, str, list[Message], int, float]] = []
        sending_until = ready_s = 0.0
        for node in self._asked.nodes:
            mine = [encoder for encoder in chain.encoders if where[encoder.name] == node]
            if not mine:
                continue
            messages, now = [self._model.raw(data, index, encoder.modality) for encoder in mine], 0.0
            if node != origin:
                bits = sum(encoder.input_bit for encoder in mine)
                now = sending_until = run.send(messages, bits, "input", (origin, node), sending_until)
            for i, encoder in enumerate(mine):
                messages[i] = self._model.encode(encoder.modality, messages[i])
                now = run.compute(node, encoder.name, encoder.flop, now)
            names = ",".join(encoder.name for encoder in mine)
            made.append((node, names, messages, sum(encoder.output_bit for encoder in mine), now))
        for node, names, messages, bits, done in made:
            # What a device sends of its own waits until its raw inputs are on their way.
            start_s = max(done, sending_until) if node == origin else done
            ready_s = max(ready_s, run.send(messages, bits, names, (node, first), start_s))
            tokens |= {name: value for message in messages for name, value in message.items()}
        return tokens, ready_s

    def _through(self, run: RequestLedger, values: Message, now: float) -> Answer:
        """Run the trunk until an exit is certain enough, and send the answer back."""
        asked, where = self._asked, self._part.nodes
        trunk = asked.chain.trunk
        for j, segment in enumerate(trunk):
            node, pooled = where[segment.name], values.get("pooled")
            values = self._model.run(j, values)
            now = run.compute(node, segment.name, float(asked.trunk_flop[j]), now)
            ended = self._ended(segment.name, values, pooled)
            if ended is not None:
                logits, choice, unsure = ended
                back = [answer_message(choice, 1.0 - unsure)]
                now = run.send(back, asked.chain.answer_bit, "answer", (node, asked.spec.device), now)
                found = int(back[0]["answer"])
                return Answer(found, segment.name, now, fsum(entry.joules for entry in run.entries), logits)
            messages = [values]
            now = run.send(messages, segment.output_bit, segment.name, (node, where[trunk[j + 1].name]), now)
            values = messages[0]
        raise AssertionError("the last segment gives an answer")

    def _ended(self, name: str, values: Message, pooled: Tensor | None) -> tuple[np.ndarray, int, float] | None:
        """Return logits [A], answer and uncertainty if the request ends behind a segment."""
        open_set = self._heads.open_set
        if "logits" in values:
            logits = values["logits"][0].double().numpy()
            own = masked(logits, None if open_set is None else open_set.unseen)
            choice = own.argmax(axis=1)
            if open_set is not None:
                assert pooled is not None
                choice = open_set.answer(pooled.double().numpy(), choice)
            return values["logits"][0, 0].numpy(), int(choice[0]), float(uncertainty(own, self.kind)[0])
        if name not in self._thresholds:
            return None
        logits = exit_logits(self._heads.heads[name], values)
        unsure = float(uncertainty(logits, self.kind)[0])
        return (logits[0], int(logits[0].argmax()), unsure) if unsure <= self._thresholds[name] else None


def run_inference(
    inference: InferenceProblem,
    plan: InferencePlan,
    model: AnsweringModel,
    exits: Exits | None = None,
    samples: int | None = None,
    tell: Tell = lambda _: None,
) -> tuple[InferenceTrace, list[InferenceEntry]]:
    """Answer requests of every class as planned, and hold answers and costs against the unsplit model and the referee.

    Args:
        inference: the problem.
        plan: a plan made for it.
        model: the model that answers.
        exits: the calibration that the plan's exits are of.
        samples: requests of each class, test samples in order; all of them if not given.
        tell: told what runs.

    Returns:
        The trace and the ledger's entries.

    Raises:
        InputError: the plan is not for this problem, its exits are not those given, the chains are not the model's.
    """
    check_inference_plan(inference, plan)
    if samples is not None and samples < 1:
        raise InputError.one("--samples", f"{samples} is below 1", "give how many requests of each class to answer")
    inference = with_exits_of(inference, plan)
    entries: list[InferenceEntry] = []
    results = []
    for asked, part in zip(inference.classes, plan.classes, strict=True):
        tell(f"answering {asked.spec.name}")
        heads = _heads_for(asked, plan, model, exits)
        split = model.split(asked.spec.task)
        if (found := tuple(piece.name for piece in split.trunk)) != tuple(s.name for s in asked.chain.trunk):
            message = f"the model's segments are {', '.join(found)}"
            raise InputError.one("inference.chains", message, "count the chains anew from this model")
        data = model.test(asked.spec.task, samples)
        runner = SplitRunner(inference, asked, part, split, heads)
        answered = [runner.answer(data, i, i) for i in range(len(data))]
        for _, own in answered:
            entries += own
        results.append(_result(inference, asked, part, split, heads, data, [answer for answer, _ in answered]))
    trace = InferenceTrace(
        scenario=inference.reference,
        method=plan.method,
        seed=model.seed,
        weights=model.fingerprint,
        provenance=provenance(),
        classes=tuple(results),
        ledger=text_digest(ledger_text(entries)),
    )
    return trace, entries


def _heads_for(asked: Asked, plan: InferencePlan, model: AnsweringModel, exits: Exits | None) -> TaskHeads:
    if not asked.exits and asked.open_answers is None:
        return TaskHeads({})
    where = f"classes.{asked.spec.name}.exits"
    repair = "give the calibration that the plan was made with: --exits DIR"
    if exits is None:
        raise InputError.one(where, "the plan has early exits, and their heads are not given", repair)
    chosen = exits.calibration.tasks.get(asked.spec.task)
    if chosen is None or (chosen.exits, chosen.open_answers) != (asked.exits, asked.open_answers):
        raise InputError.one(where, "the plan was made with another calibration", repair)
    if exits.calibration.weights != model.fingerprint or exits.calibration.uncertainty != plan.uncertainty:
        raise InputError.one(where, "the calibration is one of other weights", "calibrate with the run that answers")
    return exits.tasks[asked.spec.task]


def _result(
    inference: InferenceProblem,
    asked: Asked,
    part: ClassPlan,
    split: SplitModel,
    heads: TaskHeads,
    data: TaskData,
    answers: list[Answer],
) -> ClassResult:
    """Return what a class achieved: the unsplit model answers the same samples, the referee judges the same shares."""
    rows, count, last = np.arange(len(data)), len(answers), asked.chain.trunk[-1].name
    unseen = None if heads.open_set is None else heads.open_set.unseen
    with torch.inference_mode():
        whole = [split.whole(data, i) for i in range(count)]
    full = np.array([_full_answer(split, heads, data, i, logits, unseen) for i, logits in enumerate(whole)])
    given = np.array([answer.answer for answer in answers])
    early = np.array([answer.ended != last for answer in answers])
    same = [np.array_equal(a.logits, w.numpy()) for a, w in zip(answers, whole, strict=True) if a.ended == last]
    ended = {part.name: sum(a.ended == part.name for a in answers) / count for part in asked.chain.trunk}
    shares = np.array(list(ended.values()))
    return ClassResult(
        name=asked.spec.name,
        task=asked.spec.task,
        requests=count,
        accuracy=float(data.worth(rows, given).mean()),
        accuracy_full=float(data.worth(rows, full).mean()),
        unsplit=len(same),
        identical=sum(same),
        early_answers_equal=float((given == full)[early].mean()) if early.any() else None,
        ended={name: share for name, share in ended.items() if share},
        planned=_cost(class_cost(inference, asked, part)),
        predicted=_cost(class_cost(inference, asked, part, shares)),
        measured=Cost(
            latency_s=fsum(answer.latency_s for answer in answers) / count,
            energy_j=fsum(answer.energy_j for answer in answers) / count,
        ),
    )


def _full_answer(
    split: SplitModel, heads: TaskHeads, data: TaskData, index: int, logits: Tensor, unseen: np.ndarray | None
) -> int:
    """Return the unsplit model's answer to a sample, by the same rule for answers that its head lacks."""
    own = masked(logits.double().numpy()[None], unseen).argmax(axis=1)
    if heads.open_set is not None:
        own = heads.open_set.answer(split.pooled(data, index).double().numpy(), own)
    return int(own[0])


def _cost(cost: ClassCost) -> Cost:
    return Cost(latency_s=cost.latency_s, energy_j=cost.energy_j)
