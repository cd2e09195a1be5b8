"""Counted chains: the shipped ones, against the model card and against the sizes of real messages."""

import pytest

from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.inference.count import count_chains, main
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS, SOUND_TASKS
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.chains import shipped_chains
from hffm_opt.scenario.model import Learning
from hffm_opt.scenario.parts import ExpertsPart, LayersPart


@pytest.mark.parametrize(
    ("name", "tasks"), [("vilt-small", EMBEDDED_TASKS), ("multi-small", (*EMBEDDED_TASKS, *SOUND_TASKS))]
)
def test_the_shipped_chains_are_what_is_counted(name, tasks):
    assert count_chains(load_backbone(name), Learning(backbone=name), tasks).chains == shipped_chains(name, 32, None)


def test_segments_add_up_to_the_model_card():
    card = {module.name: module for module in shipped_card("vilt-small").modules}
    for chain in shipped_chains("vilt-small", 32, None):
        whole = ("backbone", "adapters", f"head-{chain.task}")
        assert sum(part.flop for part in chain.segments) == sum(card[name].forward_flop for name in whole)
        weights = sum(bits for part in chain.segments for bits in part.blocks.values())
        # The card's figures have the headers of the serialised modules in them.
        assert weights == pytest.approx(sum(card[name].payload_bit for name in whole), rel=0.003)


def test_messages_hold_the_true_shapes():
    (chain, _) = shipped_chains("vilt-small", 32, None)
    tokens = 14 + 1 + 24  # words, class token, patches of 8 in a picture of 32 by 48
    hidden = chain.trunk[0].output_bit - (tokens * 128 + tokens) * 32
    pooled = chain.trunk[-2].output_bit - 128 * 32
    assert 0 < hidden < 2000 and 0 < pooled < 2000
    assert chain.trunk[0].output_bit == chain.trunk[1].output_bit


def test_blocks_of_experts_and_of_layers_that_are_trained_wholly():
    parts = (ExpertsPart(part="experts", count=2, layers=(1,)), LayersPart(part="layers", layers=(2,)))
    learning = Learning(backbone="vilt-small-random", parts=parts)
    (chain,) = count_chains(load_backbone("vilt-small-random"), learning, EMBEDDED_TASKS[:1]).chains
    blocks = {part.name: part.blocks for part in chain.trunk}
    assert set(blocks["experts 1"]) == {"router", "expert-0", "expert-1"}
    # A trained layer stands in for the frozen one: as many numbers, held once.
    assert set(blocks["layer 2"]) == {"layers"}
    assert blocks["layer 2"]["layers"] == blocks["layer 1"]["backbone layer 1"]


def test_the_command_writes_a_card(tmp_path, capsys):
    assert main(["tiny", "-o", str(tmp_path / "chains.json")]) == 0
    assert '"hffm-chains/1"' in (tmp_path / "chains.json").read_text()
    assert main(["nobody"]) == 2
    assert "no file of this name" in capsys.readouterr().err
