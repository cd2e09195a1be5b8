"""What to do about a key that a file has and its format does not know: a near name, or the place where it belongs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

Location = tuple[int | str, ...]
_MOST_NAMES = 12
_MOST_HOMES = 3


def repair_of(location: Location, model: type[BaseModel]) -> str:
    """Return the repair of an unknown key: a near name known beside it, or the section that knows it.

    Args:
        location: of the key, from the root of the file.
        model: what the whole file is read as.

    >>> from hffm_opt.scenario.model import Scenario
    >>> repair_of(("planning", "period"), Scenario)
    "did you mean 'periods'? otherwise remove it"
    >>> repair_of(("planning", "requests"), Scenario)
    'move it to the top level of the file, or remove it'
    >>> repair_of(("drift_max",), Scenario)
    "move it into 'planning', or remove it"
    """
    key, names = str(location[-1]), _names_at(location[:-1], model)
    if near := difflib.get_close_matches(key, names, n=1):
        return f"did you mean '{near[0]}'? otherwise remove it"
    homes = sorted(set(_homes(key, model)))
    if homes == [""]:
        return "move it to the top level of the file, or remove it"
    if 0 < len(homes) <= _MOST_HOMES and "" not in homes:
        return f"move it into {' or '.join(map(repr, homes))}, or remove it"
    return f"use one of: {', '.join(names)}; or remove it" if 0 < len(names) <= _MOST_NAMES else "remove it"


def _names_at(location: Location, model: type[BaseModel]) -> list[str]:
    """Return the fields that are known at a place, in order; of a union, those of all its members."""
    here = [model]
    for part in location:
        if isinstance(part, str):
            inner = [found for each in here for found in _models_of(each, part)]
            here = inner or here  # a key of a mapping, or the tag of a union
    return list(dict.fromkeys(name for each in here for name in each.model_fields))


def _models_of(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    return list(_inside(model.model_fields[field].annotation)) if field in model.model_fields else []


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _inside(part)


def _homes(key: str, model: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the dotted places in whose mappings the key is known."""
    if key in model.model_fields:
        yield place
    for name in model.model_fields:
        for inner in _models_of(model, name):
            if inner is not model:
                yield from _homes(key, inner, f"{place}.{name}".lstrip("."))
