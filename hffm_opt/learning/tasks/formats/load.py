"""From a scenario's source to the samples of a task, in the form in which embedded tasks come too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.learning.metrics import exact_scores, soft_scores
from hffm_opt.learning.tasks.form import InputForm
from hffm_opt.learning.tasks.formats import aqua, gqa, vizwiz, vqa
from hffm_opt.learning.tasks.formats.record import Faults, Record
from hffm_opt.learning.tasks.formats.select import cap_labels, hold_out, most_frequent_labels
from hffm_opt.learning.tasks.pictures import PictureFiles
from hffm_opt.learning.tasks.tokens import encode_freely
from hffm_opt.learning.tasks.values import Task, TaskData
from hffm_opt.scenario.model import DataFiles, DataFormat, Source
from hffm_opt.scenario.model import Task as TaskSpec
from hffm_opt.serial import check_writable

READERS: Mapping[DataFormat, Callable[[DataFiles, Faults], Iterator[Record]]] = {
    "gqa": gqa.read,
    "vqa-v2": vqa.read_v2,
    "vqa-cp-v2": vqa.read_cp_v2,
    "aqua": aqua.read,
    "vizwiz": vizwiz.read,
}


@dataclass(frozen=True, eq=False)
class SourcedTask:
    """A task from files: its samples for training and testing, and how many records were left out, by reason."""

    task: Task
    train: TaskData
    test: TaskData
    skipped: Mapping[str, int]


def load_source(spec: TaskSpec, source: Source, form: InputForm) -> SourcedTask:
    """Return the samples of a task whose data are in official files.

    Its answers are the ``spec.answers`` most frequent labels of the training file; of each at most
    ``source.samples_per_answer`` samples are kept. Without test files, whole pictures are held out. Pictures stay on
    disk until a batch needs them.

    Args:
        spec: the scenario's task.
        source: its source.
        form: how the backbone reads pictures and questions.

    Raises:
        InputError: a file is missing, broken or of another format; the cache takes no files; there are fewer answers
            than asked for; with ``faults: refuse``, a record cannot be used.
    """
    if source.cache:
        check_writable(Path(source.cache) / "pixels")
    faults = Faults(source.faults)
    train = list(READERS[source.format](source.train, faults))
    faults.settle()
    answers = most_frequent_labels(train, spec.answers)
    if len(answers) < spec.answers:
        message = f"{spec.answers} answers are asked for and {source.train.questions} has {len(answers)}"
        raise InputError.one(f"tasks.{spec.name}.answers", message, f"use {len(answers)} or fewer")
    train = _readable(cap_labels(train, answers, source.samples_per_answer, spec.name), source, form, faults)
    if source.test is None:
        train, test = hold_out(train, source.test_share, spec.name)
    else:
        test = _known(list(READERS[source.format](source.test, faults)), answers, faults)
        faults.settle()
        test = _readable(test, source, form, faults)
    for split, records in (("training", train), ("testing", test)):
        if not records:
            message = f"no sample is left for {split}"
            raise InputError.one(f"tasks.{spec.name}.source", message, "use more data or another test_share")
    return SourcedTask(
        Task(spec.name, ("image", "text"), answers),
        _collate(train, answers, source, form),
        _collate(test, answers, source, form, scored=True),
        dict(sorted(faults.counts.items())),
    )


def _known(records: Sequence[Record], answers: Sequence[str], faults: Faults) -> list[Record]:
    """Return the records whose label is one of ``answers``; note the others."""
    for record in records:
        if record.label not in answers:
            message = f"the answer '{record.label}' is none of the task's {len(answers)}"
            faults.add("unknown answer", record.place, message, "ask for more answers")
    return [record for record in records if record.label in answers]


def _readable(records: Sequence[Record], source: Source, form: InputForm, faults: Faults) -> list[Record]:
    """Return the records whose pictures can be decoded, and note the others, if faults are skipped; else all."""
    if source.faults == "refuse":
        return list(records)  # found out, with the record's name, when a batch needs the picture
    whole: dict[Path, bool] = {}
    for record in records:
        if record.picture not in whole:
            try:
                _pictures([record], source, form)[np.arange(1)]
            except InputError:
                whole[record.picture] = False
            else:
                whole[record.picture] = True
        if not whole[record.picture]:
            faults.add("broken picture", record.place, f"{record.picture} cannot be read", "fetch the picture again")
    return [record for record in records if whole[record.picture]]


def _pictures(records: Sequence[Record], source: Source, form: InputForm) -> PictureFiles:
    cache = Path(source.cache) if source.cache else None
    return PictureFiles([r.picture for r in records], [r.place for r in records], form.image_size, cache)


def _collate(
    records: Sequence[Record], answers: Sequence[str], source: Source, form: InputForm, scored: bool = False
) -> TaskData:
    """Return records as a task's data; ``scored`` adds what every answer is worth."""
    index = {answer: i for i, answer in enumerate(answers)}
    input_ids, attention_mask = encode_freely([record.question for record in records], form.tokenizer, form.text_length)
    points = None
    if scored:
        points = exact_scores([record.label for record in records], answers)
        asked = [i for i, record in enumerate(records) if len(record.answers) > 1]
        points[asked] = soft_scores([records[i].answers for i in asked], answers)
    return TaskData(
        images=_pictures(records, source, form),
        input_ids=input_ids,
        attention_mask=attention_mask,
        answers=np.array([index[record.label] for record in records], dtype=np.int64),
        families=tuple(record.question_type for record in records),
        answer_types=tuple(record.answer_type for record in records),
        points=points,
    )
