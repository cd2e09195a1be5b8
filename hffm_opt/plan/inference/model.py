"""What a plan of collaborative inference decides, and what a calibration found, as values that round-trip in JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hffm_opt.errors import InputError
from hffm_opt.plan.model import ScenarioReference
from hffm_opt.plan.outcome import Status
from hffm_opt.scenario.inference import Name
from hffm_opt.scenario.model import Frozen

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Bits = Annotated[int, Field(ge=0)]
Uncertainty = Literal["margin", "entropy"]


class Exit(Frozen):
    """An early exit: a head of its own behind segment ``after`` of the trunk.

    A sample whose uncertainty there is at most ``threshold`` ends; ``share`` of all requests do, as calibrated. The
    head costs ``flop`` for every sample that reaches it, and ``weight_bit`` of memory on the segment's node.
    """

    after: str
    threshold: Share
    share: Share
    flop: Amount
    weight_bit: Bits


class OpenAnswers(Frozen):
    """What answering by the similarity of embeddings costs beside the last segment, and when it is done.

    It is done where the nearest answer of all is one that the head lacks, and nearer than the head's nearest by more
    than ``lead`` in cosine similarity.
    """

    answers: tuple[str, ...]
    lead: Annotated[float, Field(ge=-2, le=2)]
    flop: Amount
    weight_bit: Bits


class TaskExits(Frozen):
    """What calibration chose for a task, and the accuracies on the calibration samples with and without exits."""

    exits: tuple[Exit, ...]
    open_answers: OpenAnswers | None = None
    samples: Annotated[int, Field(ge=1)]
    accuracy_full: Share
    accuracy: Share


class Calibration(Frozen):
    """Thresholds per task, and of which model they are: planning reads them, execution uses them.

    ``scenario`` is its name and ``model`` the fingerprint of model and section, whatever the network; ``weights`` is
    the SHA-256 of the trained tensors, ``heads`` that of the exits' tensors in the file beside.
    """

    format: Literal["hffm-exits/1"] = "hffm-exits/1"
    scenario: str
    model: str
    seed: Annotated[int, Field(ge=0)]
    uncertainty: Uncertainty
    tolerance: Share
    weights: str
    heads: str
    tasks: dict[Name, TaskExits]

    def check(self, model: str) -> None:
        """Refuse another model than the one that was calibrated; ``model`` is its fingerprint.

        Raises:
            InputError: the fingerprints differ.
        """
        if self.model != model:
            message = f"the calibration is of another model, that of scenario '{self.scenario}' as it stood then"
            raise InputError.one("--exits", message, "calibrate anew: hffm infer SCENARIO --calibrate DIR")


class ClassPlan(Frozen):
    """Where the segments of one request class run (segment to node), where it may end early, and how it answers."""

    name: Name
    nodes: dict[str, Name]
    exits: tuple[Exit, ...] = ()
    open_answers: OpenAnswers | None = None


class InferencePlan(Frozen):
    """Every decision on inference. Judge it with ``evaluate_inference``, run it with :func:`hffm_opt.infer`."""

    format: Literal["hffm-inference-plan/1"] = "hffm-inference-plan/1"
    scenario: ScenarioReference
    method: str
    uncertainty: Uncertainty = "margin"
    classes: Annotated[tuple[ClassPlan, ...], Field(min_length=1)]


class InferenceOutcome(Frozen):
    """A plan of inference, the referee's figures for it, and what is proven about it.

    As :class:`hffm_opt.plan.outcome.Outcome`: ``objective`` (null where a limit is broken) is ``weights`` times the
    mean seconds and joules of a request; ``bound`` is a proven lower bound on it over all placements.
    """

    method: str
    weights: tuple[float, float]
    status: Status
    stop_reason: str
    objective: float | None
    bound: float | None
    gap: float | None
    seconds: float
    feasible: bool
    latency_s: float
    energy_j: float
    optimised: tuple[str, ...] = ("placement",)
    fixed: tuple[str, ...] = ("routes", "allocation", "exits")
    plan: InferencePlan
