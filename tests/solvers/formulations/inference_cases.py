"""Small inference problems: chains with round numbers on the network of ``tiny``, and random ones."""

from __future__ import annotations

from hffm_opt.plan.inference import Exit, InferenceProblem, TaskExits, build_inference
from hffm_opt.problem.build import build_problem
from hffm_opt.scenario.chains import Chain, EncoderSegment, Segment
from hffm_opt.scenario.inference import Inference, NodeLimits, RequestClass, Server
from hffm_opt.scenario.model import Scenario
from hffm_opt.scenario.read import load_scenario
from hffm_opt.seeds import derive

LAYER_BIT = 1000


def chain(task: str = "digits", depth: int = 2, flop: float = 1e6, hidden_bit: int = 8000) -> Chain:
    """Return a chain of two encoders, ``depth`` layers and a head, the layers shared by all tasks."""
    return Chain(
        task=task,
        encoders=(
            EncoderSegment(modality="text", flop=flop / 10, input_bit=500, output_bit=2000, blocks={"text": 300}),
            EncoderSegment(modality="image", flop=flop, input_bit=4000, output_bit=6000, blocks={"image": 700}),
        ),
        trunk=(
            *(
                Segment(
                    name=f"layer {i}",
                    flop=flop * (1 + i),
                    output_bit=hidden_bit,
                    blocks={f"layer {i}": LAYER_BIT},
                    layer=i,
                )
                for i in range(depth)
            ),
            Segment(name="head", flop=flop / 100, output_bit=64, blocks={f"head {task}": 100}),
        ),
        answer_bit=64,
    )


def section_of(*classes: RequestClass, **more: object) -> Inference:
    """Return a section with servers that are faster than devices, and the chains of both embedded tasks."""
    given = {
        "edge": Server(flop_per_s=2e10),
        "cloud": Server(flop_per_s=1e12),
        "chains": (chain("digits"), chain("shapes")),
        "peers": False,
    }
    return Inference.model_validate({**given, "classes": classes, **more})


def asked(name: str = "a", task: str = "digits", device: str = "device-0-0", rate: float = 1.0) -> RequestClass:
    return RequestClass(name=name, task=task, device=device, rate_per_s=rate)


def with_section(section: Inference, base: str = "tiny") -> Scenario:
    return load_scenario(base).model_copy(update={"inference": section})


def inference_of(section: Inference, exits: dict[str, TaskExits] | None = None, base: str = "tiny") -> InferenceProblem:
    return build_inference(build_problem(with_section(section, base)), exits)


def exits_of(share: float = 0.4, after: str = "layer 0") -> TaskExits:
    place = Exit(after=after, threshold=0.5, share=share, flop=2e4, weight_bit=50)
    return TaskExits(exits=(place,), samples=10, accuracy_full=0.9, accuracy=0.9)


def random_inference(seed: int) -> InferenceProblem:
    """Draw one or two classes with two modalities, one layer, exits or none, and limits that bind now and then."""
    rng = derive(seed, "inference")
    count = int(rng.integers(1, 3))
    devices = ["device-0-0", "device-0-1", "device-1-0"]
    classes = [
        asked(f"c{i}", str(rng.choice(["digits", "shapes"])), str(rng.choice(devices)), float(rng.uniform(1, 60)))
        for i in range(count)
    ]
    chains = tuple(
        chain(task, 1, float(10 ** rng.uniform(6, 8.7)), int(rng.integers(500, 60_000)))
        for task in ("digits", "shapes")
    )
    room = {
        name: NodeLimits(memory_bit=float(rng.uniform(50, 2500)))
        for name in ("device-0-0", "device-0-1", "edge-0", "edge-1", "cloud")
        if rng.random() < 0.6
    }
    section = section_of(
        *classes,
        chains=chains,
        nodes=room,
        peers=bool(count == 1 and rng.random() < 0.5),
        edge=Server(flop_per_s=float(10 ** rng.uniform(9, 11)), j_per_flop=1e-10),
        cloud_route=str(rng.choice(["edge", "direct"])),
        load_limit=float(rng.uniform(0.3, 1.0)),
        latency_weight=float(rng.uniform(0, 2)),
        energy_weight=float(rng.uniform(0.1, 2)),
    )
    exits = {"digits": exits_of(float(rng.uniform(0, 0.9)))} if rng.random() < 0.5 else None
    return inference_of(section, exits)
