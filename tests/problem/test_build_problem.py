"""What a scenario becomes as arrays."""

import functools
import math

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.problem import build_problem
from hffm_opt.problem.build import associate, flop_per_sample
from hffm_opt.problem.radio import path_gain, rate_bit_per_s
from hffm_opt.scenario.model import LinkFading
from hffm_opt.scenario.read import load_scenario

# Gains and noise densities lie far below pytest's default absolute tolerance.
exactly = functools.partial(pytest.approx, rel=1e-9, abs=0)


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny")


def changed(scenario, index=0, **update):
    devices = list(scenario.devices)
    devices[index] = devices[index].model_copy(update=update)
    return scenario.model_copy(update={"devices": tuple(devices)})


def test_owners_follow_samples(tiny):
    problem = build_problem(tiny)
    assert problem.modules == ("adapters", "head-digits", "head-shapes")
    assert problem.owners.tolist() == [
        [True, True, True],
        [True, True, False],
        [True, False, True],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]


def test_frozen_modules_are_not_planned_but_cost_computation(tiny):
    problem = build_problem(tiny)
    backbone = next(m for m in tiny.modules if m.kind == "backbone")
    assert not backbone.trainable
    assert backbone.name not in problem.modules
    digits = sum(m.forward_flop + m.backward_flop for m in tiny.modules if "digits" in m.tasks)
    assert flop_per_sample(tiny.modules, "digits") == digits > backbone.forward_flop + backbone.backward_flop
    # Device 1 trains 32 samples of digits.
    assert problem.cycles[1] == exactly(32 * digits / tiny.devices[1].flop_per_cycle)


def test_local_passes_multiply_the_work(tiny):
    twice = tiny.model_copy(update={"learning": tiny.learning.model_copy(update={"local_passes": 2})})
    assert build_problem(twice).cycles == exactly(2 * build_problem(tiny).cycles)


def test_association_is_the_named_edge_else_the_nearest(tiny):
    free = changed(tiny, 0, edge=None)
    assert associate(free)["device-0-0"] == "edge-0"
    assert associate(changed(free, 0, x_m=890.0))["device-0-0"] == "edge-1"
    assert associate(changed(tiny, 0, x_m=890.0))["device-0-0"] == "edge-0"


def test_edges_without_devices_have_no_cell(tiny):
    alone = tiny.model_copy(update={"devices": tuple(d.model_copy(update={"edge": "edge-1"}) for d in tiny.devices)})
    (cell,) = build_problem(alone).cells
    assert (cell.edge.name, cell.index, cell.size) == ("edge-1", 1, 6)


def test_gains_are_path_gain_times_fading(tiny):
    links = (
        LinkFading(source="device-0-0", target="edge-0", fading=0.25),
        LinkFading(source="device-0-0", target="device-0-1", fading=3.0),
        LinkFading(source="device-0-1", target="device-0-0", fading=5.0),
    )
    plain, faded = build_problem(tiny).cells[0], build_problem(tiny.model_copy(update={"links": links})).cells[0]
    assert plain.uplink_gain[0] == exactly(float(path_gain(tiny.physics.path_loss, math.hypot(120, 40))))
    assert plain.d2d_gain[0, 1] == exactly(float(path_gain(tiny.physics.d2d_path_loss, math.hypot(30, 70))))
    assert faded.uplink_gain == exactly(plain.uplink_gain * [0.25, 1, 1])
    # The reverse direction of a given link fades alike unless it is given itself.
    assert faded.downlink_gain == exactly(plain.downlink_gain * [0.25, 1, 1])
    assert faded.d2d_gain[0, 1] == exactly(3 * plain.d2d_gain[0, 1])
    assert faded.d2d_gain[1, 0] == exactly(5 * plain.d2d_gain[1, 0])
    assert not plain.d2d_gain.diagonal().any()


def test_d2d_needs_range_and_ability(tiny):
    # Distances in the first cell: 76, 143 and 117 m.
    def links(scenario):
        return build_problem(scenario).cells[0].d2d_gain > 0

    near = tiny.model_copy(update={"physics": tiny.physics.model_copy(update={"d2d_range_m": 120.0})})
    assert links(tiny).sum() == 6
    assert links(near).tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    assert links(changed(tiny, 1, d2d=False)).tolist() == [[False, False, True], [False] * 3, [True, False, False]]


