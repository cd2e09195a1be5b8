"""The CSV files of the EUA data set (sites and users with WGS84 positions), read with every fault reported at once."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hffm_opt.errors import Finding, InputError
from hffm_opt.scenario.projection import earth_centred_m
from hffm_opt.serial import read_text

SITE_COLUMNS = ("SITE_ID", "LATITUDE", "LONGITUDE")
USER_COLUMNS = ("Latitude", "Longitude")
LIMIT_DEG = {"latitude": 90.0, "longitude": 180.0}
EXTENT_M = 100e3
MOST_FINDINGS = 20
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SITE_ID = re.compile(r"[A-Za-z0-9_.+\-]{1,60}")


@dataclass(frozen=True)
class Place:
    """One row of a file: its identity, its position, and the line it stands on."""

    name: str
    latitude_deg: float
    longitude_deg: float
    where: str


class _Faults:
    """Findings of a file in the order of its lines."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, where: str, message: str, repair: str) -> None:
        self.findings.append(Finding(where, message, repair))


def read_places(sites_csv: Path, users_csv: Path) -> tuple[list[Place], list[Place]]:
    """Return the sites and the users of two EUA files.

    Sites are named by their ``SITE_ID``, users by the number of their row (from 1).

    Raises:
        InputError: with the faults of both files, at most 20 of them written out.
    """
    faults = _Faults()
    sites = list(_places(sites_csv, SITE_COLUMNS, "sites", faults))
    users = list(_places(users_csv, USER_COLUMNS, "users", faults))
    if not faults.findings:
        _far_apart([*sites, *users], faults)
    if faults.findings:
        raise InputError(capped(faults.findings))
    return sites, users


def capped(findings: Sequence[Finding]) -> list[Finding]:
    """Return the first findings and, where there are more, one that states the count of all."""
    shown = list(findings[:MOST_FINDINGS])
    if len(findings) > len(shown):
        rest = f"{len(findings)} faults in all, {len(findings) - len(shown)} not shown"
        shown.append(Finding("(all files)", rest, "mend those above and run again"))
    return shown


def _places(path: Path, columns: Sequence[str], what: str, faults: _Faults) -> Iterator[Place]:
    try:
        text = read_text(path, f"{what} CSV").removeprefix("\ufeff")
    except InputError as error:
        faults.findings.extend(error.findings)
        return
    if "\0" in text:
        faults.add(str(path), "not a text file (it holds a zero byte)", f"give the {what} as CSV text")
        return
    if not text.strip():
        faults.add(str(path), "the file is empty", f"give a header with {', '.join(columns)} and a row for each place")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _rows(reader, path, faults)
    _, header = next(rows, (0, []))
    if not header:
        return
    index = _columns(path, header, columns, faults)
    if index is None:
        return
    count, seen = 0, dict[str, int]()
    for line, row in rows:
        count += 1
        where = f"{path}, line {line}"
        if len(row) != len(header):
            faults.add(
                where,
                f"{len(row)} values, but the header has {len(header)} columns",
                "give one value for each column; put a text that holds commas into double quotes",
            )
            continue
        position = [_degrees(row[index[name]], name, where, faults) for name in columns[-2:]]
        name = str(count) if what == "users" else _site_id(row[index[columns[0]]], line, where, seen, faults)
        if name is not None and position[0] is not None and position[1] is not None:
            yield Place(name, position[0], position[1], where)
    if count == 0 and not faults.findings:
        faults.add(str(path), "there is no row below the header", f"give at least one of the {what}")


def _rows(reader: Iterator[list[str]], path: Path, faults: _Faults) -> Iterator[tuple[int, list[str]]]:
    """Yield every row that is not blank with the line on which it begins."""
    while True:
        line: int = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add(
                f"{path}, line {line}", f"not valid CSV: {error}", "close every double quote and separate by commas"
            )
            return
        if any(cell.strip() for cell in row):
            yield line, row


def _columns(path: Path, header: list[str], wanted: Sequence[str], faults: _Faults) -> dict[str, int] | None:
    """Return where the wanted columns stand; names are compared without regard to case and outer blanks."""
    names = [cell.strip().lower() for cell in header]
    missing = [name for name in wanted if names.count(name.lower()) == 0]
    double = [name for name in wanted if names.count(name.lower()) > 1]
    if missing:
        # A table separated otherwise arrives as one long column name.
        only = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
        repair = "separate the columns by commas" if only else f"the header has: {', '.join(header)[:120]}"
        for name in missing:
            faults.add(f"{path}, line 1, column {name}", "there is no such column", repair)
    for name in double:
        faults.add(f"{path}, line 1, column {name}", "the header names this column twice", "keep one of them")
    if missing or double:
        return None
    return {name: names.index(name.lower()) for name in wanted}


def _degrees(cell: str, column: str, where: str, faults: _Faults) -> float | None:
    where, text = f"{where}, column {column}", cell.strip()
    limit = LIMIT_DEG[column.lower()]
    if not text:
        faults.add(where, "there is no value", f"give decimal degrees, -{limit:g} to {limit:g}")
    elif text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        faults.add(where, f"{text} is not a finite number", "give the position, or remove the row")
    elif not _NUMBER.fullmatch(text):
        faults.add(where, f"'{text[:40]}' is not a number", "give decimal degrees with a point, e.g. -37.8136")
    elif not math.isfinite(value := float(text)) or abs(value) > limit:
        repair = "are latitude and longitude swapped?" if limit < abs(value) <= 180 else "mend the value"
        faults.add(where, f"{text} is outside -{limit:g} to {limit:g} degrees", repair)
    else:
        return value
    return None


def _site_id(cell: str, line: int, where: str, seen: dict[str, int], faults: _Faults) -> str | None:
    name, where = cell.strip(), f"{where}, column {SITE_COLUMNS[0]}"
    if not _SITE_ID.fullmatch(name):
        faults.add(where, f"'{name[:40]}' is no site id", "use 1 to 60 letters, digits and . _ + -")
        return None
    if name in seen:
        faults.add(where, f"site '{name}' stands on line {seen[name]} already", "keep one of the rows, or rename one")
        return None
    seen[name] = line
    return name


def _far_apart(places: Sequence[Place], faults: _Faults) -> None:
    """A mistyped digit or sign moves a place by far more than any radio network spans."""
    points = earth_centred_m([p.latitude_deg for p in places], [p.longitude_deg for p in places])
    distance_m = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    for i in np.flatnonzero(distance_m > EXTENT_M).tolist():
        faults.add(
            places[i].where,
            f"this place is {distance_m[i] / 1000:.0f} km from the middle of all places",
            f"mend its position, or give places within {EXTENT_M / 1000:g} km",
        )
