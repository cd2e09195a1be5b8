"""What pydantic finds wrong with a file, as findings with a place and a repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from hffm_opt.errors import Finding
from hffm_opt.unknown_keys import repair_of

_REPAIRS = {
    "missing": "add this field",
    "greater_than": "give a larger value",
    "greater_than_equal": "give a value inside the range",
    "less_than": "give a smaller value",
    "less_than_equal": "give a value inside the range",
    "finite_number": "give a finite number",
    "float_type": "give a plain number in the unit of the field's suffix, without quotes or unit",
    "int_type": "give a whole number",
    "int_from_float": "give a whole number",
    "string_type": "give a text; quote it if it looks like a number",
    "bool_type": "give true or false",
    "tuple_type": "give a list: [...]",
    "dict_type": "give a mapping: {key: value}",
    "model_type": "give a mapping: {key: value}",
    "too_short": "list at least one entry",
    "value_error": "give a value that keeps this rule",
    "string_pattern_mismatch": "use letters, digits and . _ + - only, starting with a letter or digit",
}


def findings_of(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """Return the findings of a failed validation.

    Args:
        error: what was raised.
        model: what the whole file was read as.

    Example:
        >>> from hffm_opt.scenario.walks import Walks
        >>> try:
        ...     Walks.model_validate({"walkers": 0, "lss": 0.1})
        ... except ValidationError as error:
        ...     [(finding.path, finding.repair) for finding in findings_of(error, Walks)]
        [('walkers', 'give a value inside the range'), ('lss', "did you mean 'loss'? otherwise remove it")]
    """
    return [_finding_of(item, model) for item in _own_faults(error.errors())]


def _path_of(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "(whole file)"


def _finding_of(error: Any, model: type[BaseModel]) -> Finding:
    kind, location = error["type"], error["loc"]
    repair = _REPAIRS.get(kind, "see the reference of the file format")
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message, repair = "this key is not known here", repair_of(location, model)
    elif kind == "literal_error":
        repair = f"use one of {error['ctx']['expected']}"
    elif kind in {"union_tag_invalid", "union_tag_not_found"}:
        field = error["ctx"]["discriminator"].strip("'")
        known = error["ctx"].get("expected_tags")
        repair = f"give '{field}' as one of {known}" if known else f"say which with the key '{field}'"
    return Finding(_path_of(location), message, repair)


def _own_faults(errors: Sequence[Any]) -> list[Any]:
    """Leave out lists that pydantic calls too short only because it dropped their faulty entries."""
    places = [error["loc"] for error in errors]

    def inside(outer: tuple[int | str, ...]) -> bool:
        return any(len(place) > len(outer) and place[: len(outer)] == outer for place in places)

    return [error for error in errors if error["type"] != "too_short" or not inside(error["loc"])]
