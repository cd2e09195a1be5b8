"""The split model: bit for bit the unsplit one, whatever crosses the cuts as bytes."""

import numpy as np
import pytest
import torch

from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.inference.segments import SplitModel, answer_message, from_bytes, in_order, to_bytes
from hffm_opt.learning.modules import Group, StackedStates, initial_model, learned_modules
from hffm_opt.learning.tasks import embedded_tasks, make_split
from hffm_opt.scenario.model import Learning
from hffm_opt.scenario.parts import AdaptersPart, EncoderPart, ExpertsPart, LoraPart, PromptPart
from hffm_opt.seeds import derive_torch_seed

CASES = {
    "adapters": ("vilt-small-random", "digits", None),
    "three senses": ("multi-small-random", "keypad", None),
    "sounds alone, experts inside": ("moe-small-random", "keys", None),
    "all kinds of parts": (
        "multi-small-random",
        "keypad",
        (
            EncoderPart(part="encoder", modality="audio", rank=2),
            PromptPart(part="prompt", per="modality"),
            LoraPart(part="lora", layers=(1,)),
            ExpertsPart(part="experts", layers=(0, 3)),
            AdaptersPart(part="adapters"),
        ),
    ),
}


def split_model(case):
    """Return a model whose parameters are all random, and two samples of its task."""
    name, task, parts = CASES[case]
    backbone, known = load_backbone(name), embedded_tasks()[task]
    learning = Learning(backbone=name, adapter_width=4, parts=parts)
    modules = learned_modules(backbone, learning, {task: len(known.answers)}, {task: known.modalities})
    generator = torch.Generator().manual_seed(derive_torch_seed(0, "split", case))
    states = StackedStates.repeat(
        {
            module: {key: torch.randn(tensor.shape, generator=generator) * 0.05 for key, tensor in state.items()}
            for module, state in initial_model(modules, 0).items()
        },
        1,
    )
    model = SplitModel(backbone, modules, task, in_order(known.modalities), Group(states.modules))
    return model, make_split(task, "test", 2, 0, backbone.form.tokenizer)


@pytest.mark.parametrize("case", CASES)
def test_answers_are_those_of_the_unsplit_model_bit_for_bit(case):
    model, data = split_model(case)
    with torch.inference_mode():
        for index in range(len(data)):
            values = {}
            for modality in model.encoders:
                tokens = model.encode(modality, from_bytes(to_bytes(model.raw(data, index, modality))))
                values |= from_bytes(to_bytes(tokens))
            for place in range(len(model.trunk)):
                values = from_bytes(to_bytes(model.run(place, values)))
            whole = model.whole(data, index)
            assert torch.equal(values["logits"][0, 0], whole)
            assert torch.isfinite(whole).all() and whole.std() > 0


def test_pieces_are_named_after_layers_and_experts():
    names = {case: [piece.name for piece in split_model(case)[0].trunk] for case in CASES}
    plain = ["layer 0", "layer 1", "layer 2", "layer 3", "head"]
    assert names["adapters"] == names["three senses"] == names["sounds alone, experts inside"] == plain
    assert names["all kinds of parts"] == [
        "layer 0",
        "experts 0",
        "layer 1",
        "layer 2",
        "layer 3",
        "experts 3",
        "head",
    ]
    trunk = split_model("all kinds of parts")[0].trunk
    assert [piece.layer for piece in trunk] == [0, 0, 1, 2, 3, None, None]


def test_raw_inputs_cross_as_they_were_sensed():
    model, data = split_model("three senses")
    raw = {modality: model.raw(data, 1, modality) for modality in model.encoders}
    assert raw["image"]["images"].dtype == torch.uint8 and raw["audio"]["audio"].dtype == torch.int16
    assert np.array_equal(raw["image"]["images"][0].numpy(), data.images[1])
    # An int16 of 2800 samples with its header.
    assert 2800 * 2 < len(to_bytes(raw["audio"])) < 2800 * 2 + 200


def test_messages_of_one_form_weigh_the_same():
    sizes = {len(to_bytes(answer_message(answer, share))) for answer, share in ((0, 0.0), (17, 0.987654321))}
    assert len(sizes) == 1