@pytest.fixture(scope="module")
def faded(tiny):
    return tiny.model_copy(update={"physics": tiny.physics.model_copy(update={"fading": "rayleigh"})})


class TestRayleigh:
    def test_channels_are_reciprocal_and_seeded(self, faded):
        cell, again = build_problem(faded).cells[0], build_problem(faded).cells[0]
        assert cell.d2d_gain == exactly(cell.d2d_gain.T)
        assert cell.uplink_gain == exactly(cell.downlink_gain)
        assert np.array_equal(cell.d2d_gain, again.d2d_gain)
        other = build_problem(faded.model_copy(update={"seed": 2})).cells[0]
        assert not np.isclose(cell.uplink_gain, other.uplink_gain, atol=0).any()

    def test_a_link_does_not_depend_on_who_else_is_there(self, faded):
        alone = faded.model_copy(update={"devices": faded.devices[:1]})
        assert build_problem(alone).cells[0].uplink_gain[0] == build_problem(faded).cells[0].uplink_gain[0]

    def test_mean_power_is_one(self, faded, tiny):
        ratios = [
            build_problem(faded.model_copy(update={"seed": seed})).cells[0].uplink_gain
            / build_problem(tiny).cells[0].uplink_gain
            for seed in range(150)
        ]
        # 450 draws of a unit exponential: the mean lies within 5 standard errors.
        assert np.mean(ratios) == pytest.approx(1.0, abs=5 / math.sqrt(450))

    def test_given_links_are_not_drawn(self, faded, tiny):
        given = (LinkFading(source="device-0-0", target="edge-0", fading=2.0),)
        cell = build_problem(faded.model_copy(update={"links": given})).cells[0]
        assert cell.uplink_gain[0] == exactly(2 * build_problem(tiny).cells[0].uplink_gain[0])


def test_a_device_out_of_reach_is_refused(tiny):
    steep = tiny.physics.path_loss.model_copy(update={"exponent": 400.0})
    deaf = tiny.model_copy(update={"physics": tiny.physics.model_copy(update={"path_loss": steep})})
    with pytest.raises(InputError, match="channel gain to edge-0 is 0"):
        build_problem(deaf)


def test_published_computation_is_free():
    assert not build_problem(load_scenario("paper")).cycles.any()


def test_reference_rates():
    """The first and the slowest uplink of the published network, in kbit/s, recomputed from its positions and draws."""
    scenario = load_scenario("paper")
    problem = build_problem(scenario)
    rates = np.concatenate(
        [rate_bit_per_s(1e6, 1.0, cell.uplink_gain, problem.noise_w_per_hz) for cell in problem.cells]
    )
    generator = np.random.default_rng(49)
    by_name = {edge.name: edge for edge in scenario.edges}
    for rate, device in zip(rates, scenario.devices, strict=True):
        edge = by_name[device.edge]
        power = (generator.standard_normal((1, 2)) ** 2).sum()
        gain = power * 10 ** ((-30 - 30 * math.log10(math.dist((device.x_m, device.y_m), (edge.x_m, edge.y_m)))) / 10)
        expected_kbit_per_s = 1000 * math.log2(1 + gain * 1000 / (10**-17.4 * 1000))
        assert rate / 1000 == exactly(expected_kbit_per_s)


def test_correct_physics_is_the_published_network_without_its_three_errors():
    """Noise 30 dB higher, fading of mean 1, a shared uplink band."""
    published, correct = build_problem(load_scenario("paper")), build_problem(load_scenario("paper-si"))
    assert correct.noise_w_per_hz == exactly(1000 * published.noise_w_per_hz)
    for ours, theirs in zip(correct.cells, published.cells, strict=True):
        assert ours.uplink_gain == exactly(theirs.uplink_gain / 2)
        assert ours.d2d_gain == exactly(theirs.d2d_gain / 2)
    assert correct.scenario.physics.uplink_sharing == "shared"
