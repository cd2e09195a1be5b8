"""The published network follows its recipe, and its correct twin differs only where it should."""

import math

import pytest

from hffm_opt.scenario.builtin.paper_recipe import draw_network
from hffm_opt.scenario.read import load_scenario


def test_the_draw_is_the_same_every_time():
    assert draw_network() == draw_network()


def test_distances_of_the_recipe():
    draw = draw_network()
    assert len(draw.edges) == 10
    assert all(math.dist(a, b) >= 500 for i, a in enumerate(draw.edges) for b in draw.edges[:i])
    for edge, users in zip(draw.edges, draw.users, strict=True):
        assert len(users) == 4
        # A centre within 1000 m of the server, users within 500 m of the centre.
        assert all(math.dist(edge, user) <= 1500 for user in users)
        assert all(math.dist(a, b) <= 1000 for a in users for b in users)
        assert all(0 <= c <= 5000 for point in (edge, *users) for c in point)


def test_payloads_of_the_publication():
    modules = [m for m in load_scenario("paper").modules if m.trainable]
    assert sum(m.payload_bit for m in modules) == 48_000_000
    adapters, *heads = modules
    # By parameters: 9.46 M of the adapters, 15,380 of each head.
    assert heads[0].payload_bit == heads[1].payload_bit
    assert heads[0].payload_bit / adapters.payload_bit == pytest.approx(15_380 / 9_461_760, rel=1e-4)


def test_correct_payloads_are_those_of_the_card():
    paper, correct = load_scenario("paper"), load_scenario("paper-si")
    assert paper.learning.payload == "assumed"
    assert correct.learning.payload == "counted"
    assert [m.name for m in paper.modules] == [m.name for m in correct.modules]


def test_both_have_the_same_places():
    paper, correct = load_scenario("paper"), load_scenario("paper-si")
    assert [(d.name, d.x_m, d.y_m) for d in paper.devices] == [(d.name, d.x_m, d.y_m) for d in correct.devices]
    assert [(x.source, x.target, x.fading) for x in paper.links] == [
        (x.source, x.target, 2 * x.fading) for x in correct.links
    ]


def test_ownership_differs_in_every_correct_cell():
    owned = [{t for t, n in d.samples.items() if n} for d in load_scenario("paper-si").devices]
    for start in range(0, 40, 4):
        assert [sorted(tasks) for tasks in owned[start : start + 4]] == [
            ["digits", "shapes"],
            ["digits", "shapes"],
            ["digits"],
            ["shapes"],
        ]
