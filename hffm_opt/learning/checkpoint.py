"""Checkpoints: all that the next round needs, kept so that a run can go on to the same bits whenever it was stopped.

Random streams are derived from (seed, round, ...), optimisers start anew in every round: so a round needs the devices'
copies and the cells' clocks, and the run's end the records of the rounds before. Records are only ever appended to
``rounds.jsonl``, a line a round; ``state.safetensors`` is replaced as a whole and says how many bytes of the records
belong to it, with their SHA-256. Whatever stands behind these bytes was being written when the run was stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.progressed import Progressed
from hffm_opt.learning.tensors import Form, check_form, digest, pack, unpack
from hffm_opt.serial import differences, write_bytes
from hffm_opt.trace.files import CHECKPOINT
from hffm_opt.trace.ledger import LedgerEntry
from hffm_opt.trace.model import AccuracyRecord, Broadcast, Look, Revision, RoundRecord

FORMAT = "hffm-checkpoint/1"
STATE, ROUNDS = "state.safetensors", "rounds.jsonl"
CLOCK, ANCHORS, FURTHER = "clock_s", "anchors//", "further//"
_REPAIR = "run anew: --overwrite"


class Checkpoints:
    """The checkpoint of one run directory.

    Args:
        directory: the run directory.
        identity: what must be the same for a run to go on: texts to JSON values.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self._folder, self._identity = directory / CHECKPOINT, json.loads(json.dumps(dict(identity)))
        # What the checkpoint holds.
        self._lengths: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
        self._bytes = 0
        self._sum = hashlib.sha256()

    def write(self, now: Progressed) -> None:
        """Write the run as it stands after its last complete round, unless that is written already.

        Raises:
            InputError: nothing can be written, e.g. the disk is full; the checkpoint before stays as it is.
        """
        if now.number == self._lengths[0]:
            return
        try:
            self._write(now)
        except OSError as error:
            message = f"the checkpoint of round {now.number} cannot be written: {error.strerror}"
            repair = f"make room and go on from round {self._lengths[0]}: --resume"
            raise InputError.one(str(self._folder), message, repair) from error

    def _write(self, now: Progressed) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        lines, whole = b"".join(self._lines(now)), self._sum.copy()
        whole.update(lines)
        with open(self._folder / ROUNDS, "r+b" if self._bytes else "wb") as stream:
            # Not at the file's end: there may stand what was being written when the run was stopped.
            stream.seek(self._bytes)
            stream.write(lines)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        tensors = {**_tensors(now.states), **{f"{FURTHER}{name}": tensor for name, tensor in now.further.items()}}
        if now.anchors is not now.start:
            tensors |= {f"{ANCHORS}{name}": tensor for name, tensor in _tensors(now.anchors).items()}
        tensors |= {CLOCK: torch.from_numpy(np.asarray(now.clock_s, dtype=np.float64))}
        index = {
            "format": FORMAT,
            "identity": self._identity,
            "records": [self._bytes + len(lines), whole.hexdigest()],
            "sha256": digest(tensors),
        }
        write_bytes(self._folder / STATE, pack(tensors, {"checkpoint": json.dumps(index)}))
        self._holds(now, self._bytes + len(lines), whole)

    def _holds(self, now: Progressed, length: int, whole: Any) -> None:
        self._lengths, self._bytes, self._sum = now.lengths, length, whole

    def _lines(self, now: Progressed) -> Iterator[bytes]:
        """Yield a line for each round that the checkpoint does not hold yet."""
        accuracy, ledger = defaultdict(list), defaultdict(list)
        rounds, accuracies, entries, revised, sent, looked = self._lengths
        for found in now.accuracy[accuracies:]:
            accuracy[found.round].append(found.model_dump(mode="json"))
        for entry in now.ledger.entries(entries):
            ledger[entry.round].append(entry)
        revisions, broadcasts, looks = now.revisions[revised:], now.broadcasts[sent:], now.looks[looked:]
        for record in now.rounds[rounds:]:
            line = {
                "round": record.model_dump(mode="json"),
                "accuracy": accuracy[record.round],
                "ledger": ledger[record.round],
                "revisions": [found.model_dump(mode="json") for found in revisions if found.round == record.round + 1],
                "broadcasts": [found.model_dump(mode="json") for found in broadcasts if found.round == record.round],
                "looks": [found.model_dump(mode="json") for found in looks if found.round == record.round + 1],
            }
            yield json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"

    def read(self, start: Progressed, further: Mapping[str, Tensor]) -> Progressed:
        """Return the run as its last checkpoint left it, or ``start`` itself if there is none yet.

        Args:
            start: the run before its first round; says which modules, shapes and cells there must be.
            further: tensors as the further ones must be, by name, or nothing.

        Raises:
            InputError: the checkpoint is damaged, or of another run: one finding that names all that differs.
        """
        path = self._folder / STATE
        if not path.is_file():
            return start
        tensors, texts = unpack(path, path.read_bytes(), _REPAIR)
        index = self._index(path, texts)
        self._compare(index["identity"])
        if digest(tensors) != index["sha256"]:
            raise InputError.one(str(path), "its tensors are not those that were written", _REPAIR)
        anchored = any(name.startswith(ANCHORS) for name in tensors)
        form = {CLOCK: (torch.float64, start.clock_s.shape), **_form(start.states, tensors, "")}
        form |= _form(start.states, tensors, ANCHORS) if anchored else {}
        form |= {f"{FURTHER}{name}": (tensor.dtype, tuple(tensor.shape)) for name, tensor in further.items()}
        check_form(path, tensors, form, _REPAIR)
        lines, whole = self._records(*index["records"])
        states, clock_s = _stacked(path, tensors, start.states, ""), tensors[CLOCK].numpy()
        anchors = _stacked(path, tensors, start.states, ANCHORS) if anchored else None
        now = Progressed(start.states, start.clock_s)
        for line in map(json.loads, lines.splitlines()):
            now.add(
                RoundRecord.model_validate_json(json.dumps(line["round"])),
                [AccuracyRecord.model_validate_json(json.dumps(found)) for found in line["accuracy"]],
                [LedgerEntry(*entry) for entry in line["ledger"]],
                states,
                clock_s,
                revisions=[Revision.model_validate_json(json.dumps(found)) for found in line["revisions"]],
                broadcasts=[Broadcast.model_validate_json(json.dumps(found)) for found in line["broadcasts"]],
                looks=[Look.model_validate_json(json.dumps(found)) for found in line.get("looks", ())],
                anchors=anchors,
                further={name: tensors[f"{FURTHER}{name}"] for name in further},
            )
        self._holds(now, len(lines), whole)
        return now

    def _index(self, path: Path, texts: Mapping[str, str]) -> dict[str, Any]:
        try:
            index: dict[str, Any] = json.loads(texts["checkpoint"])
            known = index["format"] == FORMAT and {"identity", "records", "sha256"} <= index.keys()
        except (KeyError, ValueError, TypeError):
            known = False
        if not known:
            raise InputError.one(str(path), f"this is no {FORMAT}", _REPAIR)
        return index

    def _compare(self, found: Mapping[str, Any]) -> None:
        other = differences(found, self._identity)
        if other:
            message = f"the run there differs in {', '.join(other)}"
            repair = "resume it with the arguments and the software that it was begun with, or give another directory"
            raise InputError.one(str(self._folder.parent), message, repair)

    def _records(self, length: int, checksum: str) -> tuple[bytes, Any]:
        path = self._folder / ROUNDS
        try:
            with open(path, "rb") as stream:
                lines = stream.read(length)
        except OSError as error:
            raise InputError.one(str(path), f"cannot be read: {error.strerror}", _REPAIR) from None
        whole = hashlib.sha256(lines)
        if len(lines) != length or whole.hexdigest() != checksum:
            raise InputError.one(str(path), f"it is not the file that {STATE} belongs to", _REPAIR)
        return lines, whole


