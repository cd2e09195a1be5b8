"""The section `walks`: what it needs, and that nothing else changes."""

import pytest

from hffm_opt.errors import InputError
from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.read import load_scenario, parse_scenario
from hffm_opt.scenario.walks import Walks
from hffm_opt.serial import dump_yaml, parse_text

TINY = load_scenario("tiny")


def test_the_section_changes_no_plans_of_training():
    walking = TINY.model_copy(update={"walks": Walks(walkers=2, late=3, loss=0.1)})
    assert walking.fingerprint() == TINY.fingerprint()
    assert "walks" not in dump_yaml(TINY)
    assert not check_scenario(walking)
    assert parse_scenario(parse_text(dump_yaml(walking), "x.yaml")) == walking


def test_walks_need_links():
    alone = tuple(device.model_copy(update={"d2d": i == 0}) for i, device in enumerate(TINY.devices))
    assert not check_scenario(TINY.model_copy(update={"devices": alone}))
    (finding,) = check_scenario(TINY.model_copy(update={"devices": alone, "walks": Walks()}))
    assert finding.path == "walks" and "d2d: true" in finding.repair


@pytest.mark.parametrize("bad", [{"walkers": 0}, {"late": 0}, {"loss": 1.0}, {"loss": -0.1}, {"hops": 2}])
def test_numbers_out_of_range_are_told(bad):
    data = parse_text(dump_yaml(TINY), "x.yaml") | {"walks": bad}
    with pytest.raises(InputError, match=f"walks.{next(iter(bad))}"):
        parse_scenario(data)
