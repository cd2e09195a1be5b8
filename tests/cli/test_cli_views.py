"""What people read says what the values say."""

import re
from pathlib import Path

import hffm_opt
from hffm_opt.cli import screen
from hffm_opt.cli.figures import figure, percent
from hffm_opt.cli.views.plan import calendar
from hffm_opt.plan.circulation import kind_of_round, tiers, top_kind, uniform
from hffm_opt.problem import build_problem
from hffm_opt.scenario.read import load_scenario
from hffm_opt.solvers.registry import METHODS

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_certificate_in_words(hffm):
    outcome = hffm_opt.plan("tiny", gap=0.5)
    text = hffm("plan", "tiny", "--gap", "0.5").out
    assert f"no plan costs less than {figure(outcome.bound, 6)}" in text
    assert f"this one costs {figure(outcome.objective, 6)}" in text
    assert percent(outcome.gap, 3) in text or "the least possible" in text
    assert "minimising 1 × latency in s + 0.5 × energy in J per round" in text
    assert "No proof" in hffm("plan", "tiny", "--method", "star").out


def test_the_calendar_shows_every_average(hffm):
    circulation = hffm_opt.plan("tiny").plan.circulation
    text = hffm("plan", "tiny").out
    top = top_kind(circulation)
    for index, item in enumerate(circulation):
        line = next(line for line in text.splitlines() if line.startswith(item.module) and "bit" in line)
        found = re.findall(r"[·DEC](?= |$)", line.split("bit")[1])
        levels = [tiers(circulation, kind_of_round(number, top))[index] for number in range(1, (1 << top) + 1)]
        assert found == ["·DEC"[level] for level in levels]


def test_a_plan_that_breaks_limits_names_them(hffm):
    answer = hffm("plan", "tiny", "--method", "edge-only", "--max-latency", "1", "--max-energy", "1e9")
    assert answer.code == 3
    assert "drift Phi = 39999 exceeds drift_max = 20" in answer.out
    assert "--max-latency" in answer.out
    assert "--max-energy" not in answer.out


def test_the_verdict_breaks_down_by_band_module_and_cell(hffm, tiny_plan):
    verdict = hffm_opt.evaluate("tiny", tiny_plan)
    text = hffm("evaluate", "tiny", tiny_plan).out
    parts = verdict.breakdown
    for values in (parts.energy_by_band_j, parts.energy_by_module_j, parts.energy_by_cell_j):
        for name, value in values.items():
            assert re.search(rf"^{re.escape(name)} +{re.escape(figure(value))} ", text, re.MULTILINE), name


def test_the_comparison_has_a_line_for_each_method(hffm):
    text = hffm("compare", "tiny").out
    for name in METHODS:
        assert re.search(rf"^{re.escape(name)} +(yes|no) ", text, re.MULTILINE), name
    assert "edge-only, edge-only+d2d: drift Phi = 39999 exceeds drift_max = 20" in text
    assert "published" not in text


def test_the_comparison_ranks_by_objective_then_feasibility(hffm):
    names = "edge-only,star,h-fedfm-max+inversion,h-fedfm-2"
    lines = hffm("compare", "tiny", "--methods", names).out.splitlines()[3:7]
    assert [line.split()[0] for line in lines] == ["h-fedfm-2", "star", "edge-only", "h-fedfm-max+inversion"]


def test_methods_are_listed_with_what_they_do(hffm):
    text = hffm("compare", "--list").out
    for name, method in METHODS.items():
        assert re.search(rf"^{re.escape(name)} +{re.escape(method.summary)} ", text, re.MULTILINE), name
    document = hffm("compare", "--list", "--json").document
    assert [row["name"] for row in document["methods"]] == list(METHODS)
    assert [row["name"] for row in document["methods"] if row["exact"]] == ["optimal"]
    assert "CIRCULATION" in document["composition"]
    assert hffm("compare").code == 2


