"""Walks as two calls: a chain by its name, a plan and its file are one and the same."""

import pytest
from pydantic import ValidationError

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.walks import Walks
from hffm_opt.serial import dump_json
from hffm_opt.walked import load_walk, refuse_sections, walk_of

TINY = hffm_opt.load_scenario("tiny")


def test_a_name_a_plan_and_its_file_are_the_same(tmp_path):
    problem = build_problem(TINY)
    plan = hffm_opt.plan_walks(TINY, method="metropolis-hastings")
    path = tmp_path / "walk.json"
    path.write_text(dump_json(plan))
    assert walk_of(problem, "metropolis-hastings") == walk_of(problem, plan) == walk_of(problem, path) == plan
    assert load_walk(path) == plan


def test_the_section_says_how():
    section = Walks(walkers=3, late=5, loss=0.25)
    plan = hffm_opt.plan_walks(TINY.model_copy(update={"walks": section}))
    assert (plan.walkers, plan.late, plan.loss) == (3, 5, 0.25)
    assert plan.islands == hffm_opt.plan_walks(TINY).islands


def test_faulty_plans_and_sections_are_refused(tmp_path):
    problem, plan = build_problem(TINY), hffm_opt.plan_walks(TINY)
    still = plan.model_copy(update={"islands": plan.islands[:1]})
    with pytest.raises(InputError, match="stands on 0 islands"):
        walk_of(problem, still)
    (tmp_path / "broken.json").write_text('{"format": "hffm-walk-plan/1"}')
    with pytest.raises(InputError, match=r"broken\.json"):
        load_walk(tmp_path / "broken.json")
    with pytest.raises(InputError, match="--seed"):
        hffm_opt.train_walks(TINY, rounds=1, seed=-1)
    with pytest.raises(InputError, match="--rounds"):
        hffm_opt.train_walks(TINY, rounds=0)
    with pytest.raises(ValidationError):
        Walks(loss=1.0)
    refuse_sections(TINY)
    with pytest.raises(InputError, match="specialise"):
        refuse_sections(hffm_opt.load_scenario("m3t").model_copy(update={"specialise": {}}))