def distinct_copies(state: State) -> tuple[list[int], list[int]]:
    """Return devices whose copies of a module differ in bits, and for each of all devices its place among them.

    Copies with equal sums are compared in full, which is cheaper than a cryptographic sum of every copy.

    >>> distinct_copies({"w": torch.tensor([1.0, 2.0, 1.0])})
    ([0, 1], [0, 1, 0])
    """
    flat = [tensor.reshape(len(tensor), -1) for tensor in state.values()]
    # As integers: 0.0 and -0.0 are different bits.
    bits = [part.contiguous().view(torch.int32) for part in flat]
    sums = torch.stack([part.sum(dim=1) for part in flat], dim=1).tolist()
    rows: list[int] = []
    places: list[int] = []
    alike: defaultdict[tuple[float, ...], list[int]] = defaultdict(list)
    for device, found in enumerate(map(tuple, sums)):
        same = [place for place in alike[found] if all(torch.equal(part[device], part[rows[place]]) for part in bits)]
        if not same:
            same = [len(rows)]
            alike[found].append(len(rows))
            rows.append(device)
        places.append(same[0])
    return rows, places


def _form(like: StackedStates, tensors: Mapping[str, Tensor], prefix: str) -> Form:
    """Return types and shapes of the copies at ``prefix``; how many distinct ones there are is for the file to say."""
    form = {}
    for module, state in like.modules.items():
        form[f"{prefix}{module}/"] = (torch.int64, (like.devices,))
        for key, tensor in state.items():
            stored = tensors.get(f"{prefix}{module}/{key}")
            copies = len(stored) if stored is not None and stored.dim() else 1
            form[f"{prefix}{module}/{key}"] = (tensor.dtype, (copies, *tensor.shape[1:]))
    return form


def _tensors(states: StackedStates) -> dict[str, Tensor]:
    """Return the distinct copies of every module, [copies, ...], and at ``MODULE/`` each device's place among them."""
    found = {}
    for module, state in states.modules.items():
        rows, places = distinct_copies(state)
        found[f"{module}/"] = torch.tensor(places, dtype=torch.int64)
        index = torch.tensor(rows, dtype=torch.int64)
        found |= {f"{module}/{key}": tensor[index] for key, tensor in state.items()}
    return found


def _stacked(path: Path, tensors: Mapping[str, Tensor], like: StackedStates, prefix: str) -> StackedStates:
    stacked = {}
    for module, state in like.modules.items():
        places = tensors[f"{prefix}{module}/"]
        copies = {len(tensors[f"{prefix}{module}/{key}"]) for key in state}
        if len(copies) != 1 or not bool(((places >= 0) & (places < min(copies))).all()):
            raise InputError.one(f"{path}:{module}", "devices point to copies that are not there", _REPAIR)
        stacked[module] = {key: tensors[f"{prefix}{module}/{key}"][places] for key in state}
    return StackedStates(stacked)
