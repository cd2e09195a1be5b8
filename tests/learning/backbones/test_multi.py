"""The multi-encoder, dense and sparse: the protocol's promises, missing modalities, and what its parts are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import Inputs, read_inputs
from hffm_opt.learning.backbones.fusion import FusionConfig
from hffm_opt.learning.backbones.multi import MultiEncoder, _Words, build_encoder, small_config
from hffm_opt.learning.backbones.zoo import build_random_multi
from hffm_opt.learning.modules.stacked import Stacked
from hffm_opt.learning.tasks import TaskData, embedded_tasks, make_split

NAMES = ("multi-small-random:1", "moe-small-random:1")
TASKS = tuple(embedded_tasks())


@cache
def model(name: str) -> MultiEncoder:
    return load_backbone(name)


@cache
def data(task: str) -> TaskData:
    return make_split(task, "test", 5, 0, model(NAMES[0]).tokenizer)


def inputs(name: str, task: str, rows: slice = slice(None)) -> Inputs:
    return read_inputs(model(name), data(task), np.arange(5)[rows])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_layer_by_layer_is_the_forward_pass_and_repeats(name: str, task: str) -> None:
    backbone = model(name)
    before = torch.random.get_rng_state()
    with torch.no_grad():
        hidden, mask = backbone.embed(*inputs(name, task))
        for index in range(backbone.depth - 1):
            hidden = backbone.layer(index, hidden, mask)
        short = backbone.pool(backbone.last_layer(hidden, mask))
        whole, again = backbone(*inputs(name, task)), backbone(*inputs(name, task))
    assert whole.shape == (5, backbone.width) and torch.equal(whole, again)
    torch.testing.assert_close(short, whole, rtol=1e-5, atol=1e-6)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_samples_do_not_touch_one_another(name: str, task: str) -> None:
    with torch.no_grad():
        whole = model(name)(*inputs(name, task))
        for i in range(5):
            alone = model(name)(*inputs(name, task, slice(i, i + 1)))
            torch.testing.assert_close(alone[0], whole[i], rtol=1e-5, atol=1e-6)
    assert (whole[0] - whole[1]).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_the_modalities_given(name: str) -> None:
    text, image, audio = 14, 25, 18
    expected = {"digits": 1 + text + image, "keypad": 1 + text + image + audio, "keys": 1 + audio}
    for task, tokens in expected.items():
        hidden, mask = model(name).embed(*inputs(name, task))
        assert hidden.shape == (5, tokens, 128) and mask.shape == (5, 1, 1, tokens)


def test_every_modality_moves_the_output() -> None:
    backbone, whole = model(NAMES[0]), inputs(NAMES[0], "keypad")
    with torch.no_grad():
        plain = backbone(*whole)
        for field in ("pixels", "input_ids", "audio"):
            turned = whole._replace(**{field: getattr(whole, field).roll(1, 0)})
            if field == "input_ids":
                turned = turned._replace(attention_mask=whole.attention_mask.roll(1, 0))
            assert (backbone(*turned) - plain).abs().max() > 1e-5, field


def test_padding_is_not_looked_at() -> None:
    backbone, given = model(NAMES[0]), inputs(NAMES[0], "digits")
    padding = given.attention_mask == 0
    assert padding.any()
    with torch.no_grad():
        other = backbone(given.pixels, given.input_ids.masked_fill(padding, 7), given.attention_mask)
        torch.testing.assert_close(other, backbone(*given), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_is_frozen_but_lets_gradients_through(name: str) -> None:
    backbone = model(name)
    assert not any(parameter.requires_grad for parameter in backbone.parameters()) and not backbone.training
    hidden, mask = backbone.embed(*inputs(name, "keypad"))
    leaf = hidden.clone().requires_grad_()
    backbone.pool(backbone.last_layer(backbone.layer(0, leaf, mask), mask)).sum().backward()
    assert leaf.grad is not None and (leaf.grad.abs().sum((1, 2)) > 0).all()


def test_every_weight_takes_part() -> None:
    """Each parameter is reached by the gradient of some task, but those that its library part leaves unused."""
    for name in ("multi-small-random", "moe-small-random"):
        backbone = build_random_multi(name, 0)
        for task in ("keypad", "keys"):
            backbone(*read_inputs(backbone, data(task), np.arange(5))).square().sum().backward()
        unused = {key for key, p in backbone.named_parameters() if p.grad is None or not p.grad.any()}
        heads = ("encoders.text.head.", "encoders.image.post_layernorm.")
        assert all(key.startswith(heads) for key in unused), unused


def test_a_dual_encoder_has_no_ear() -> None:
    config = small_config()
    dual = config.model_copy(update={"encoders": {m: config.encoders[m] for m in ("image", "text")}})
    backbone = MultiEncoder(dual, "dual", model(NAMES[0]).processor).eval()
    assert backbone.form.modalities == ("image", "text") and not backbone.form.can_read(("audio",))
    assert backbone.form.can_read(("text",)) and not backbone.form.can_read(())
    assert backbone(*inputs(NAMES[0], "digits")).shape == (5, 128)
    with pytest.raises(ValueError, match="no encoder for audio"):
        backbone(*inputs(NAMES[0], "keypad"))
    with pytest.raises(ValueError, match="at least one modality"):
        backbone(None, None, None)


def test_seeds_and_unknown_parts() -> None:
    one, same, other = (build_random_multi("multi-small-random", seed).fusion.pooler.dense.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    config = small_config()
    wrong = config.model_copy(update={"encoders": {"audio": {"model_type": "whisper"}}})
    with pytest.raises(InputError, match="does not encode audio"):
        MultiEncoder(wrong, "wrong")
    with pytest.raises(InputError, match="no encoder"):
        MultiEncoder(config.model_copy(update={"encoders": {}}), "none")


def test_experts_are_the_weighted_best_of_their_router() -> None:
    """A sparse layer against its rule, token by token."""
    block = model(NAMES[1]).fusion.layers[1].output.block
    hidden = torch.randn(3, 4, 128, generator=torch.Generator().manual_seed(0))

    def rule(token: Tensor) -> Tensor:
        odds = (block.gate.weight @ token).softmax(0)
        best = odds.topk(2)
        total = torch.zeros_like(token)
        for weight, k in zip(best.values / best.values.sum(), best.indices, strict=True):
            gate, up = (block.experts.gate_up_proj[k] @ token).chunk(2)
            total += weight * (block.experts.down_proj[k] @ (torch.nn.functional.silu(gate) * up))
        return total

    with torch.no_grad():
        expected = torch.stack([torch.stack([rule(token) for token in row]) for row in hidden])
        torch.testing.assert_close(block(hidden), expected, rtol=1e-4, atol=1e-6)
    assert FusionConfig(experts=3, experts_per_token=5).experts == 3


@pytest.mark.parametrize("kind", ["siglip_text_model", "clip_text_model"])
@pytest.mark.parametrize("shortest", [2, 9])
def test_words_are_those_of_transformers_bit_for_bit_one_text_or_many_models_at_a_time(
    kind: str, shortest: int
) -> None:
    """Without padding, transformers leaves the mask of SigLIP out; CLIP's words never see those behind them."""
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3, "max_position_embeddings": 9}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_encoder("text", {"model_type": kind, "vocab_size": 50, "projection_size": 16, **sizes, **marks})
        ids, lengths = torch.randint(4, 50, (6, 9)), torch.arange(6).clamp_min(shortest)[:, None]
        others = {name: p.detach()[None] + 0.1 * torch.randn(3, *p.shape) for name, p in model.named_parameters()}
    model.eval()
    mask = (torch.arange(9)[None] < lengths).long()
    words = _Words(model).eval()
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
        assert torch.equal(words(ids, mask), expected)
        state = {f"model.{name}": p for name, p in others.items()}
        found = Stacked(words, {name: name for name in state})(state, ids, mask).unflatten(0, (3, 2))
        for u in range(3):
            own = {name: p[u] for name, p in state.items()}
            rows = slice(2 * u, 2 * u + 2)
            alone = torch.func.functional_call(words, own, (ids[rows], mask[rows]))
            torch.testing.assert_close(found[u], alone, rtol=1e-5, atol=1e-5)
