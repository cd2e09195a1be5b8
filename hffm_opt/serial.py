"""Strict reading and safe writing of YAML and JSON, shared by all file types.

Unlike PyYAML's defaults: duplicate keys are an error, ``1e9`` is a number, ``no`` is a string, and NaN or infinity
is refused with its place. All findings of a file are reported at once.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hffm_opt.errors import Finding, InputError
from hffm_opt.faults import findings_of
from hffm_opt.kinds_of_files import other_kind
from hffm_opt.strict_yaml import StrictDumper, StrictLoader

ModelT = TypeVar("ModelT", bound=BaseModel)

_KINDS = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
# Far above any network that can be planned; aliases of aliases make billions of entries out of a few lines.
_MOST_ENTRIES = 5_000_000


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def parse_text(text: str, source: str) -> Any:
    """Parse JSON or YAML strictly; ``source`` names the file in errors."""
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs)
    except (ValueError, RecursionError):
        pass  # Not JSON, or faulty JSON: the YAML reader, far slower, also names the line.
    try:
        found = yaml.load(text, Loader=StrictLoader)
        if _entries(found, {}) > _MOST_ENTRIES:
            raise InputError.one(source, "its aliases unfold to far too many entries", "write them out")
        return found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        problem = error.problem or "not valid YAML"
        if problem.startswith("but ") and error.context:
            problem = f"{error.context}, {problem}"
        raise InputError.one(where, problem, "mend the file at this place") from None
    except RecursionError:
        raise InputError.one(source, "it is nested too deeply", "unfold it") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError.one(source, f"not valid YAML or JSON: {error}", "mend the file") from None


def _entries(value: Any, known: dict[int, int]) -> int:
    """Count the entries with every alias unfolded; a list that holds itself is left to the check of the whole."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 0
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_entries(item, known) for item in inner)
    return known[id(value)]


def read_text(path: Path, what: str) -> str:
    """Read a text file, or raise an InputError that names it."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, _siblings(path), n=1)
        repair = f"did you mean {path.parent / near[0]}?" if near else f"give the path of an existing {what} file"
        raise InputError.one(str(path), "there is no such file", repair) from None
    except UnicodeDecodeError as error:
        raise InputError.one(str(path), f"not a text file (byte {error.start})", f"give a {what} in UTF-8") from None
    except (OSError, ValueError) as error:
        raise InputError.one(
            str(path), f"cannot be read: {getattr(error, 'strerror', error)}", f"give a readable {what} file"
        ) from None


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []


def _non_finite(value: Any, path: str) -> list[Finding]:
    if isinstance(value, float) and not math.isfinite(value):
        return [Finding(path, f"{value} is not a finite number", "give a finite number")]
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _non_finite(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in _non_finite(item, f"{path}[{i}]")]
    return []


def validate(data: Any, model: type[ModelT], what: str, source: str = "") -> ModelT:
    """Turn parsed data into ``model``, or raise one InputError with every finding and their ``source``, the file."""
    if not isinstance(data, dict):
        found = "empty" if data is None else _KINDS.get(type(data), "something else")
        message = f"a {what} is a mapping, this is {found}"
        raise InputError(Finding("(whole file)", message, f"give a {what}"), source)
    if (other := other_kind(data, model)) is not None:
        raise InputError(other, source)
    try:
        bad = [Finding(f.path.lstrip("."), f.message, f.repair) for f in _non_finite(data, "")]
    except RecursionError:
        deep = Finding("(whole file)", "an alias contains itself, or the nesting is too deep", "unfold it")
        raise InputError(deep, source) from None
    if bad:
        raise InputError(bad, source)
    try:
        return model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise InputError(findings_of(error, model), source) from None


def read_model(path: Path, model: type[ModelT], what: str) -> ModelT:
    """Read a file as ``model``; ``what`` it is called in errors.

    Raises:
        InputError: missing file, broken JSON or YAML, another kind of file, or one with faults; all faults at once.
    """
    return validate(parse_text(read_text(path, what), str(path)), model, what, str(path))


def check_writable(path: Path, *needed: str | Path) -> None:
    """Refuse a path at which no file could be written, or whose file is still needed; nothing is left behind.

    Args:
        path: where a file is to be written.
        needed: what the command reads; names of no file are passed over.

    Raises:
        InputError: it is a directory, lies below a file, or its directory takes no files; or it is a device or a pipe
            that takes no data; or it is one of the ``needed`` files.
    """
    if path.is_dir():
        raise InputError.one(str(path), "this is a directory", "give the path of a file")
    if _is_stream(path):
        if not os.access(path, os.W_OK):
            raise InputError.one(str(path), "this takes no data", "give a path that can be used")
        return
    if any(_behind_links(path) == _behind_links(Path(each)) for each in needed if os.path.isfile(each)):
        raise InputError.one(str(path), "this file is read, and would be lost", "give another path")
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except OSError as error:  # a link that leads to itself
        raise InputError.one(str(path), f"not to be reached: {error.strerror}", "give another path") from None
    parent = next(folder for folder in _behind_links(path).parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        message = f"nothing can be written in {parent}: {error.strerror}"
        raise InputError.one(str(path), message, "give a path that can be used") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: temporary file beside it, flushed to disk, then renamed.

    A symbolic link stays, its target is written; a device or a pipe is written into.
    """
    try:
        if _is_stream(path):
            path.write_bytes(data)
        else:
            _replace(_behind_links(path), data)
    except OSError as error:
        if error.errno and not error.filename:
            # A full disk is told without a name.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".hffm-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _is_stream(path: Path) -> bool:
    """Say whether something is there that a file must not take the place of: a device, a pipe, a socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


def finite(value: object) -> Any:
    """Return JSON values with null for every figure without end, and lists for tuples.

    >>> finite({"seconds": (1.0, math.inf)})
    {'seconds': [1.0, None]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return, for each name whose JSON values differ between what is kept and what is asked for, both in words.

    >>> differences({"rounds": 4, "seed": 0}, {"rounds": 5, "seed": 0})
    ['rounds (4 there, 5 now)']
    >>> differences({"goal": {"target": 0.3, "every": 2}}, {"goal": {"target": 0.4, "every": 2}})
    ['goal.target (0.3 there, 0.4 now)']
    """
    found = []
    for name in sorted(there.keys() | now.keys()):
        old, new = there.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{name}.{inner}" for inner in differences(old, new)]
        elif old != new:
            found.append(f"{name} ({json.dumps(old)} there, {json.dumps(new)} now)")
    return found


def dump_json(model: BaseModel) -> str:
    """Return a model as indented JSON text."""
    return json.dumps(model.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"


def dump_yaml(model: BaseModel) -> str:
    """Return a model as YAML text that :func:`parse_text` reads back to an equal model."""
    data = model.model_dump(mode="json")
    return str(yaml.dump(data, Dumper=StrictDumper, sort_keys=False, allow_unicode=True, width=120))
