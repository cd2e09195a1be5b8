"""VQA v2 and VQA-CP v2: questions and annotations in two files, ten people's answers each.

VQA v2 keeps both in a mapping (``questions``, ``annotations``) that names its pictures' ``data_subtype``; VQA-CP v2
keeps flat lists whose records name their ``coco_split``. Pictures are COCO's,
``COCO_{subtype}_{image_id:012d}.jpg``, in the folder given or in its folder ``{subtype}``.

Sources: Goyal et al., arXiv 1612.00837; Agrawal et al., arXiv 1712.00377.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from hffm_opt.errors import InputError
from hffm_opt.learning.tasks.formats.record import Faults, PictureFolder, Raw, Record, expect, parse_records, read_json
from hffm_opt.scenario.model import DataFiles


class _Question(Raw):
    image_id: int
    question: str
    question_id: int
    coco_split: str = ""


class _Answer(Raw):
    answer: str


class _Annotation(Raw):
    question_id: int
    question_type: str
    answer_type: str
    multiple_choice_answer: str
    answers: list[_Answer]


RecordT = TypeVar("RecordT", _Question, _Annotation)


def _named(raws: list[Any]) -> Iterator[tuple[str, Any]]:
    for i, raw in enumerate(raws):
        name = raw.get("question_id") if isinstance(raw, dict) else None
        yield str(name if name is not None else f"[{i}]"), raw


def _once(records: Iterable[tuple[str, RecordT]], faults: Faults) -> Iterator[tuple[str, RecordT]]:
    """Yield the records whose id has not been there before, and note the others."""
    seen = set[int]()
    for place, raw in records:
        if raw.question_id in seen:
            faults.add("broken record", place, "its question_id has stood there before", "keep one of the two")
        else:
            seen.add(raw.question_id)
            yield place, raw


def _join(
    files: DataFiles, questions: list[Any], annotations: list[Any], subtype: str | None, faults: Faults
) -> Iterator[Record]:
    path, answers_path = Path(files.questions), Path(files.annotations or "")
    pictures = PictureFolder(Path(files.images), faults)
    answered = {
        raw.question_id: raw
        for _, raw in _once(parse_records(_Annotation, answers_path, _named(annotations), faults), faults)
    }
    for place, raw in _once(parse_records(_Question, path, _named(questions), faults), faults):
        note = answered.get(raw.question_id)
        if note is None:
            message = f"{answers_path} has no such question that can be read"
            faults.add("unknown answer", place, message, "use files that belong together")
            continue
        answers = tuple(item.answer for item in note.answers)
        if faults.blank(place, (note.multiple_choice_answer, *answers) if answers else ()):
            continue
        folder = subtype if subtype is not None else raw.coco_split
        if picture := pictures.find(place, f"COCO_{folder}_{raw.image_id:012d}.jpg", folder):
            label = note.multiple_choice_answer
            yield Record(place, picture, raw.question, answers, label, note.question_type, note.answer_type)


def _annotations(files: DataFiles) -> Path:
    if files.annotations is None:
        raise InputError.one(files.questions, "the answers are in a second file", "name it as annotations")
    return Path(files.annotations)


def read_v2(files: DataFiles, faults: Faults) -> Iterator[Record]:
    """Yield the questions of a VQA v2 split whose answers and pictures are there; note the others in ``faults``.

    Raises:
        InputError: a file is missing, broken, or of another form.
    """
    path, answers_path = Path(files.questions), _annotations(files)
    data, notes = read_json(path), read_json(answers_path)
    questions, annotations = expect(path, data, list, "questions"), expect(answers_path, notes, list, "annotations")
    subtype = data.get("data_subtype")
    if not isinstance(subtype, str):
        raise InputError.one(
            str(path), "not this format: 'data_subtype' is missing", "check source.format and the file"
        )
    return _join(files, questions, annotations, subtype, faults)


def read_cp_v2(files: DataFiles, faults: Faults) -> Iterator[Record]:
    """Yield the questions of a VQA-CP v2 split, as :func:`read_v2` does."""
    path, answers_path = Path(files.questions), _annotations(files)
    questions, annotations = expect(path, read_json(path), list), expect(answers_path, read_json(answers_path), list)
    return _join(files, questions, annotations, None, faults)
