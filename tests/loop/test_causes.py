"""Causes in words."""

from __future__ import annotations

import pytest

from hffm_opt.loop.causes import causes
from hffm_opt.scenario.conditions import Conditions, CpuSpeed, ModuleDivergence
from hffm_opt.scenario.model import LinkGain


def gains(**factors: float) -> Conditions:
    return Conditions(gains=tuple(LinkGain(source=k[0], target=k[1], factor=v) for k, v in factors.items()))


def speeds(**factors: float) -> Conditions:
    return Conditions(speeds=tuple(CpuSpeed(device=k, factor=v) for k, v in factors.items()))


def apart(within: float) -> Conditions:
    return Conditions(divergence=(ModuleDivergence(module="adapters", within=within, between=1.0),))


NOTHING = Conditions()
CASES = [
    (NOTHING, NOTHING, ()),
    (NOTHING, Conditions(absent=("a", "b")), ("a, b left",)),
    (Conditions(absent=("a", "b")), Conditions(absent=("b", "c")), ("c left", "a joined")),
    (NOTHING, Conditions(absent=("a", "b", "c", "d", "e")), ("a, b, c and 2 more left",)),
    (NOTHING, gains(ab=0.0, ba=0.0), ("link a - b failed",)),
    (NOTHING, gains(ab=0.0, ba=0.0, ac=0.0), ("links a - b, a - c failed",)),
    (gains(ab=0.0, cd=0.0), gains(ab=0.5), ("links a - b, c - d are back",)),
    (gains(ab=0.0), gains(ab=0.5), ("link a - b is back",)),
    (NOTHING, gains(ab=0.1, ba=0.1), ("link a - b changed by -10.0 dB",)),
    (NOTHING, gains(ab=0.1, ac=1.0, da=0.01), ("links of a changed by -20.0 to -10.0 dB",)),
    (NOTHING, gains(ab=0.1, cd=10.0), ("links a - b, c - d changed by -10.0 to +10.0 dB",)),
    # Less than a tenth of a decibel, or a twentieth of a speed, is not worth a plan.
    (NOTHING, gains(ab=0.99), ()),
    (NOTHING, speeds(a=0.96), ()),
    (NOTHING, speeds(a=0.5), ("a computes at 0.5 times its speed before",)),
    (speeds(a=0.5), NOTHING, ("a computes at 2 times its speed before",)),
    (NOTHING, apart(2.0), ("divergence measured of adapters",)),
    (apart(2.0), apart(2.05), ()),
    (apart(2.0), apart(2.2), ("divergence measured of adapters",)),
    # A draw of fading is of one round, and no change.
    (NOTHING, Conditions(draw=7), ()),
    (Conditions(absent=("a",)), Conditions(absent=("a",)), ()),
]


@pytest.mark.parametrize(("before", "now", "told"), CASES)
def test_causes(before: Conditions, now: Conditions, told: tuple[str, ...]) -> None:
    assert causes(before, now) == told


def test_all_kinds_of_causes_stand_beside_one_another() -> None:
    now = Conditions(absent=("d",), gains=gains(ab=0.0).gains, speeds=speeds(c=0.5).speeds)
    assert causes(NOTHING, now) == ("d left", "link a - b failed", "c computes at 0.5 times its speed before")