def test_published_figures_stand_beside(hffm):
    text = hffm("compare", "paper", "--methods", "star,h-fedfm-8+d2d", "--draws", "3").out
    assert re.search(r"^star +yes +12\.100 +12\.10 +387\.20 +387\.20 ", text, re.MULTILINE)
    assert "over 3 seeded draws" in text
    assert "are J" in text


def test_a_narrow_terminal_cuts_no_figure(hffm, monkeypatch):
    def figures():
        header, _, *rows = hffm("compare", "paper", "--methods", "star,h-fedfm-2").out.splitlines()[1:5]
        return header.split(), [row.split()[:-1] for row in rows]

    wide = figures()
    monkeypatch.setattr(screen, "PIPE_WIDTH", 60)
    assert figures() == wide
    assert "…" not in hffm("plan", "tiny", "--method", "h-fedfm-2+d2d").out


def test_check_sums_a_sound_scenario_up(hffm):
    text = hffm("check", "tiny").out
    assert text.startswith("Sound: tiny")
    assert "2 edges, 6 devices" in text


def test_long_cycles_show_their_kinds_of_rounds(capsys):
    problem = build_problem(load_scenario("tiny"))
    screen.show(calendar(problem, uniform(problem, 1, 16, 64)))
    title, header, _, adapters, *_ = capsys.readouterr().out.splitlines()
    assert "64 rounds of a cycle" in title
    assert header.split()[3:] == ["1", "2", "4", "8", "16", "32", "64"]
    assert adapters.split("bit")[1].split() == ["D", "D", "D", "D", "E", "E", "C"]


def test_of_many_cells_the_slowest_are_shown(hffm, monkeypatch, tmp_path):
    path = tmp_path / "plan.json"
    whole = hffm("plan", "paper", "--method", "h-fedfm-2+d2d", "-o", path).out
    verdict = hffm_opt.evaluate("paper", path)
    busy = verdict.breakdown.busy_by_cell_s
    for view in ("plan", "evaluate"):
        monkeypatch.setattr(f"hffm_opt.cli.views.{view}.SHOWN_CELLS", 3)
    short = hffm("plan", "paper", "--method", "h-fedfm-2+d2d").out
    shown = [line.split()[0] for line in short.split("Routes")[1].splitlines() if line.startswith("edge-")]
    assert len(busy) == 10
    assert shown == sorted(shown)
    assert set(shown) == set(sorted(busy, key=lambda cell: -busy[cell])[:3])
    assert "7 more are in the plan" in short
    assert "more are in the plan" not in whole
    text = hffm("evaluate", "paper", path).out
    energy = verdict.breakdown.energy_by_cell_j
    rest = sum(sorted(energy.values())[:-3])
    assert re.search(rf"^7 others \(see --json\) +{re.escape(figure(rest))} ", text, re.MULTILINE)
    assert hffm("evaluate", "paper", path, "--json").document["breakdown"]["energy_by_cell_j"].keys() == energy.keys()


def test_a_plan_that_training_would_not_take_is_not_said_to_be_next(hffm, tmp_path):
    said = hffm("plan", EXAMPLES / "module-relaying.yaml", "--method", "star", "-o", tmp_path / "p.json").err
    assert "leaves 'requests' aside" in said
    assert "--for requests" in said
    assert "--plan" not in said


def test_a_sound_scenario_says_what_it_asks_for(hffm):
    for name, words in (
        ("module-relaying", "2 requests, after round 4: hffm plan S --for requests"),
        ("specialisation", "at most 2 per device: hffm plan S --for specialise"),
        ("inference", "watch-digits, phone-shapes, tablet-shapes: hffm plan S --for inference"),
        ("random-walk", "1 of each module and island, loss 0.1, made anew after 8 rounds: hffm plan S --for walks"),
    ):
        assert words in hffm("check", EXAMPLES / f"{name}.yaml").out
    assert "--for" not in hffm("check", "tiny").out
