"""What the page's sections are made of agrees with the referee."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_cases import run_directory

from hffm_opt.plan.circulation import top_kind
from hffm_opt.plan.referee import kind_costs
from hffm_opt.report import Run, read_run
from hffm_opt.report.allocation import Spread, band_summaries, cpu_spread, link_shares, slowest_cell
from hffm_opt.report.energy import band_of, measured_energy, predicted_energy
from hffm_opt.report.figures.bars import busy_bars, energy_bars, share_bars
from hffm_opt.report.flows import kind_flows
from hffm_opt.report.page import group_labels
from hffm_opt.report.repeats import run_groups
from hffm_opt.trace import LedgerEntry


@pytest.fixture(scope="module")
def allocated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read_run(run_directory(tmp_path_factory.mktemp("si") / "run", "paper-si", "h-fedfm-8+d2d", 3))


def test_flows_of_all_kinds_cost_what_the_referee_counts(runs: tuple[Run, ...]) -> None:
    for run in runs:
        costs = kind_costs(run.problem, run.plan)
        kinds = [kind for flows in kind_flows(run.problem, run.plan) for kind in flows.kinds]
        assert sorted(kinds) == list(range(top_kind(run.plan.circulation) + 1))
        for flows in kind_flows(run.problem, run.plan):
            for kind in flows.kinds:
                for cell_flows, cost in zip(flows.cells, costs.rounds[kind], strict=True):
                    radio = {b: v for b, v in cost.tally.energy_by_band.items() if b not in ("compute", "backhaul")}
                    for band, joules in radio.items():
                        mine = sum(flow.joules for flow in cell_flows if flow.band == band)
                        assert mine == pytest.approx(joules, rel=1e-12)


def test_kinds_that_are_alike_are_shown_once(allocated: Run) -> None:
    assert [flows.kinds for flows in kind_flows(allocated.problem, allocated.plan)] == [(0, 1, 2), (3,)]


def test_measured_bands_add_up_to_the_ledger_and_match_the_prediction(runs: tuple[Run, ...]) -> None:
    for run in runs:
        by_cell, predicted = measured_energy(run), predicted_energy(run)
        total = sum(sum(bands.values()) for bands in by_cell.values())
        assert total == pytest.approx(run.trace.ledger.total("joules"), rel=1e-12)
        for band, joules in predicted.items():
            assert sum(bands.get(band, 0.0) for bands in by_cell.values()) == pytest.approx(joules, rel=1e-9)


@pytest.mark.parametrize(
    ("event", "source", "target", "band"),
    [
        ("train", "d", "", "compute"),
        ("gather", "d", "h", "d2d"),
        ("uplink", "d", "h", "d2d"),
        ("uplink", "h", "e", "uplink"),
        ("uplink", "d", "cloud", "direct"),
        ("downlink", "cloud", "d", "direct"),
        ("downlink", "e", "d", "downlink"),
        ("backhaul-up", "e", "cloud", "backhaul"),
        ("backhaul-down", "cloud", "e", "backhaul"),
    ],
)
def test_every_entry_has_its_band(event: str, source: str, target: str, band: str) -> None:
    assert band_of(LedgerEntry(1, event, "e", source, target, "m", 1, 1, 0.0, 1.0, 1.0)) == band


def test_allocation_shares_are_of_the_budgets(allocated: Run) -> None:
    last = kind_flows(allocated.problem, allocated.plan)[-1]
    for cell, flows in zip(allocated.problem.cells, last.cells, strict=True):
        used: dict[tuple[str, str], float] = {}
        for share, flow in zip(link_shares(allocated, cell, flows), flows, strict=True):
            key = (flow.event, share.band)
            used[key] = used.get(key, 0.0) + share.bandwidth_share
            assert share.power_share == pytest.approx(1.0)
        assert all(total == pytest.approx(1.0) for total in used.values())
    summaries = {s.band: s for s in band_summaries(allocated, last)}
    assert {band: s.links for band, s in summaries.items()} == {"d2d": 30, "uplink": 10, "downlink": 40}
    assert summaries["downlink"].bandwidth_hz == Spread(5e6, 5e6, 5e6)
    assert cpu_spread(allocated, 0) == Spread(1.0, 1.0, 1.0)


def test_the_slowest_cell_is_the_one_longest_at_work(allocated: Run) -> None:
    costs = kind_costs(allocated.problem, allocated.plan)
    each = costs.before_s + costs.after_s
    busy = (4 * each[0] + 2 * each[1] + each[2] + each[3]) / 8
    assert slowest_cell(allocated).index == int(np.argmax(busy))


def test_labels_tell_runs_of_one_method_apart(runs: tuple[Run, ...], directories: tuple[Path, ...]) -> None:
    assert group_labels(run_groups(runs)) == ("h-fedfm-2+d2d", "h-fedfm-2", "star")
    twice = group_labels(run_groups([runs[2], runs[2], runs[0]]))
    assert twice == (f"star ({directories[2].name})", f"star ({directories[2].name})", "h-fedfm-2+d2d")


def test_bars_that_are_cut_say_so() -> None:
    names = [(f"link {i}", "uplink", 0.5) for i in range(41)]
    assert "share (first 40 of 41)" in share_bars(names, "share", "a").svg
    assert "(first" not in share_bars(names[:40], "share", "a").svg
    busy = {f"cell {i:02}": float(i + 1) for i in range(21)}
    drawn = busy_bars(busy, "b").svg
    assert "(slowest 20 of 21)" in drawn and "cell 20" in drawn and "cell 00" not in drawn
    energy = energy_bars({name: {"uplink": value} for name, value in busy.items()}, "c").svg
    assert "all others" in energy and "cell 00" not in energy
