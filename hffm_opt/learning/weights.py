"""The trained modules of a run as files: safetensors, a manifest with their SHA-256, and a strict reader.

``RUN/weights`` holds for every module ``MODULE.safetensors``, the mean of its owners' copies weighted by their samples
(a copy itself where all owners hold the same bits), and, where copies differ, ``MODULE@1.safetensors``, ... for each
distinct one. ``manifest.json`` names them with shapes, holders and checksums. Low-rank adapters stand in peft's own
layout too, in ``peft/MODULE``: their mean, for the backbone or the encoder that they are in.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from hffm_opt.errors import HffmError, InputError
from hffm_opt.learning.aggregation import Statistic, total
from hffm_opt.learning.evaluate import distinct_rows
from hffm_opt.learning.modules.module import Module
from hffm_opt.learning.modules.payload import State
from hffm_opt.learning.modules.states import StackedStates
from hffm_opt.learning.peft_layout import low_rank_pairs, write_peft
from hffm_opt.learning.tensors import check_form, pack, unpack
from hffm_opt.problem.radio import Floats
from hffm_opt.scenario.model import Frozen, ModuleKind
from hffm_opt.serial import dump_json, read_model, write_bytes, write_text
from hffm_opt.trace.files import WEIGHTS
from hffm_opt.trace.model import RunHeader
from hffm_opt.trace.walks import WalkHeader

MANIFEST, PEFT = "manifest.json", "peft"
SUFFIX = ".safetensors"
_REPAIR = "write the run anew, or resume it: hffm train ... --resume"
_FORMAT: Literal["hffm-weights/1"] = "hffm-weights/1"


class CopyFile(Frozen):
    """One copy of a module: its file in ``weights/``, the file's SHA-256, and the devices that hold these bits."""

    file: str
    sha256: str
    devices: tuple[str, ...]


class ModuleFiles(Frozen):
    """A module's files; ``mean`` has every owner among its devices, ``copies`` are distinct."""

    kind: ModuleKind
    tasks: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    mean: CopyFile
    copies: tuple[CopyFile, ...]


class Manifest(Frozen):
    """``weights/manifest.json``: which run the weights are of, after how many rounds, and the files per module."""

    format: Literal["hffm-weights/1"] = _FORMAT
    scenario: str
    fingerprint: str
    method: str
    backbone: str
    seed: Annotated[int, Field(ge=0)]
    rounds: Annotated[int, Field(ge=1)]
    modules: dict[str, ModuleFiles]


@dataclass(frozen=True, eq=False)
class Weights:
    """The trained modules of a run.

    ``mean`` maps each module to its state, ``copies`` to the distinct states that devices hold, in the manifest's
    order; a state maps a parameter's name to an fp32 tensor on the CPU.
    """

    manifest: Manifest
    mean: Mapping[str, Mapping[str, Tensor]]
    copies: Mapping[str, tuple[Mapping[str, Tensor], ...]]

    def of_device(self, device: str) -> dict[str, Mapping[str, Tensor]]:
        """Return a device's own copies of the modules that it owns.

        Raises:
            InputError: no device of this name owns a module.
        """
        found = {
            name: state
            for name, files in self.manifest.modules.items()
            for entry, state in zip(files.copies, self.copies[name], strict=True)
            if device in entry.devices
        }
        if not found:
            raise InputError.one("device", f"'{device}' owns no module", "use a name that the manifest lists")
        return found


def write_weights(
    directory: Path,
    header: RunHeader | WalkHeader,
    rounds: int,
    modules: Mapping[str, Module],
    states: StackedStates,
    devices: Sequence[str],
    weights: Mapping[str, Floats],
) -> Path:
    """Write ``weights/`` of a run directory, whole or not at all, in place of what stood there.

    Args:
        directory: the run directory.
        header: the run's.
        rounds: complete rounds.
        modules: the trainable modules by name.
        states: the copies of all U devices.
        devices: [U] their names.
        weights: per module [U] the samples with which each device trains it, 0 where it is no owner.
    """
    fresh, place = directory / f".{WEIGHTS}.new", directory / WEIGHTS
    shutil.rmtree(fresh, ignore_errors=True)
    entries = {
        name: _write_module(fresh, module, states, devices, weights[name], header.backbone)
        for name, module in modules.items()
    }
    manifest = Manifest(
        scenario=header.scenario,
        fingerprint=header.fingerprint,
        method=header.method,
        backbone=header.backbone,
        seed=header.seed,
        rounds=rounds,
        modules=entries,
    )
    write_text(fresh / MANIFEST, dump_json(manifest))
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)
    return place


