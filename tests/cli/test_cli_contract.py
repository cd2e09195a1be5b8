"""The outward contract: JSON keys, exit codes, and who writes where."""

import json
import math

import pytest

import hffm_opt
from hffm_opt.cli import screen
from hffm_opt.cli.published import PUBLISHED

PLAN_KEYS = {
    *("method", "status", "stop_reason", "objective", "bound", "gap", "seconds", "latency_s", "energy_j"),
    *("optimised", "fixed", "plan"),
}
ROW_KEYS = {"method", "feasible", "latency_s", "energy_j", "objective", "gap_to_bound", "seconds"}


def test_scenarios(hffm):
    answer = hffm("scenarios", "--json")
    assert answer.code == 0
    assert [item["name"] for item in answer.document["scenarios"]] == ["paper", "paper-si", "tiny", "senses", "m3t"]


def test_a_built_in_scenario_as_a_file(hffm, tmp_path):
    out = tmp_path / "mine.yaml"
    for name in ("paper-si", "random-7"):
        answer = hffm("scenarios", name, "-o", out, "--json")
        assert answer.document["path"] == str(out) and len(answer.document["scenarios"]) == 1
        assert hffm_opt.load_scenario(out).fingerprint() == hffm_opt.load_scenario(name).fingerprint()
        again = hffm("scenarios", name, "-o", out)
        assert again.code == 2 and "there is such a file already" in again.err
        out.unlink()
    assert f"hffm check {out}" in " ".join(hffm("scenarios", "tiny", "-o", out).out.split())
    assert hffm("scenarios", "-o", out).code == 2 and hffm("scenarios", "tine").code == 2
    assert "paper" not in hffm("scenarios", "tiny").out


def test_check_of_a_sound_scenario(hffm):
    answer = hffm("check", "paper-si", "--json")
    assert (answer.code, answer.document) == (0, {"ok": True, "findings": []})


def test_check_of_a_faulty_scenario_tells_all_findings(hffm, tmp_path, tiny_text):
    path = tmp_path / "faulty.yaml"
    path.write_text(tiny_text.replace("edge: edge-0", "edge: edge-7").replace("- 4\n", "- 3\n"))
    answer = hffm("check", path, "--json")
    assert answer.code == 2
    assert not answer.document["ok"]
    found = {(item["path"], bool(item["message"]), bool(item["repair"])) for item in answer.document["findings"]}
    assert found == {(f"devices[{i}].edge", True, True) for i in range(3)} | {("planning.periods[2]", True, True)}


def test_plan_writes_what_it_prints_and_what_evaluate_confirms(hffm, tmp_path):
    path = tmp_path / "new" / "plan.json"
    answer = hffm("plan", "tiny", "--json", "-o", path)
    assert answer.code == 0
    document = answer.document
    assert document.keys() >= PLAN_KEYS
    assert json.loads(path.read_text()) == document
    assert document["bound"] <= document["objective"]
    verdict = hffm("evaluate", "tiny", path, "--json").document
    assert verdict.keys() >= {"feasible", "latency_s", "energy_j", "violations", "breakdown"}
    assert verdict["feasible"]
    assert (verdict["latency_s"], verdict["energy_j"]) == (document["latency_s"], document["energy_j"])
    assert math.isclose(sum(verdict["breakdown"]["energy_by_band_j"].values()), verdict["energy_j"], rel_tol=1e-12)


def test_plan_options_reach_the_planner(hffm):
    latency = hffm("plan", "tiny", "--json", "--objective", "latency").document
    energy = hffm("plan", "tiny", "--json", "--objective", "energy").document
    assert latency["objective"] == latency["latency_s"] < energy["latency_s"]
    assert energy["objective"] == energy["energy_j"] < latency["energy_j"]
    limit = 0.5 * (latency["latency_s"] + energy["latency_s"])
    between = hffm("plan", "tiny", "--json", "--objective", "energy", "--max-latency", limit).document
    assert between["latency_s"] <= limit * (1 + 1e-6)
    assert between["energy_j"] >= energy["energy_j"]
    held = hffm("plan", "tiny", "--json", "--circulation", "h-fedfm-2").document
    assert held["fixed"][0] == "circulation"
    assert {(item["edge"], item["cloud"]) for item in held["plan"]["circulation"]} == {(1, 2)}
    weighed = hffm("plan", "tiny", "--json", "--latency-weight", "0", "--energy-weight", "2").document
    assert weighed["objective"] == pytest.approx(2 * energy["objective"], rel=1e-3)


def test_max_drift_lifts_the_limit(hffm):
    assert hffm("plan", "tiny", "--method", "edge-only", "--json").code == 3
    lifted = hffm("plan", "tiny", "--method", "edge-only", "--max-drift", "inf", "--json")
    assert (lifted.code, lifted.document["feasible"]) == (0, True)


def test_seed_decides_random_heads(hffm):
    heads = []
    for seed in (0, 0, 1):
        plan = hffm("plan", "tiny", "--method", "h-fedfm-2+d2d", "--seed", seed, "--json").document["plan"]
        heads.append([cell["rounds"][0]["head"] for cell in plan["cells"]])
    assert heads[0] == heads[1] != heads[2]


