"""Reports say what a run did besides following one plan, and predict what it really did."""

from __future__ import annotations

import pytest
from report_cases import run_directory

from hffm_opt.plan.broadcast import broadcast_cost
from hffm_opt.plan.circulation import ModuleCirculation
from hffm_opt.plan.schedule import schedule_cost
from hffm_opt.report import read_run, write_report
from hffm_opt.report.algorithms import algorithm_words
from hffm_opt.report.energy import predicted_energy
from hffm_opt.report.run import Run
from hffm_opt.solvers.registry import replanner
from hffm_opt.solvers.request import Request
from hffm_opt.trace import Algorithm, Broadcast, Intervals, Revision, write_trace


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eight rounds of FedLAMA on tiny, in which the plan changed once and something was sent twice."""
    directory = run_directory(tmp_path_factory.mktemp("runs") / "adapted", "tiny", "fedlama", 8)
    begun = read_run(directory)
    periods = (4, 1, 4)
    circulation = tuple(
        ModuleCirculation(module=m, cloud=p) for m, p in zip(begun.problem.modules, periods, strict=True)
    )
    plan = replanner(begun.problem, "fedlama", Request())(circulation)
    told = dict.fromkeys(begun.problem.modules, 1.0)
    ways = Algorithm(proximal=0.25, fedlama=Intervals(tau=1, phi=4), kept_neurons=0.5, realign_every=4)
    trace = begun.trace.model_copy(
        update={
            "header": begun.trace.header.model_copy(update={"algorithm": ways}),
            "revisions": (Revision(round=5, plan=plan, discrepancy=told),),
            "broadcasts": (Broadcast(round=4, bits=8_000_000), Broadcast(round=8, bits=8_000_000)),
        }
    )
    write_trace(trace, directory)
    return read_run(directory)


def test_words(run: Run) -> None:
    assert [" ".join(sentence.split()) for sentence in algorithm_words(run.trace)] == [
        "FedProx: every device was pulled towards its last averages, mu = 0.25.",
        "FedPFT: devices trained with 50.0 % of the backbone's feed-forward neurons, evaluated with all.",
        "Neurons were realigned after these rounds, 1 MB to every device each time: 4, 8.",
        "FedLAMA: all modules were averaged every round at first; in the end every 4 rounds: adapters, head-shapes. "
        "The plan changed with these rounds: 5.",
    ]


def test_the_page_says_it_beside_the_calendar(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("page") / "adapted"
    directory.mkdir()
    page = write_report([_kept(run, directory)], directory / "report.html").read_text()
    assert "mu = 0.25" in page
    assert 'data-title="Rounds 1 to 4"' in page and 'data-title="Rounds 5 to 8"' in page


def _kept(run: Run, directory):  # type: ignore[no-untyped-def]
    from hffm_opt.loop import begin_run, save_run

    begin_run(run.problem, run.outcome, directory)
    save_run(run, directory)
    return directory


def test_energies_by_band_are_those_of_the_plans_in_force(run: Run) -> None:
    plans = run.trace.plans(run.plan)
    whole = schedule_cost(run.problem, plans, 8, [(4, 8_000_000), (8, 8_000_000)])
    assert sum(predicted_energy(run).values()) == pytest.approx(whole.energy_j, rel=1e-12)
    extra = broadcast_cost(run.problem, plans[1][1], 8, 8_000_000)
    assert predicted_energy(run)["backhaul"] > 2 * extra.joules_by_band["backhaul"]
