"""Collaborative inference as three calls: choose exits, place the chains, answer requests.

Heavy libraries load inside the call that needs them: placing never imports torch, answering never a solver.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hffm_opt.asked import ScenarioLike, check_numbers, check_seed, problem_of
from hffm_opt.errors import InputError
from hffm_opt.plan.inference import Calibration, InferenceOutcome, InferencePlan, build_inference
from hffm_opt.plan.inference.files import load_calibration, load_inference
from hffm_opt.trace.metrics import TRACE

if TYPE_CHECKING:
    from hffm_opt.learning.inference.exits import Exits
    from hffm_opt.trace.inference import InferenceEntry, InferenceTrace

InferencePlanLike = InferencePlan | InferenceOutcome | str | Path
CalibrationLike = Calibration | str | Path
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class InferenceRun:
    """Requests that were answered: the trace, and every computation and message."""

    trace: InferenceTrace
    ledger: list[InferenceEntry]


def plan_inference(
    scenario: ScenarioLike,
    *,
    method: str = "optimal",
    exits: CalibrationLike | None = None,
    latency_weight: float | None = None,
    energy_weight: float | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    engine: str = "highs",
) -> InferenceOutcome:
    """Place the module chain of every request class over device, peers, edge and cloud.

    Args:
        scenario: a scenario with a section ``inference``, or the path of one.
        method: ``optimal``, ``greedy``, ``device-only``, ``edge-only``, ``cloud-only``, or ``split-SEGMENT[-cloud]``.
        exits: what :func:`calibrate` chose, or its directory; without, every request goes through the whole chain.
        latency_weight, energy_weight: per second and joule of a mean request (default: the section's).
        gap: relative gap at which ``optimal`` may stop (default: 1e-4).
        time_limit: its wall-clock limit in s.
        engine: the engine that solves its program.

    Raises:
        InputError: bad scenario or argument.
        InfeasibleError: proven: the chains fit nowhere; says which limits bind.
        LimitReachedError: the time limit came before any placement.

    Example:
        >>> from hffm_opt.scenario.inference import Inference, RequestClass
        >>> from hffm_opt.scenario.read import load_scenario
        >>> asked = RequestClass(name="signs", task="digits", device="device-0-0", rate_per_s=1.0)
        >>> given = load_scenario("tiny").model_copy(update={"inference": Inference(classes=(asked,))})
        >>> best, alone = (plan_inference(given, method=name) for name in ("optimal", "device-only"))
        >>> best.status, best.objective <= alone.objective
        ('optimal', True)
    """
    from hffm_opt.solvers.inference import DEFAULT_GAP, place_inference

    asked = {"--latency-weight": latency_weight, "--energy-weight": energy_weight}
    check_numbers({**asked, "--gap": gap, "--time-limit": time_limit})
    chosen = load_calibration(exits) if isinstance(exits, str | Path) else exits
    inference = build_inference(problem_of(scenario), None if chosen is None else chosen.tasks)
    if chosen is not None:
        chosen.check(inference.model_fingerprint)
    section = inference.section
    weights = (
        section.latency_weight if latency_weight is None else latency_weight,
        section.energy_weight if energy_weight is None else energy_weight,
    )
    return place_inference(
        inference,
        method,
        weights=weights,
        engine=engine,
        gap=DEFAULT_GAP if gap is None else gap,
        time_limit_s=math.inf if time_limit is None else time_limit,
    )


def calibrate(
    scenario: ScenarioLike,
    *,
    run: str | Path | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress = lambda _: None,
) -> Exits:
    """Fit the early exits of a scenario on training data, and choose their thresholds on calibration data.

    Args:
        scenario: a scenario with a section ``inference``, or the path of one.
        run: the run directory whose trained modules answer; the initial ones if not given.
        seed: root of data and initial weights; that of the run, so that its test samples stay unseen.
        out: directory to keep ``exits.json`` and the heads in.
        progress: told what is done.

    Raises:
        InputError: bad scenario, argument or run.

    Example:
        >>> from hffm_opt.bench.overhead import with_samples
        >>> from hffm_opt.scenario.inference import Inference, RequestClass
        >>> from hffm_opt.scenario.read import load_scenario
        >>> asked = RequestClass(name="signs", task="digits", device="device-0-0", rate_per_s=1.0)
        >>> section = Inference(classes=(asked,), exits=(1,), calibration_samples=10)
        >>> given = with_samples(load_scenario("tiny"), 4, 4).model_copy(update={"inference": section})
        >>> [place.after for place in calibrate(given).calibration.tasks["digits"].exits]
        ['layer 1']
    """
    from hffm_opt.learning.inference.exits import calibrate as calibrated
    from hffm_opt.learning.inference.exits import write_exits
    from hffm_opt.learning.inference.model import answering_model

    check_seed(seed)
    problem = problem_of(scenario)
    inference = build_inference(problem)
    found = calibrated(inference, answering_model(problem.scenario, seed, run), progress)
    if out is not None:
        write_exits(found, Path(out))
    return found


def infer(
    scenario: ScenarioLike,
    plan: InferencePlanLike,
    *,
    run: str | Path | None = None,
    exits: Exits | str | Path | None = None,
    samples: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress = lambda _: None,
) -> InferenceRun:
    """Answer test samples by the split model as planned, over the simulated links.

    Args:
        scenario: a scenario with a section ``inference``, or the path of one.
        plan: a plan of inference, an outcome, or the path of a file with either.
        run: the run directory whose trained modules answer; the initial ones if not given.
        exits: what :func:`calibrate` returned, or its directory; needed where the plan has exits.
        samples: requests of each class; all test samples if not given.
        seed: root of data and initial weights, that of the run.
        out: directory to keep trace and ledger in, with scenario and plan, so that ``hffm report`` can show them.
        progress: told what runs.

    Raises:
        InputError: bad scenario, plan, run or calibration, or they do not belong together; ``out`` holds a run.

    Example:
        >>> from hffm_opt.scenario.inference import Inference, RequestClass
        >>> from hffm_opt.scenario.read import load_scenario
        >>> asked = RequestClass(name="signs", task="digits", device="device-0-0", rate_per_s=1.0)
        >>> given = load_scenario("tiny").model_copy(update={"inference": Inference(classes=(asked,))})
        >>> (result,) = infer(given, plan_inference(given), samples=2).trace.classes
        >>> result.identical, abs(result.measured.latency_s / result.predicted.latency_s - 1) < 1e-9
        (2, True)
    """
    from hffm_opt.learning.inference.exits import read_exits
    from hffm_opt.learning.inference.model import answering_model
    from hffm_opt.learning.inference.run import run_inference
    from hffm_opt.report.run import OUTCOME
    from hffm_opt.serial import check_writable, dump_json, dump_yaml, write_text
    from hffm_opt.trace.inference import PLAN, SCENARIO, write_inference
    from hffm_opt.trace.walks import WALK, WALK_TRACE

    check_seed(seed)
    if out is not None:
        if any((Path(out) / name).exists() for name in (TRACE, OUTCOME, WALK, WALK_TRACE)):
            message = "a run of training is kept here, whose files would be lost"
            raise InputError.one(str(out), message, "give a directory of its own")
        check_writable(Path(out) / SCENARIO)
    problem = problem_of(scenario)
    found = load_inference(plan) if isinstance(plan, str | Path) else plan
    placed = found.plan if isinstance(found, InferenceOutcome) else found
    chosen = read_exits(Path(exits)) if isinstance(exits, str | Path) else exits
    inference, model = build_inference(problem), answering_model(problem.scenario, seed, run)
    trace, entries = run_inference(inference, placed, model, chosen, samples, progress)
    if out is not None:
        write_text(Path(out) / SCENARIO, dump_yaml(problem.scenario))
        write_text(Path(out) / PLAN, dump_json(found))
        write_inference(trace, entries, Path(out))
    return InferenceRun(trace, entries)
