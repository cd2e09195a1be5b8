"""Modules that always travel together have one colour, which everybody can tell from the others."""

from __future__ import annotations

import re
from importlib import resources
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from hffm_opt.plan.circulation import ModuleCirculation
from hffm_opt.report.groups import GROUP_INKS, REST_INK, bits_by_group, bits_by_module, module_groups

# Machado, Oliveira and Fernandes 2009: what those see who lack a kind of cone, in linear RGB.
SIGHTS = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def problem(*payloads: float) -> SimpleNamespace:
    return SimpleNamespace(modules=tuple("abcdefgh"[: len(payloads)]), payload_bit=np.array(payloads))


def periods(**cloud: int | None) -> tuple[ModuleCirculation, ...]:
    return tuple(ModuleCirculation(module=name, cloud=period) for name, period in cloud.items())


def test_modules_with_equal_periods_in_every_plan_are_a_group() -> None:
    one, other = periods(a=1, b=1, c=4), periods(a=1, b=2, c=2)
    found = module_groups(problem(1, 1, 1), [one])
    assert [(group.name, group.ink) for group in found] == [("a, b", "group1"), ("c", "group2")]
    assert [group.modules for group in module_groups(problem(1, 1, 1), [one, other])] == [("a",), ("b",), ("c",)]
    assert [group.name for group in module_groups(problem(1, 1), [periods(a=2, b=2)])] == ["all modules"]


def test_with_many_groups_the_heaviest_keep_their_colour() -> None:
    circulation = periods(a=1, b=2, c=4, d=8, e=16, f=None)
    found = module_groups(problem(9, 1, 8, 7, 6, 2), [circulation])
    assert [group.name for group in found] == ["a", "c", "d", "e", "all other modules"]
    assert found[-1].modules == ("b", "f") and found[-1].ink == REST_INK
    assert bits_by_group(found, {"a": 5.0, "b": 1.0, "f": 2.0}) == (5.0, 0.0, 0.0, 0.0, 3.0)


def test_messages_without_payload_are_parted_evenly() -> None:
    assert bits_by_module(problem(0, 0), ("a", "b"), 4.0) == {"a": 2.0, "b": 2.0}


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_colours_stand_out_and_are_told_apart_by_everybody(theme: int) -> None:
    css = (resources.files("hffm_opt.report") / "templates" / "report.css").read_text(encoding="utf-8")
    colours = [linear(re.findall(rf"--{ink}: (#\w{{6}})", css)[theme]) for ink in GROUP_INKS]
    paper = re.findall(r"--paper: (#\w{3,6})", css)[theme]
    background = float(linear(paper if len(paper) == 7 else "#ffffff") @ TO_XYZ[1])
    for colour in colours:
        darker, lighter = sorted((background, float(colour @ TO_XYZ[1])))
        assert (lighter + 0.05) / (darker + 0.05) >= 3.0
    for sight in SIGHTS.values():
        seen = [lab(np.asarray(sight) @ colour) for colour in colours]
        assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 20


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = (
        np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (TO_XYZ @ np.clip(rgb, 0, 1)) / (0.9505, 1.0, 1.089)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
