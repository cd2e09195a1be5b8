"""What a scenario says of collaborative inference: who asks what how often, and which servers can answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hffm_opt.errors import Finding, near_or_some
from hffm_opt.scenario.chains import Chain
from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.ranges import Weight

if TYPE_CHECKING:
    from hffm_opt.scenario.model import Scenario

Name = Annotated[str, Field(min_length=1, max_length=80)]
Speed = Annotated[float, Field(ge=1.0, le=1e21)]
Memory = Annotated[float, Field(gt=0, le=1e18)] | None
MOST_EXITS = 3


class RequestClass(Frozen):
    """Requests of one kind: samples of ``task`` that come up at ``device``, ``rate_per_s`` of them on average."""

    name: Name
    task: Name
    device: Name
    rate_per_s: Annotated[float, Field(gt=0, le=1e9)]


class Server(Frozen):
    """What a server can compute and hold; ``memory_bit`` null is without limit. Its energy is not charged by default.

    ``memory_bit`` is what it sets aside for weights.
    """

    flop_per_s: Speed
    memory_bit: Memory = None
    j_per_flop: Annotated[float, Field(ge=0, le=1.0)] = 0.0


class NodeLimits(Frozen):
    """Limits of one node in place of the usual ones; null leaves them as they are."""

    flop_per_s: Speed | None = None
    memory_bit: Memory = None


class Inference(Frozen):
    """Collaborative inference: request classes, servers, exits, and what is minimised.

    A class's chain runs on its device, on D2D peers of it (``peers``), on its edge server and in the cloud; messages to
    and from the cloud pass the edge, or the direct link (``cloud_route``). ``load_limit`` is the largest share of time
    that a node may compute and a link may send. ``chains`` are counted from the model; null takes those that ship with
    the backbone. Behind the layers in ``exits`` a sample may end early, if that costs at most ``tolerance`` of accuracy
    on ``calibration_samples`` samples of each task; ``uncertainty`` is what is held against the thresholds. Answers in
    ``unseen`` (per task) are left out of the head's answer space and given by the similarity of embeddings.
    The weights are on the mean seconds and joules of a request.
    """

    classes: Annotated[tuple[RequestClass, ...], Field(min_length=1)]
    edge: Server = Server(flop_per_s=1e11)
    cloud: Server = Server(flop_per_s=1e13)
    nodes: dict[Name, NodeLimits] = Field(default_factory=dict)
    peers: bool = True
    cloud_route: Literal["edge", "direct"] = "edge"
    load_limit: Annotated[float, Field(gt=0, le=1)] = 1.0
    latency_weight: Weight = 1.0
    energy_weight: Weight = 1.0
    chains: tuple[Chain, ...] | None = None
    exits: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=MOST_EXITS)] = ()
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01
    calibration_samples: Annotated[int, Field(ge=10, le=1_000_000)] = 200
    uncertainty: Literal["margin", "entropy"] = "margin"
    unseen: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)


def inference_section(scenario: Scenario) -> Iterator[Finding]:
    """Classes name tasks and devices there are, a device senses what it asks about, and something is weighed."""
    section = scenario.inference
    if section is None:
        return
    devices, tasks = {d.name: d for d in scenario.devices}, {t.name: t for t in scenario.tasks}
    for name, count in Counter(c.name for c in section.classes).items():
        if count > 1:
            yield Finding("inference.classes", f"the name '{name}' is used {count} times", "give each its own name")
    for i, asked in enumerate(section.classes):
        where = f"inference.classes[{i}]"
        if asked.task not in tasks:
            yield Finding(f"{where}.task", f"no task is named '{asked.task}'", near_or_some(asked.task, tasks))
        if asked.device not in devices:
            yield Finding(
                f"{where}.device", f"no device is named '{asked.device}'", near_or_some(asked.device, devices)
            )
        elif asked.task in tasks:
            missing = sorted(set(tasks[asked.task].modalities) - set(devices[asked.device].modalities))
            if missing:
                message = f"the task needs {', '.join(missing)}, which device '{asked.device}' lacks"
                yield Finding(f"{where}.device", message, "name another device, or give it the modality")
    nodes = {*devices, *(edge.name for edge in scenario.edges), "cloud"}
    for name in sorted(section.nodes.keys() - nodes):
        yield Finding(f"inference.nodes.{name}", f"no node is named '{name}'", near_or_some(name, nodes))
    for name in sorted(section.unseen.keys() - tasks.keys()):
        yield Finding(f"inference.unseen.{name}", f"no task is named '{name}'", near_or_some(name, tasks))
    if section.latency_weight == section.energy_weight == 0:
        yield Finding("inference", "both weights are 0", "give latency_weight or energy_weight a positive value")
    if len(set(section.exits)) < len(section.exits):
        yield Finding("inference.exits", "a layer stands twice", "name each layer once")
    if scenario.physics.profile == "reference":
        message = "the published arithmetic charges no computation, so that no placement can be weighed"
        yield Finding("inference", message, "use the profile 'si'")
    if section.cloud_route == "direct" and scenario.cloud.direct is None:
        yield Finding("inference.cloud_route", "there is no direct link to the cloud", "give cloud.direct, or use edge")
    known = {chain.task for chain in section.chains or ()}
    for asked in section.classes if section.chains is not None else ():
        if asked.task in tasks and asked.task not in known:
            yield Finding("inference.chains", f"the task '{asked.task}' has no chain", "count the chains anew")