def test_an_infeasible_request_says_which_limit_binds_and_what_would_do(hffm):
    answer = hffm("plan", "tiny", "--max-latency", "0.001", "--json")
    assert answer.code == 3
    (finding,) = answer.document["findings"]
    assert finding["path"] == "--max-latency"
    least = float(finding["repair"].split("at least ")[1].split(" s")[0])
    assert hffm("plan", "tiny", "--max-latency", least * 1.001, "--json").code == 0
    assert hffm("plan", "tiny", "--max-latency", least * 0.999, "--json").code == 3


def test_a_time_limit_without_a_plan_is_exit_code_4(hffm):
    answer = hffm("plan", "paper", "--time-limit", "0", "--json")
    assert answer.code == 4
    assert answer.document["findings"][0]["path"] == "--time-limit"


def test_evaluate_judges_a_plan_that_breaks_a_limit(hffm, tmp_path, tiny_plan):
    outcome = json.loads(tiny_plan.read_text())
    outcome["plan"]["cells"][0]["rounds"][0]["gather"]["arcs"][0]["power_w"] *= 3
    path = tmp_path / "strong.json"
    path.write_text(json.dumps(outcome))
    answer = hffm("evaluate", "tiny", path, "--json")
    assert (answer.code, answer.document["feasible"]) == (0, False)
    assert [item["path"] for item in answer.document["violations"]] == ["cells[0].rounds[0].gather.arcs[0].power_w"]


def test_compare(hffm):
    answer = hffm("compare", "tiny", "--json")
    assert answer.code == 0
    rows = {row["method"]: row for row in answer.document["rows"]}
    assert rows.keys() >= {*PUBLISHED, "optimal", "fedlama", "adaptive-tau", "mh-fl", "x-learning"}
    assert all(row.keys() >= ROW_KEYS for row in rows.values())
    feasible = {name: row["objective"] for name, row in rows.items() if row["feasible"]}
    assert feasible["optimal"] <= min(feasible.values()) * (1 + 1e-9)
    assert all(row["gap_to_bound"] >= 0 for row in rows.values() if row["feasible"])


def test_compare_some_methods_over_draws(hffm):
    answer = hffm(
        "compare", "tiny", "--methods", "star,h-fedfm-2+d2d", "--methods", "h-fedfm-2", "--draws", 6, "--json"
    )
    rows = answer.document["rows"]
    assert [row["method"] for row in rows] == ["star", "h-fedfm-2+d2d", "h-fedfm-2"]
    assert [row["draws"] is None for row in rows] == [True, False, True]
    spread = rows[1]["draws"]["energy_j"]
    seeds = [hffm_opt.plan("tiny", method="h-fedfm-2+d2d", seed=seed).energy_j for seed in range(6)]
    assert (spread["low"], spread["high"]) == (min(seeds), max(seeds))
    assert spread["low"] < spread["high"]


def test_compare_shows_published_figures_on_the_published_network_only(hffm):
    rows = hffm("compare", "paper", "--methods", "star", "--json").document["rows"]
    assert rows[0]["published"] == {"latency_s": 12.1, "energy_j": 387.2, "accuracy": 0.3789}
    assert "published" not in hffm("compare", "tiny", "--methods", "star", "--json").document["rows"][0]


def test_import_eua(hffm, tmp_path):
    (tmp_path / "sites.csv").write_text("SITE_ID,LATITUDE,LONGITUDE\n1,-37.81,144.96\n2,-37.82,144.97\n")
    (tmp_path / "users.csv").write_text("Latitude,Longitude\n-37.811,144.961\n-37.812,144.962\n-37.821,144.971\n")
    out = tmp_path / "scenario.yaml"
    answer = hffm(
        "import", "eua", "--sites", tmp_path / "sites.csv", "--users", tmp_path / "users.csv", "-o", out, "--json"
    )
    assert answer.code == 0
    assert (answer.document["devices"], answer.document["edges"]) == (3, 2)
    assert hffm("check", out, "--json").document["ok"]


def test_errors_are_documents_on_standard_output_and_words_on_standard_error(hffm):
    answer = hffm("plan", "nowhere.yaml", "--json")
    assert answer.code == 2
    assert answer.document.keys() == {"error", "exit_code", "findings"}
    assert "nowhere.yaml" in answer.err
    assert "repair:" in answer.err
    assert hffm("plan", "nowhere.yaml").out == ""


def test_ctrl_c_is_exit_code_130(hffm, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hffm_opt.api.plan", interrupted)
    answer = hffm("plan", "tiny")
    assert (answer.code, answer.out, answer.err) == (screen.INTERRUPTED, "", "Interrupted.\n")


def test_a_fault_of_the_program_is_not_dressed_up(monkeypatch, hffm):
    monkeypatch.setattr("hffm_opt.api.plan", lambda *_args, **_options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hffm("plan", "tiny")


def test_version(hffm):
    assert hffm("--version").out == f"hffm {hffm_opt.__version__}\n"