def _write_module(
    folder: Path, module: Module, states: StackedStates, devices: Sequence[str], weights: Floats, base: str
) -> ModuleFiles:
    # By name, as averages are taken: the order of devices in the scenario changes no bit.
    owners = sorted(np.flatnonzero(weights).tolist(), key=lambda row: devices[row])
    rows, places = distinct_rows(states, [module.name], owners)

    def write(file: str, state: State, held_by: Sequence[int]) -> CopyFile:
        data = pack(state, {"module": module.name, "kind": module.kind, "tasks": " ".join(module.tasks)})
        write_bytes(folder / file, data)
        return CopyFile(
            file=file, sha256=hashlib.sha256(data).hexdigest(), devices=tuple(devices[row] for row in held_by)
        )

    if len(rows) <= 1:
        mean = states.of_device(rows[0] if rows else 0, module.name)
    else:
        copies = (Statistic.of(states.of_device(row, module.name), float(weights[row])) for row in owners)
        mean = total(copies).mean()
    whole = write(f"{module.name}{SUFFIX}", mean, owners)
    alpha = getattr(module.part, "alpha", None)
    if alpha is not None:
        write_peft(folder / PEFT / module.name, low_rank_pairs(mean), alpha, base)
    several = [
        write(
            f"{module.name}@{number}{SUFFIX}",
            states.of_device(row, module.name),
            [owner for owner, place in zip(owners, places, strict=True) if place == number - 1],
        )
        for number, row in enumerate(rows, start=1)
        if len(rows) > 1
    ]
    return ModuleFiles(
        kind=module.kind,
        tasks=module.tasks,
        shapes={key: tuple(shape) for key, shape in module.shapes.items()},
        mean=whole,
        copies=tuple(several) or ((whole,) if owners else ()),
    )


def load_weights(run: str | Path) -> Weights:
    """Return the trained modules of a run directory.

    Every file is held against the manifest: its checksum, then names, shapes and types of its tensors. Nothing is
    unpickled.

    Args:
        run: the run directory, as ``hffm train -o RUN`` left it.

    Raises:
        InputError: a file is missing, damaged, or not the one that the manifest names.

    Example:
        >>> import tempfile, hffm_opt
        >>> run = tempfile.mkdtemp() + "/run"
        >>> trained = hffm_opt.train("tiny", method="star", rounds=1, out=run)
        >>> sorted(load_weights(run).mean)
        ['adapters', 'head-digits', 'head-shapes']
    """
    folder = Path(run) / WEIGHTS
    path = folder / MANIFEST
    if not path.exists():
        raise _no_weights(Path(run))
    manifest = read_model(path, Manifest, "manifest")
    mean, copies = {}, {}
    for name, files in manifest.modules.items():
        mean[name] = _read_copy(folder, files, files.mean)
        copies[name] = tuple(
            mean[name] if entry.file == files.mean.file else _read_copy(folder, files, entry) for entry in files.copies
        )
    return Weights(manifest, mean, copies)


def _no_weights(run: Path) -> HffmError:
    if not run.is_dir():
        return InputError.one(str(run), "there is no such run directory", "give one that 'hffm train -o RUN' wrote")
    phases = sorted(run.glob(f"phase-*/{WEIGHTS}/{MANIFEST}"), key=lambda found: int(found.parts[-3].split("-")[1]))
    if phases:
        last = phases[-1].parent.parent
        return InputError.one(str(run), "a run with requests keeps modules in its phases", f"give one of them: {last}")
    return InputError.one(str(run), "it holds no trained modules", "give one that 'hffm train -o RUN' completed")


def _read_copy(folder: Path, files: ModuleFiles, entry: CopyFile) -> dict[str, Tensor]:
    path = folder / entry.file
    if Path(entry.file).name != entry.file:
        raise InputError.one(str(folder / MANIFEST), f"'{entry.file}' is no file of this directory", _REPAIR)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        message = f"cannot be read: {getattr(error, 'strerror', error)}"
        raise InputError.one(str(path), message, _REPAIR) from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise InputError.one(str(path), f"its SHA-256 is not the one in {MANIFEST}", _REPAIR)
    tensors, _ = unpack(path, data, _REPAIR)
    check_form(path, tensors, {key: (torch.float32, shape) for key, shape in files.shapes.items()}, _REPAIR)
    return {key: tensors[key] for key in files.shapes}
