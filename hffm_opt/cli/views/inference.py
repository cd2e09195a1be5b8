"""Inference: where the pieces run, which exits were chosen, what the requests achieved and cost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from hffm_opt.cli.figures import counted, figure, percent
from hffm_opt.cli.views.proof import proof_of
from hffm_opt.cli.views.tables import table, titled
from hffm_opt.plan.inference.model import Calibration, ClassPlan, InferenceOutcome
from hffm_opt.scenario.model import Scenario
from hffm_opt.trace.inference import InferenceTrace


def where(part: ClassPlan) -> str:
    """Return on which nodes a class's segments run, in order, in words.

    >>> where(ClassPlan(name="a", nodes={"encode text": "phone", "layer 0": "phone", "head": "edge"}))
    'phone: encode text .. layer 0; edge: head'
    """
    words = []
    for node, run in groupby(part.nodes.items(), key=lambda item: item[1]):
        names = [segment for segment, _ in run]
        words.append(f"{node}: {names[0]}{f' .. {names[-1]}' if len(names) > 1 else ''}")
    return "; ".join(words)


def placement_view(scenario: Scenario, outcome: InferenceOutcome) -> Iterator[RenderableType]:
    """Yield a plan of inference and its certificate."""
    named = zip(outcome.weights, ("latency in s", "energy in J"), strict=True)
    goal = " + ".join(f"{weight:g} × {name}" for weight, name in named if weight)
    head = Text.assemble((outcome.method, "bold"), f" on {scenario.name}, minimising {goal} of a mean request\n")
    if outcome.bound is not None and outcome.objective is not None:
        yield head.append_text(proof_of(outcome.objective, outcome.bound, outcome.gap))
    elif outcome.objective is not None:
        words = f"No proof: this placement costs {figure(outcome.objective, 6)} ({outcome.stop_reason})."
        yield head.append(words, style="yellow")
    else:
        yield head.append(outcome.stop_reason)
    made = table("class", "where it runs")
    for part in outcome.plan.classes:
        ends = "".join(f"; may end behind {e.after} ({percent(e.share)} planned)" for e in part.exits)
        made.add_row(part.name, where(part) + ends)
    yield titled("Placement", made)
    yield Text(f"A mean request: {figure(outcome.latency_s)} s, {figure(outcome.energy_j)} J.")
    if not outcome.feasible:
        yield Text("It breaks limits of the nodes or links.", style="bold red")


def calibration_view(calibration: Calibration) -> Iterator[RenderableType]:
    """Yield the exits that a calibration chose."""
    made = table("task", "exits", right=("without exits", "with exits"))
    for task, chosen in calibration.tasks.items():
        words = ", ".join(f"{e.after} ({percent(e.share)}, at most {e.threshold:.3f})" for e in chosen.exits)
        opened = f"; open: {', '.join(chosen.open_answers.answers)}" if chosen.open_answers else ""
        made.add_row(task, (words or "none") + opened, percent(chosen.accuracy_full), percent(chosen.accuracy))
    yield titled("Exits", made, "Share of calibration samples that end there, threshold; accuracy on these samples.")


def answers_view(trace: InferenceTrace) -> Iterator[RenderableType]:
    """Yield what requests achieved and cost."""
    yield Text.assemble(
        (trace.method, "bold"), f" on {trace.scenario.name}: {counted(len(trace.classes), 'kind')} of requests"
    )
    made = table("class", right=("accuracy", "unsplit", "same logits", "latency s", "off", "energy J", "off"))
    for found in trace.classes:
        told, measured = found.predicted, found.measured
        made.add_row(
            found.name,
            percent(found.accuracy),
            percent(found.accuracy_full),
            f"{found.identical} of {found.unsplit}" if found.unsplit else "-",
            figure(measured.latency_s),
            off(measured.latency_s, told.latency_s),
            figure(measured.energy_j),
            off(measured.energy_j, told.energy_j),
        )
    legend = (
        "same logits: of the requests that went through the whole chain, those with the unsplit model's logits bit for "
        "bit. off: relative difference from the referee's figure for the shares that really ended early."
    )
    yield titled("Answers", made, legend)
    ends = table("class", "ended behind")
    for found in trace.classes:
        ends.add_row(found.name, ", ".join(f"{name} {percent(share)}" for name, share in found.ended.items()))
    yield titled("Where requests ended", ends)


def off(measured: float, predicted: float) -> str:
    """Return the relative difference of a figure from its prediction.

    >>> off(2.0, 2.0)
    '+0.0e+00'
    """
    return f"{(measured - predicted) / predicted if predicted else measured:+.1e}"
