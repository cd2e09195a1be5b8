"""The trace: what a run did, as one frozen value that round-trips in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from hffm_opt.plan.fetching import Fetching
from hffm_opt.plan.model import Plan
from hffm_opt.scenario.conditions import Conditions
from hffm_opt.scenario.model import Frozen
from hffm_opt.trace.ledger import Ledger
from hffm_opt.trace.provenance import Provenance

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
TierName = Literal["local", "d2d", "edge", "cloud"]
Phase = Literal["before-average", "after-average"]


class ExecutionRecord(Frozen):
    """How a run was computed: torch device, precision of matrix products, devices that ran together.

    ``cache_bytes`` is the most that was kept, per task and split, of the constants of samples; ``memory_bytes`` the
    estimate, made before the start, of the peak beyond libraries, backbone and data.
    """

    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    group_size: Number
    cache_bytes: Annotated[int, Field(ge=0)]
    memory_bytes: Annotated[int, Field(ge=0)]


class Intervals(Frozen):
    """FedLAMA's two numbers: modules are averaged every ``tau`` rounds, or ``phi tau`` (see docs/methods.md)."""

    tau: Number
    phi: Number


class Algorithm(Frozen):
    """What was done besides local training and the plan's averages; nothing by default.

    ``proximal`` is FedProx's mu, ``fedlama`` says how intervals followed the measured discrepancy, ``centralised`` that
    one computer trained one model on the data of all devices; ``kept_neurons`` is FedPFT's share of the backbone's
    feed-forward neurons that devices trained with, realigned every ``realign_every`` rounds.
    """

    proximal: Amount = 0.0
    fedlama: Intervals | None = None
    centralised: bool = False
    kept_neurons: Share = 1.0
    realign_every: Number | None = None


class Goal(Frozen):
    """What a closed loop minimises: weights on seconds, joules and drift per round, or what it takes to a target.

    ``looks_every`` rounds it looks whether another plan pays, and when devices come, go, are cut off or change speed.
    """

    objective: str
    weights: tuple[Amount, Amount, Amount]
    target: Share | None = None
    looks_every: Number


