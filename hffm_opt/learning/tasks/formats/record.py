"""One question of a data set in a common form, and the account of those that cannot be used."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hffm_opt.errors import Finding, InputError

MOST_FINDINGS = 20  # of one data set in one error; the others are counted
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
Fault = Literal["broken record", "missing picture", "broken picture", "unknown answer"]
RawT = TypeVar("RawT", bound="Raw")


class Raw(BaseModel):
    """Base of the official records: strict types, fields that are not used here are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


@dataclass(frozen=True)
class Record:
    """One question about one picture.

    ``place`` names file and record for messages. ``answers`` are the people's answers (officially ten), or the one
    right answer; ``label`` is what training is told.
    """

    place: str
    picture: Path
    question: str
    answers: tuple[str, ...]
    label: str
    question_type: str
    answer_type: str


class Faults:
    """What is wrong with the records of a data set: an error in the end, or left out and counted.

    Args:
        policy: ``refuse`` or ``skip``, as in a scenario's source.
    """

    def __init__(self, policy: Literal["refuse", "skip"]) -> None:
        self.policy = policy
        self.counts: Counter[Fault] = Counter()
        self._findings: list[Finding] = []

    def add(self, fault: Fault, place: str, message: str, repair: str) -> None:
        """Note that a record cannot be used."""
        self.counts[fault] += 1
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(place, message, f"{repair}, or leave it out with faults: skip"))

    def blank(self, place: str, answers: Sequence[str]) -> bool:
        """Whether a record has no answer, or an empty one, which is noted."""
        if answers and all(answer.strip() for answer in answers):
            return False
        self.add("unknown answer", place, "the record has no answer", "use a file with answers")
        return True

    def settle(self) -> None:
        """Raise an InputError with the findings so far, unless faults are skipped."""
        more = sum(self.counts.values()) - len(self._findings)
        if self.policy == "refuse" and self._findings:
            rest = [Finding("...", f"{more} more records cannot be used", "mend them too")] if more else []
            raise InputError([*self._findings, *rest])


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        InputError: there is no such file, or it is not JSON; the message says where it breaks.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        message = f"cannot be read: {getattr(error, 'strerror', error)}"
        raise InputError.one(str(path), message, "give a readable file") from None
    try:
        found = json.loads(data, object_pairs_hook=_unique)
        return _mended(found) if _SURROGATE.search(data) else found
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}, column {error.colno}"
        raise InputError.one(where, f"broken JSON: {error.msg}", "fetch the file again") from None
    except (ValueError, RecursionError) as error:
        raise InputError.one(str(path), f"broken JSON: {error}", "fetch the file again") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!a} stands twice")
    return found


def _mended(value: Any) -> Any:
    """Return JSON in which halves of characters, which no file or tokeniser takes, are marked as unreadable."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return {_mended(key): _mended(item) for key, item in value.items()} if isinstance(value, dict) else value


def expect(path: Path, data: Any, kind: type, key: str | None = None) -> Any:
    """Return ``data``, or its entry ``key``, once it is a list or a mapping as the format has it.

    Raises:
        InputError: it is not.
    """
    found = data.get(key) if key is not None and isinstance(data, Mapping) else data if key is None else None
    if not isinstance(found, kind):
        form = "a list" if kind is list else "a mapping"
        what = f"'{key}' is" if key else "the file holds"
        raise InputError.one(str(path), f"not this format: {what} not {form}", "check source.format and the file")
    return found


def parse_records(
    model: type[RawT], path: Path, raws: Iterable[tuple[str, Any]], faults: Faults
) -> Iterator[tuple[str, RawT]]:
    """Yield (place, record) of the raw records that have the official fields; note the others as faults.

    Args:
        model: the official fields.
        path: the file, for messages.
        raws: pairs of a record's id and its JSON value.
        faults: the account.
    """
    for name, raw in raws:
        place = f"{path}, record {name}"
        try:
            yield place, model.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "record"
            faults.add("broken record", place, f"{field}: {first['msg']}", "mend the record")


class PictureFolder:
    """A folder of pictures, listed once.

    Args:
        folder: the folder.
        faults: where missing pictures are noted.
    """

    def __init__(self, folder: Path, faults: Faults) -> None:
        self._folder, self._faults = folder, faults
        self._names: dict[Path, frozenset[str]] = {}

    def find(self, place: str, name: str, subfolder: str = "") -> Path | None:
        """Return the path of a record's picture, in the folder or its subfolder; None, noted, where there is none."""
        for folder in (self._folder, self._folder / subfolder):
            if folder not in self._names:
                self._names[folder] = _names_in(folder)
            if name in self._names[folder]:
                return folder / name
        message = f"there is no picture {self._folder / name}"
        self._faults.add("missing picture", place, message, "fetch the picture")
        return None


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):  # no such folder, or no name for one
        return frozenset()


def most_common(answers: Sequence[str]) -> str:
    """Return the answer that most people gave, of several the one that was given first."""
    return Counter(answers).most_common(1)[0][0]
