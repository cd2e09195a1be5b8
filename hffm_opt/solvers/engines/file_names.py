"""Names of rows and columns as the file formats of optimisation read them."""

from __future__ import annotations

from collections.abc import Iterable

Family = tuple[str, int]
"""A name and how many rows or columns bear it."""

_READABLE = str.maketrans({"[": "(", "]": ")", **dict.fromkeys(" -+*:^/<>=", "_")})


def file_name(name: str) -> str:
    """Return a name that both MPS and LP files read as one word: no blanks, no signs of arithmetic.

    >>> file_name("x[edge 1,device-2]")
    'x(edge_1,device_2)'
    """
    return name.translate(_READABLE)


def file_names(names: Iterable[str]) -> list[str]:
    """Return names as files read them, numbered where two would read the same.

    >>> file_names(["x[a-b]", "x[a_b]", "y"])
    ['x(a_b)', 'x(a_b).2', 'y']
    """
    seen: dict[str, int] = {}
    found = []
    for name in map(file_name, names):
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return found


def numbered(families: Iterable[Family]) -> list[str]:
    """Return a name for every member of the families, numbered through where a family comes again.

    >>> numbered([("flow", 2), ("path", 1), ("flow", 1)])
    ['flow[0]', 'flow[1]', 'path[0]', 'flow[2]']
    """
    seen: dict[str, int] = {}
    found = []
    for name, count in families:
        first = seen.get(name, 0)
        seen[name] = first + count
        found += [f"{name}[{index}]" for index in range(first, first + count)]
    return found