class RunHeader(Frozen):
    """What was run: scenario, plan, seed, the rounds asked for, and the software that ran them.

    ``baseline`` is the accuracy per task of always giving the most frequent answer; ``skipped`` counts, per task and
    reason, the records of a data set that could not be used; ``fetching`` is what devices fetched every few rounds.
    """

    scenario: str
    fingerprint: str
    method: str
    backbone: str
    seed: Annotated[int, Field(ge=0)]
    rounds: Number
    baseline: dict[str, Share]
    skipped: dict[str, dict[str, Annotated[int, Field(ge=0)]]] = Field(default_factory=dict)
    provenance: Provenance
    execution: ExecutionRecord | None = None
    algorithm: Algorithm = Algorithm()
    goal: Goal | None = None
    fetching: Fetching | None = None

    @model_serializer(mode="wrap")
    def _without_absent_fetching(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what nobody does: files of runs without fetches stay as they ever were."""
        data: dict[str, Any] = handler(self)
        return {name: value for name, value in data.items() if value is not None or name != "fetching"}


class Divergence(Frozen):
    """How far the copies of a module stood apart: mean squared distances per squared round since they were alike.

    ``within`` is that of a cell's copies from their average, ``between`` that of the cells' averages from the whole's;
    each the mean by samples.
    """

    within: Amount
    between: Amount


class RoundRecord(Frozen):
    """A complete round: its number and kind, the simulated clock at its end, and its own energy and bits.

    ``loss`` is the mean training loss per task over all samples that were trained; ``load`` the share of their tokens
    that each expert was given, where there are experts. ``sat_out`` are the devices that were there and that the
    plan could not reach; ``participation`` is the share of the samples of all present devices that was trained;
    ``divergence`` per module, in rounds in which it was measured.
    """

    round: Number
    kind: Annotated[int, Field(ge=0)]
    end_s: Amount
    energy_j: Amount
    bits: Amount
    loss: dict[str, Amount] = Field(default_factory=dict)
    load: dict[str, Amount] = Field(default_factory=dict)
    sat_out: tuple[str, ...] = ()
    participation: Share = 1.0
    divergence: dict[str, Divergence] = Field(default_factory=dict)


class AccuracyRecord(Frozen):
    """The accuracy of a task in one phase of one round: the equally weighted mean over the devices that own it.

    ``tier`` is the deepest one that averages in this round (``local``: none does); ``clock_s`` and ``energy_j`` are
    what the run had cost when this state of the models was reached. ``devices`` were evaluated, of which ``states``
    had different models. ``families`` has the accuracy per kind of question, ``answer_types`` that per kind of answer.
    """

    round: Number
    phase: Phase
    tier: TierName
    task: str
    accuracy: Share
    devices: Number
    states: Number
    clock_s: Amount
    energy_j: Amount
    families: dict[str, Share] = Field(default_factory=dict)
    answer_types: dict[str, Share] = Field(default_factory=dict)


class Revision(Frozen):
    """A change of plan during a run: ``plan`` is in force from ``round`` on.

    ``discrepancy`` is what led to it where intervals follow the training, per module: the squared distance of the
    owners' copies from their average, as the mean over owners by samples, per round since the average before.
    ``conditions`` are those that the plan was made for, relative to the scenario; ``notice_bits`` what each edge had to
    tell its devices of the new plan.
    """

    round: Number
    plan: Plan
    discrepancy: dict[str, Amount] = Field(default_factory=dict)
    conditions: Conditions = Conditions()
    notice_bits: tuple[Annotated[int, Field(ge=0)], ...] = ()


def plans_of(first: Plan, revisions: Iterable[Revision]) -> tuple[tuple[int, Plan], ...]:
    """Return the plans of a run that began with ``first``, each with the round from which it was in force."""
    return ((1, first), *((revision.round, revision.plan) for revision in revisions))


class Look(Frozen):
    """A look between two rounds: whether another plan would pay from ``round`` on, and why it was or was not adopted.

    ``current`` and ``proposed`` are what is left of the run in the objective's unit under ``conditions`` as known then:
    with the plan in force (null: without end, for it reaches nobody), and with the best plan found (null: none was
    sought, or none exists), for whose objective per round ``bound`` is proven. ``saving`` is their difference, on as
    much of the way to a target as the run still goes, without the ``cost`` of telling the devices; null where it is
    without end. ``rounds_left`` are those with the plan in force.
    """

    round: Number
    cause: str
    conditions: Conditions = Conditions()
    current: Amount | None
    proposed: Amount | None = None
    bound: float | None = None
    rounds_left: Amount = 0.0
    saving: float | None = None
    cost: Amount = 0.0
    adopted: bool = False
    reason: str = ""


class Broadcast(Frozen):
    """What the cloud sent to all devices right after its average in a round, besides the average."""

    round: Number
    bits: Annotated[int, Field(ge=0)]


class Trace(Frozen):
    """What a run did. Complete rounds only: an interrupted run has fewer than its header asks for.

    ``revisions`` are the plans that took over from the one that the run began with, in order; ``looks`` all occasions
    on which that was considered.
    """

    format: Literal["hffm-trace/1"] = "hffm-trace/1"
    header: RunHeader
    rounds: tuple[RoundRecord, ...]
    accuracy: tuple[AccuracyRecord, ...]
    ledger: Ledger
    revisions: tuple[Revision, ...] = ()
    broadcasts: tuple[Broadcast, ...] = ()
    looks: tuple[Look, ...] = ()

    def plans(self, first: Plan) -> tuple[tuple[int, Plan], ...]:
        """Return all plans of the run, which began with ``first``, each with the round from which it was in force."""
        return plans_of(first, self.revisions)

    @property
    def complete(self) -> bool:
        """Whether every round that was asked for was run."""
        return len(self.rounds) == self.header.rounds
