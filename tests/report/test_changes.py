"""A run whose plan changed shows each plan in its rounds, and every look at the plan in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from changed_cases import GONE, changed_run
from pages import Page

from hffm_opt.plan.notice import notice_cost
from hffm_opt.plan.referee import kind_costs
from hffm_opt.report import Run, render_report
from hffm_opt.report.energy import predicted_energy
from hffm_opt.report.figures.accuracy import changes_at
from hffm_opt.report.flows import kind_flows
from hffm_opt.report.in_force import in_force_at, plans_in_force
from hffm_opt.report.looks import look_rows
from hffm_opt.report.repeats import run_groups
from hffm_opt.scenario.conditions import Conditions


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return changed_run(tmp_path_factory.mktemp("runs") / "changed")


def test_each_round_has_the_plan_that_was_in_force(run: Run) -> None:
    first, second = plans_in_force(run)
    assert (first.title, second.title) == ("rounds 1 to 4", "rounds 5 to 8")
    assert [in_force_at((first, second), number) for number in (1, 4, 5, 8)] == [first, first, second, second]
    assert {tier.name for tier in first.tiers(4).values()} == {"CLOUD"}
    assert {tier.name for tier in second.tiers(5).values()} == {"EDGE"}


def test_a_plan_is_drawn_for_the_network_that_it_was_made_for(run: Run) -> None:
    sends = [
        {flow.source for kind in kind_flows(plan.problem, plan.plan) for cell in kind.cells for flow in cell}
        for plan in plans_in_force(run)
    ]
    assert GONE in sends[0] and GONE not in sends[1]


def test_predicted_joules_are_those_of_the_plans_in_their_rounds(run: Run) -> None:
    first, second = (kind_costs(plan.problem, plan.plan) for plan in plans_in_force(run))
    expected = sum(first.energy_j[kind].sum() for kind in (0, 1, 0, 1)) + sum(
        second.energy_j[kind].sum() for kind in (0, 1, 0, 2)
    )
    told = notice_cost(plans_in_force(run)[0].problem, (800, 800))[1]
    assert sum(predicted_energy(run).values()) == pytest.approx(expected + told, rel=1e-12)


def test_a_plan_that_no_round_followed_is_not_shown(run: Run) -> None:
    late = run.trace.revisions[0].model_copy(update={"round": 9})
    again = run.trace.revisions[0].model_copy(update={"plan": run.plan, "conditions": Conditions()})
    for revisions, titles in (
        ((late,), ["rounds 1 to 8"]),
        # A plan that was replaced before its first round.
        ((run.trace.revisions[0], again), ["rounds 1 to 4", "rounds 5 to 8"]),
    ):
        trace = run.trace.model_copy(update={"revisions": revisions})
        found = plans_in_force(replace(run, trace=trace))
        assert [plan.title for plan in found] == titles
        assert found[-1].plan == run.plan


def test_changes_stand_where_the_round_before_ended(run: Run) -> None:
    (group,) = run_groups([run])
    assert changes_at(group, "clock_s") == [8.0]
    assert changes_at(group, "energy_j") == [pytest.approx(sum(record.energy_j for record in run.trace.rounds[:4]))]


def test_looks_in_plain_words(run: Run) -> None:
    unwilling, changed, late = look_rows(run)
    assert (unwilling.verdict, unwilling.current, unwilling.saving) == (
        "Kept the plan: it may come back",
        "reaches nobody",
        "without limit",
    )
    assert changed.adopted and changed.verdict == "Changed the plan: it saves more than it costs"
    assert (changed.current, changed.proposed, changed.bound) == ("4", "3", "2.5")
    assert (changed.saving, changed.cost, changed.realised) == ("4", "0.5", "3.125")
    assert late.verdict == "Kept the plan, no other was at hand: too late to pay"
    assert (late.proposed, late.saving, late.realised) == ("—", "—", "—")


def test_figures_of_looks_have_the_objectives_unit(run: Run) -> None:
    outcome = run.outcome.model_copy(update={"objective_name": "energy"})
    assert look_rows(replace(run, outcome=outcome))[1].saving == "4\u202fJ"


def test_the_page_has_a_calendar_and_a_map_for_each_plan(run: Run) -> None:
    page = Page(render_report([run]))
    assert page.faults == []
    titles = [title for title in page.having("data-title") if title.startswith("Rounds")]
    assert titles == ["Rounds 1 to 4", "Rounds 5 to 8"]
    headers = [text.strip() for text in page.texts if text.strip() in {"1", "4", "5", "8"}]
    assert {"1", "4", "5", "8"} <= set(headers)
    for words in (f"{GONE} is still gone", "3.125", "Looks at the plan", "the plan changed"):
        assert words in page.text


def test_what_the_referee_counts_for_the_changed_network_stands_beside_the_prediction(run: Run) -> None:
    explained = run.measurement.predicted.model_copy(update={"latency_s": 123.0})
    known = replace(run, measurement=run.measurement.model_copy(update={"explained": explained}))
    assert "As the network was" in render_report([known]) and "123\u202fs" in render_report([known])
    plain = replace(run, measurement=run.measurement.model_copy(update={"explained": None}))
    assert "As the network was" not in render_report([plain])
