"""The scenario: everything that is given, as frozen types that check themselves.

SI units, the unit as a suffix of each name. Reading a file, and the checks between fields, live beside this file in
``read`` and ``check``; what is computed from a scenario lives in :mod:`hffm_opt.problem`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from hffm_opt.scenario.changes import Changes
from hffm_opt.scenario.fingerprint import digest
from hffm_opt.scenario.frozen import Frozen as Frozen
from hffm_opt.scenario.inference import Inference
from hffm_opt.scenario.learning_curve import LearningCurve
from hffm_opt.scenario.parts import Parts
from hffm_opt.scenario.physics import LinkFading as LinkFading
from hffm_opt.scenario.physics import LinkGain as LinkGain
from hffm_opt.scenario.physics import LogDistance as LogDistance
from hffm_opt.scenario.physics import Physics as Physics
from hffm_opt.scenario.physics import Radio as Radio
from hffm_opt.scenario.physics import ReferenceArithmetic as ReferenceArithmetic
from hffm_opt.scenario.physics import Tr38901 as Tr38901
from hffm_opt.scenario.ranges import MOST_WEIGHT as MOST_WEIGHT
from hffm_opt.scenario.ranges import NAME_PATTERN as NAME_PATTERN
from hffm_opt.scenario.ranges import (
    Bandwidth,
    Bits,
    Coordinate,
    Delay,
    Divergence,
    Flop,
    GivenPower,
    Hertz,
    Limit,
    LinkRate,
    NonNegative,
    Power,
    Samples,
    Weight,
)
from hffm_opt.scenario.ranges import Name as Name
from hffm_opt.scenario.ranges import Positive as Positive
from hffm_opt.scenario.requests import Requests
from hffm_opt.scenario.specialise import Specialise
from hffm_opt.scenario.walks import Walks

CLOUD = "cloud"
OUTSIDE_PLANS = ("changes", "inference", "requests", "specialise", "walks")
"""Sections on which the cost of a training plan does not depend."""
OPTIONAL_SECTIONS = ("radio", *OUTSIDE_PLANS)

ModuleKind = Literal["encoder", "prompt", "router", "expert", "adapter", "head", "backbone"]
DataFormat = Literal["gqa", "vqa-v2", "vqa-cp-v2", "aqua", "vizwiz"]


class DirectLink(Frozen):
    """A wide-area link between each device and the cloud; it bypasses the edge."""

    rate_bit_per_s: LinkRate
    delay_s: Delay = 0.0
    power_w: GivenPower = 0.0


class Cloud(Frozen):
    """The cloud, and the direct link that devices may have to it."""

    direct: DirectLink | None = None


class Edge(Frozen):
    """An edge server with its radio bands and its backhaul to the cloud."""

    name: Name
    x_m: Coordinate
    y_m: Coordinate
    uplink_bandwidth_hz: Bandwidth
    downlink_bandwidth_hz: Bandwidth
    d2d_bandwidth_hz: Bandwidth
    downlink_power_w: Power
    backhaul_rate_bit_per_s: LinkRate
    backhaul_delay_s: Delay = 0.0
    backhaul_power_w: GivenPower = 0.0


class Device(Frozen):
    """A device: where it is, what it can spend, which data it holds (samples per task).

    ``experts`` names the modules of kind ``expert`` that it keeps; its routers choose among these. null is all.
    """

    name: Name
    x_m: Coordinate
    y_m: Coordinate
    edge: Name | None = None
    uplink_power_w: Power
    d2d_power_w: Power
    d2d: bool = True
    cpu_min_hz: Hertz = 0.2e9
    cpu_max_hz: Hertz = 2.0e9
    capacitance_j_s2: Annotated[float, Field(ge=0, le=1e-20)] = 1e-28
    flop_per_cycle: Annotated[float, Field(ge=1e-6, le=1e12)] = 4.0
    memory_bit: Positive | None = None
    modalities: tuple[Name, ...] = ("image", "text")
    experts: tuple[Name, ...] | None = None
    samples: dict[Name, Samples]


class Module(Frozen):
    """A part of the model: what it weighs on a link and what it costs per sample.

    ``divergence_within`` and ``divergence_between`` are the measured or assumed drift of the module's copies between
    devices of a cell and between cells; they weigh the module in the learning penalty. ``presum_depth`` limits how far
    relays sum the module before its root aggregates it, as robust aggregation asks: a relay sums what it has into one
    copy while the nodes below it that carry the module are at most so many levels deep, and forwards every copy by
    itself beyond; 0 means that relays never sum, null that they always do.
    """

    name: Name
    kind: ModuleKind
    tasks: tuple[Name, ...]
    modalities: tuple[Name, ...] = ()
    payload_bit: Bits
    forward_flop: Flop = 0.0
    backward_flop: Flop = 0.0
    trainable: bool = True
    divergence_within: Divergence = 1.0
    divergence_between: Divergence = 1.0
    presum_depth: Annotated[int, Field(ge=0)] | None = None


class DataFiles(Frozen):
    """One split of a data set: its official files of questions (and annotations), and the folder of its pictures."""

    questions: Annotated[str, Field(min_length=1)]
    annotations: Annotated[str, Field(min_length=1)] | None = None
    images: Annotated[str, Field(min_length=1)]


class Source(Frozen):
    """A visual question answering data set on disk, in its official files.

    Of ``train`` the task's ``answers`` most frequent answers are kept, and of each at most ``samples_per_answer``
    samples. Without ``test``, pictures with ``test_share`` of the samples are held out. ``faults`` says whether a
    record that cannot be used (missing or broken picture, unknown answer) is an error, or is left out and counted.
    ``cache`` is a folder for pictures at the size that the backbone reads. Relative paths start at the scenario's file.
    """

    format: DataFormat
    train: DataFiles
    test: DataFiles | None = None
    samples_per_answer: Annotated[int, Field(ge=1)] = 300
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    faults: Literal["refuse", "skip"] = "refuse"
    cache: Annotated[str, Field(min_length=1)] | None = None


class Task(Frozen):
    """A task: what it needs, how its data spread, how much it matters, and where they are if they are not embedded."""

    name: Name
    modalities: tuple[Name, ...] = ("image", "text")
    answers: Annotated[int, Field(ge=2)]
    importance: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    dirichlet_alpha: Positive = 0.5
    test_samples: Annotated[int, Field(ge=1)] = 400
    source: Source | None = None


class Learning(Frozen):
    """How devices train: backbone and its trained parts, local passes over their data per round, optimiser.

    ``parts`` are what is trained beside the task heads; null stands for bottleneck adapters after every layer.
    ``payload: counted`` says that the modules' sizes are those of the serialised weights; ``assumed`` that they were
    given and differ from the bytes that really move, which are then reported beside them. ``proximal`` is FedProx's mu,
    the strength of the pull towards the model of the last average; null is none. ``kept_neurons`` is FedPFT's share of
    the backbone's feed-forward neurons that devices train with; null is the whole backbone. After every
    ``realign_every`` rounds the cloud realigns some of them with the modules as trained and sends them to the devices;
    null is never.
    """

    backbone: str = "vilt-small"
    adapter_width: Annotated[int, Field(ge=1)] = 32
    parts: Parts | None = None
    batch_size: Annotated[int, Field(ge=1)] = 8
    local_passes: Annotated[int, Field(ge=1)] = 1
    learning_rate: Positive = 1e-3
    payload: Literal["counted", "assumed"] = "counted"
    proximal: NonNegative | None = None
    kept_neurons: Annotated[float, Field(gt=0, le=1)] | None = None
    realign_every: Limit = None


class Planning(Frozen):
    """What the planner may choose from and what it minimises.

    ``periods`` are the finite dyadic periods of the menu; ``horizon_rounds`` stands for "never" in the learning
    penalty Phi; ``drift_max`` is the limit on Phi; ``drift_weight`` its weight in the objective. Limits on the trees of
    every event, in both directions: ``max_hops`` arcs on a path, the cellular one included; ``max_fan_in`` children of
    a device, heads included; ``max_uplinks`` devices with a link of their own to the edge server (1: a single uploading
    head). Links past the edge to the cloud are no uplinks. null is no limit. ``association: free`` lets a plan choose
    the edge that serves each device; else it is the one that the device names, or the nearest. ``curve`` is
    the learning curve by which plans reckon the rounds to an accuracy; null is the one fitted to published curves.
    """

    periods: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16)
    horizon_rounds: Annotated[int, Field(ge=2, le=1_000_000)] = 200
    drift_max: NonNegative | None = None
    drift_weight: Weight = 0.0
    latency_weight: Weight = 1.0
    energy_weight: Weight = 1.0
    max_hops: Limit = None
    max_fan_in: Limit = None
    max_uplinks: Limit = None
    association: Literal["free"] | None = None
    curve: LearningCurve | None = None


class Scenario(Frozen):
    """A network, an M3T model and its tasks. Read one with :func:`hffm_opt.load_scenario`.

    ``radio`` says how links differ from what path loss and fading make them; null is not at all. ``changes`` are what
    happens to the network while it trains, which plans are not told.
    """

    format: Literal["hffm-scenario/1"] = "hffm-scenario/1"
    name: Name
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    physics: Physics
    cloud: Cloud = Cloud()
    edges: Annotated[tuple[Edge, ...], Field(min_length=1)]
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]
    links: tuple[LinkFading, ...] = ()
    modules: Annotated[tuple[Module, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    learning: Learning = Learning()
    planning: Planning = Planning()
    radio: Radio | None = None
    changes: Changes | None = None
    inference: Inference | None = None
    requests: Requests | None = None
    specialise: Specialise | None = None
    walks: Walks | None = None

    @model_serializer(mode="wrap")
    def _without_absent_sections(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave sections out that are not there: files of scenarios without them stay as they ever were."""
        data: dict[str, Any] = handler(self)
        return {name: value for name, value in data.items() if value is not None or name not in OPTIONAL_SECTIONS}

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of everything that a plan's cost depends on, in canonical JSON."""
        data = self.model_dump(mode="json", exclude={"description", "planning", "name", *OUTSIDE_PLANS})
        for task in data["tasks"]:
            del task["source"]
        return digest(data)

    def planning_fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the planner's menu, limits and weights, on which a proof depends besides."""
        return digest(self.planning.model_dump(mode="json"))
