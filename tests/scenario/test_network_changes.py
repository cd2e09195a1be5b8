"""Changes of a network: what is in force when, what it makes of gains and speeds, and that drawn ones stay the same."""

from __future__ import annotations

import math

import pytest

from hffm_opt.errors import InputError
from hffm_opt.problem import build_problem
from hffm_opt.scenario.changes import Changes, DrawnChanges, Fade, Fail, Join, Leave, Slow
from hffm_opt.scenario.conditions import (
    Conditions,
    CpuSpeed,
    ModuleDivergence,
    all_changes,
    conditions_at,
    under,
)
from hffm_opt.scenario.model import LinkGain, Radio
from hffm_opt.scenario.read import load_scenario, parse_scenario

TINY = load_scenario("tiny")
A, B, C = (device.name for device in TINY.devices[:3])
EDGE = TINY.edges[0].name


def changing(*events, scenario=TINY, **more):
    return scenario.model_copy(update={"changes": Changes(events=events, **more)})


def factors(conditions: Conditions) -> dict[tuple[str, str], float]:
    return {(item.source, item.target): item.factor for item in conditions.gains}


def test_nothing_happens_without_changes():
    assert conditions_at(TINY, 7) == Conditions() and all_changes(TINY) == ()
    assert under(TINY, Conditions()) is TINY


def test_fades_add_up_in_decibels_both_ways():
    scenario = changing(
        Fade(change="fade", round=2, until=4, source=A, target=B, loss_db=3.0),
        Fade(change="fade", round=3, source=B, target=A, loss_db=7.0),
    )
    for number, loss_db in ((1, None), (2, 3.0), (3, 10.0), (4, 7.0), (99, 7.0)):
        found = factors(conditions_at(scenario, number))
        told = {} if loss_db is None else dict.fromkeys([(A, B), (B, A)], 10 ** (-loss_db / 10))
        assert found == pytest.approx(told, rel=1e-12), number


def test_a_fading_device_fades_towards_everybody_and_nobody_else():
    found = factors(conditions_at(changing(Fade(change="fade", round=1, source=A, loss_db=-10.0)), 1))
    others = {*(d.name for d in TINY.devices), *(e.name for e in TINY.edges)} - {A}
    assert found == pytest.approx({pair: 10.0 for other in others for pair in ((A, other), (other, A))})
    before, after = (build_problem(s).cells[0] for s in (TINY, under(TINY, Conditions(gains=gains_of(found)))))
    assert after.uplink_gain == pytest.approx(before.uplink_gain * [10, 1, 1])
    assert after.downlink_gain == pytest.approx(before.downlink_gain * [10, 1, 1])
    assert after.d2d_gain == pytest.approx(before.d2d_gain * [[1, 10, 10], [10, 1, 1], [10, 1, 1]])


def gains_of(found: dict[tuple[str, str], float]) -> tuple[LinkGain, ...]:
    return tuple(LinkGain(source=a, target=b, factor=value) for (a, b), value in found.items())


def test_a_failed_link_carries_nothing_in_either_direction_even_while_it_fades():
    scenario = changing(
        Fail(change="fail", round=1, source=A, target=B),
        Fade(change="fade", round=1, source=A, target=B, loss_db=-30.0),
    )
    cell = build_problem(under(scenario, conditions_at(scenario, 1))).cells[0]
    assert cell.d2d_gain[0, 1] == cell.d2d_gain[1, 0] == 0 < cell.d2d_gain[0, 2]


def test_slowdowns_multiply_and_take_the_least_speed_along():
    scenario = changing(
        Slow(change="slow", round=1, until=3, device=A, factor=0.5), Slow(change="slow", round=2, device=A, factor=0.1)
    )
    assert [conditions_at(scenario, n).speeds for n in (1, 2, 3)] == [
        (CpuSpeed(device=A, factor=value),) for value in (0.5, 0.05, 0.1)
    ]
    slow = under(scenario, conditions_at(scenario, 2)).devices[0]
    assert slow.cpu_max_hz == pytest.approx(0.05 * TINY.devices[0].cpu_max_hz)
    assert slow.cpu_min_hz <= slow.cpu_max_hz


def test_who_leaves_is_gone_until_then_and_who_joins_was_gone_before():
    scenario = changing(
        Leave(change="leave", round=2, until=4, device=A),
        Leave(change="leave", round=3, device=B),
        Join(change="join", round=3, device=C),
    )
    assert [conditions_at(scenario, n).absent for n in range(1, 6)] == [(C,), tuple(sorted((A, C))), (A, B), (B,), (B,)]
    gone = build_problem(under(scenario, conditions_at(scenario, 3)))
    assert gone.owners.any(axis=1).tolist() == [False, False, True, True, True, True]
    assert not gone.cells[0].d2d_gain.any()
    assert [device.name for device in gone.scenario.devices] == [device.name for device in TINY.devices]


def test_measured_divergences_take_the_place_of_the_given_ones():
    name = TINY.modules[0].name
    found = under(TINY, Conditions(divergence=(ModuleDivergence(module=name, within=0.25, between=2.0),)))
    assert (found.modules[0].divergence_within, found.modules[0].divergence_between) == (0.25, 2.0)
    assert found.modules[1:] == TINY.modules[1:]


def test_conditions_come_on_top_of_the_radio_that_a_scenario_states():
    """A change of something else must not undo what the scenario says of its links."""
    stated = Radio(gains=(LinkGain(source=A, target=EDGE, factor=0.5), LinkGain(source=A, target=B, factor=0.25)))
    scenario = TINY.model_copy(update={"radio": stated})
    slow = under(scenario, Conditions(speeds=(CpuSpeed(device=B, factor=0.5),)))
    assert slow.radio == stated
    both = under(scenario, Conditions(gains=(LinkGain(source=A, target=B, factor=0.5),), draw=0))
    plain, found = (build_problem(s).cells[0] for s in (TINY, under(TINY, Conditions(draw=0))))
    assert found.uplink_gain[0] != plain.uplink_gain[0]
    faded = build_problem(both).cells[0]
    assert faded.uplink_gain[0] == pytest.approx(0.5 * found.uplink_gain[0])
    assert faded.d2d_gain[0, 1] == pytest.approx(0.125 * found.d2d_gain[0, 1])


def test_fading_is_reproducible_reciprocal_and_anew_in_every_round():
    scenario = changing(fading="rayleigh", seed=3)
    first, again, later = (build_problem(under(scenario, conditions_at(scenario, n))) for n in (1, 1, 2))
    assert first.fingerprint == again.fingerprint != later.fingerprint
    plain = build_problem(TINY)
    ratios = []
    for was, one, two in zip(plain.cells, first.cells, later.cells, strict=True):
        up, down = one.uplink_gain / was.uplink_gain, one.downlink_gain / was.downlink_gain
        assert up == pytest.approx(down) and len(set(up.tolist())) == one.size
        assert one.d2d_gain == pytest.approx(one.d2d_gain.T)
        assert (one.uplink_gain != two.uplink_gain).all()
        ratios += up.tolist()
    other = changing(fading="rayleigh", seed=4)
    assert conditions_at(other, 1).draw != conditions_at(scenario, 1).draw
    assert len(set(ratios)) == len(ratios)


def test_fading_has_the_mean_of_an_exponential():
    scenario = changing(fading="rayleigh")
    was = build_problem(TINY).cells[0].uplink_gain
    found = [
        value
        for number in range(1, 101)
        for value in build_problem(under(scenario, conditions_at(scenario, number))).cells[0].uplink_gain / was
    ]
    assert sum(found) / len(found) == pytest.approx(1.0, abs=4 / math.sqrt(len(found)))
    assert sum(value < math.log(2) for value in found) / len(found) == pytest.approx(0.5, abs=2 / math.sqrt(len(found)))


def test_drawn_changes_are_reproducible_and_a_longer_horizon_keeps_the_earlier_ones():
    def drawn(**more):
        return all_changes(changing(drawn=DrawnChanges(**{"seed": 5, "rounds": 30, "per_round": 1.0} | more)))

    short, same, long, other = drawn(), drawn(), drawn(rounds=60), drawn(seed=6)
    assert short == same and other != short
    assert len(long) > len(short) and long[: len(short)] == short
    assert {change.change for change in long} == {"fade", "fail", "slow", "leave"}
    assert all(change.until > change.round for change in long)
    assert {change.change for change in drawn(kinds=("slow",))} == {"slow"}
    assert drawn(per_round=0) == ()


def test_no_link_is_drawn_to_fail_where_there_is_none():
    devices = tuple(device.model_copy(update={"d2d": False}) for device in TINY.devices)
    lone = TINY.model_copy(update={"devices": devices})
    assert all_changes(changing(scenario=lone, drawn=DrawnChanges(per_round=1.0, kinds=("fail",)))) == ()


def test_scripted_and_drawn_changes_add_up():
    scripted = Slow(change="slow", round=1, device=A, factor=0.5)
    scenario = changing(scripted, drawn=DrawnChanges(per_round=1.0))
    assert all_changes(scenario)[0] == scripted and len(all_changes(scenario)) > 1


def test_plans_are_not_told_of_changes_but_of_the_radio():
    assert changing(Leave(change="leave", round=1, device=A)).fingerprint() == TINY.fingerprint()
    radio = Radio(gains=(LinkGain(source=A, target=EDGE, factor=0.5),))
    assert TINY.model_copy(update={"radio": radio}).fingerprint() != TINY.fingerprint()


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"change": "leave", "round": 1, "device": "nobody"}, r"changes\.events\[0\]\.device"),
        ({"change": "fade", "round": 1, "source": "nobody", "loss_db": 3}, r"events\[0\]\.source"),
        ({"change": "fail", "round": 1, "source": A, "target": EDGE}, r"events\[0\]\.target.*no device"),
        ({"change": "fail", "round": 1, "source": A, "target": A}, "no link to itself"),
        ({"change": "slow", "round": 5, "until": 5, "device": A, "factor": 0.5}, r"until.*not after round 5"),
        ({"change": "slow", "round": 0, "device": A, "factor": 0.5}, "round"),
        ({"change": "melt", "round": 1, "device": A}, "events"),
    ],
)
def test_bad_changes_are_refused(event, place):
    data = TINY.model_dump(mode="json") | {"changes": {"events": [event]}}
    with pytest.raises(InputError, match=place):
        parse_scenario(data)


def test_changes_round_trip():
    whole = changing(Leave(change="leave", round=2, device=A), drawn=DrawnChanges(seed=1), fading="rayleigh", seed=9)
    assert parse_scenario(whole.model_dump(mode="json")) == whole
