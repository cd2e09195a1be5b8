"""FedPFT: the neurons that matter are kept, distillation brings the sub-model closer, and training costs less."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest
import torch
from local_cases import SAMPLES, difference, modules, small_data, small_scenario, start
from round_cases import plan_of
from run_cases import ADAPTER_WIDTH, DEPTH, WIDTH, quick_scenario

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import read_inputs
from hffm_opt.learning.baselines import fedpft
from hffm_opt.learning.baselines.fedpft import (
    BackboneT,
    compress,
    counted_for,
    distil,
    layer_loss,
    layers_of,
    saliency,
    sub_backbone,
)
from hffm_opt.learning.card import count_card, main
from hffm_opt.learning.data import federated_data
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.local import LocalTrainer
from hffm_opt.learning.modules import StackedStates, build_modules, initial_model
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.run import train_plan
from hffm_opt.learning.tasks import make_split
from hffm_opt.measurement import measure
from hffm_opt.plan.schedule import run_cost
from hffm_opt.problem import build_problem
from hffm_opt.scenario.builtin.tasks import EMBEDDED_TASKS
from hffm_opt.scenario.card import ModelCard
from hffm_opt.scenario.parts import ExpertsPart, LayersPart, LoraPart, Part
from hffm_opt.serial import validate


@cache
def whole() -> BackboneT:
    return load_backbone("vilt-small")


@cache
def half() -> BackboneT:
    """Half of the neurons, distilled for a quarter of the usual time."""
    return short_distillation(whole(), 0.5)


def short_distillation(backbone: BackboneT, kept: float) -> BackboneT:
    before, fedpft.EPOCHS = fedpft.EPOCHS, 1
    try:
        return sub_backbone(backbone, kept, 7)
    finally:
        fedpft.EPOCHS = before


def held_out() -> tuple[torch.Tensor, torch.Tensor]:
    """Test samples, of which no proxy sample shares a scan."""
    with torch.no_grad():
        return whole().embed(*read_inputs(whole(), make_split("digits", "test", 48, 3), np.arange(48)))


def test_saliency_by_hand() -> None:
    """Neurons (3, 0 | 4, 0), (0, 1 | 0, 1) and (1, 1 | 1, 1): 5, sqrt 2 and 2. The first and the last are kept."""
    backbone = copy.deepcopy(load_backbone("vilt-small-random"))
    layer = layers_of(backbone)[1]
    first, second = torch.zeros(512, 128), torch.zeros(128, 512)
    first[0, 0], second[0, 0] = 3.0, 4.0
    first[1, 1], second[1, 1] = 1.0, 1.0
    first[2, :2], second[:2, 2] = 1.0, 1.0
    layer.intermediate.dense.weight.data, layer.output.dense.weight.data = first, second
    torch.testing.assert_close(saliency(layer)[:4], torch.tensor([5.0, 2**0.5, 2.0, 0.0]))
    small = layers_of(compress(backbone, 2 / 512))[1]
    assert torch.equal(small.intermediate.dense.weight, first[[0, 2]])
    assert torch.equal(small.output.dense.weight, second[:, [0, 2]])
    assert torch.equal(small.intermediate.dense.bias, layer.intermediate.dense.bias[[0, 2]])
    assert torch.equal(small.output.dense.bias, layer.output.dense.bias)


@pytest.mark.parametrize("name", ["vilt-small", "multi-small"])
def test_compressed_is_the_whole_with_the_other_neurons_silenced(name: str) -> None:
    backbone = load_backbone(name)
    small, silenced = compress(backbone, 0.3), copy.deepcopy(backbone)
    for layer, kept in zip(layers_of(silenced), layers_of(small), strict=True):
        found = saliency(layer)
        quiet = found < found.sort(descending=True).values[kept.output.dense.in_features - 1]
        layer.output.dense.weight[:, quiet] = 0.0
        assert kept.output.dense.in_features == round(0.3 * len(found))
    with torch.no_grad():
        hidden, mask = backbone.embed(
            *read_inputs(backbone, make_split("digits", "test", 4, 3, backbone.form.tokenizer), np.arange(4))
        )
        one, other = hidden, hidden
        for index in range(backbone.depth):
            one, other = small.layer(index, one, mask), silenced.layer(index, other, mask)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(small.pool(one), silenced.pool(other), rtol=1e-4, atol=1e-5)


def test_all_neurons_kept_is_the_backbone_itself() -> None:
    same = compress(whole(), 1.0)
    for (name, one), (_, other) in zip(same.named_parameters(), whole().named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_distillation_brings_the_layers_closer_on_samples_it_has_not_seen() -> None:
    with torch.no_grad():
        bare, taught = (float(layer_loss(whole(), each, *held_out())) for each in (compress(whole(), 0.5), half()))
    assert taught < 0.5 * bare


def test_distillation_trains_feed_forward_networks_alone_and_leaves_the_backbone() -> None:
    given = {name: tensor.clone() for name, tensor in whole().named_parameters()}
    small, before = half(), dict(compress(whole(), 0.5).named_parameters())
    for name, tensor in small.named_parameters():
        ours = ".layer." in name and (
            "intermediate.dense" in name or ("output.dense" in name and "attention" not in name)
        )
        assert torch.equal(tensor, before[name]) != ours, name
        assert not tensor.requires_grad
    assert all(torch.equal(tensor, given[name]) for name, tensor in whole().named_parameters())


def test_same_seed_same_sub_model_and_global_state_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    again = short_distillation(whole(), 0.5)
    assert torch.equal(state, torch.random.get_rng_state())
    for (name, one), (_, other) in zip(half().named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_without_anything_to_learn_distillation_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpft, "EPOCHS", 1)
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 32)
    same = compress(whole(), 1.0)
    assert distil(whole(), same, 0) == [0.0, 0.0]
    for (name, one), (_, other) in zip(same.named_parameters(), whole().named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_stacked_equals_sequential_on_the_sub_model() -> None:
    together, alone = (
        LocalTrainer(half(), modules(), small_data(), small_scenario().learning, 3, sequential=sequential)
        .train(start(), range(len(SAMPLES)), 1)
        .states
        for sequential in (False, True)
    )
    assert difference(alone, together) < 1e-5


def test_counted_flops_are_those_of_the_neurons_left_out() -> None:
    """Forward, a neuron costs 4 d FLOPs per token; the last layer runs for one token. Adapters and heads stay."""
    full, less = (
        {m.name: m for m in count_card(each, 4, EMBEDDED_TASKS).modules} for each in (whole(), compress(whole(), 0.25))
    )
    samples = [make_split(task.name, "test", 1, 0) for task in EMBEDDED_TASKS]
    with torch.no_grad():
        tokens = max(whole().embed(*read_inputs(whole(), one, np.arange(1)))[0].shape[1] for one in samples)
    dropped, layers = 512 - 128, whole().depth - 1
    saved = 4 * 128 * dropped * (layers * tokens + 1)
    assert full["backbone"].forward_flop - less["backbone"].forward_flop == saved
    # Backward through frozen weights takes as much again, from layer 1 on: nothing is trained before layer 0.
    saved_backward = 4 * 128 * dropped * ((layers - 1) * tokens + 1)
    assert full["backbone"].backward_flop - less["backbone"].backward_flop == saved_backward
    for name in full.keys() - {"backbone"}:
        assert (full[name].forward_flop, full[name].backward_flop) == (
            less[name].forward_flop,
            less[name].backward_flop,
        )
    assert less["backbone"].payload_bit < 0.7 * full["backbone"].payload_bit


def test_the_plan_shows_less_computation() -> None:
    scenario = hffm_opt.load_scenario("tiny")
    same, less = counted_for(scenario, 1.0), counted_for(scenario, 0.25)
    assert same.modules == scenario.modules
    problems = [build_problem(each) for each in (scenario, less)]
    assert (problems[1].cycles < 0.75 * problems[0].cycles).all()
    costs = [run_cost(each, plan_of(each, "local"), 1) for each in problems]
    assert costs[1].energy_j < 0.75 * costs[0].energy_j
    stars = [run_cost(each, plan_of(each, "star"), 1) for each in problems]
    assert stars[1].bits == stars[0].bits
    assert scenario.fingerprint() != same.fingerprint() != less.fingerprint()


def test_a_round_trains_on_the_sub_model_and_is_evaluated_on_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpft, "EPOCHS", 1)
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 32)
    scenario = counted_for(quick_scenario(), 0.5)
    problem = build_problem(scenario)
    plan = plan_of(problem, "star")
    trace = train_plan(problem, plan, 2, seed=1, threads=1)
    body = load_backbone("vilt-small-random")
    data = federated_data(scenario, 1, body.form)
    parts = build_modules(WIDTH, DEPTH, ADAPTER_WIDTH, data.answers)
    small = sub_backbone(body, 0.5, 1, threads=1)
    trainer = LocalTrainer(small, parts, data, scenario.learning, 1, threads=1)
    engine, states = RoundEngine(problem, plan, parts), StackedStates.repeat(initial_model(parts, 1), 6)
    for record in trace.rounds:
        update = trainer.train(states, range(6), record.round)
        for task, samples in data.samples.items():
            assert record.loss[task] == pytest.approx(np.nansum(update.loss[task] * samples) / samples.sum(), rel=1e-12)
        states = engine.average(record.round, update.states, engine.start_s).states
    evaluator = Evaluator(body, data, threads=1)
    told = {a.task: a.accuracy for a in trace.accuracy if (a.round, a.phase) == (2, "after-average")}
    owner = {task: int(np.flatnonzero(samples)[0]) for task, samples in data.samples.items()}
    assert told == {task: evaluator.evaluate(states, task, [owner[task]])[0].value for task in told}
    without = build_problem(quick_scenario())
    plain = train_plan(without, plan_of(without, "star"), 2, seed=1, threads=1)
    assert plain.rounds[0].loss != trace.rounds[0].loss
    assert sum(r.energy_j for r in trace.rounds) < sum(r.energy_j for r in plain.rounds)
    assert abs(measure(problem, plan, trace).difference.energy_j) < 1e-9
    assert trace.header.algorithm.kept_neurons == 0.5


def test_what_cannot_be_compressed_is_refused() -> None:
    with pytest.raises(InputError, match="mixture of experts"):
        compress(load_backbone("moe-small-random"), 0.5)
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="no share of the neurons"):
            hffm_opt.train("tiny", rounds=1, method="star", kept_neurons=share)
    with pytest.raises(InputError, match="for another scenario"):
        hffm_opt.train("tiny", hffm_opt.plan("tiny", method="star"), rounds=1, kept_neurons=0.5)


def test_a_card_of_the_sub_model_can_be_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "card.json"
    assert main(["vilt-small", "--adapter-width", "4", "--kept-neurons", "0.25", "-o", str(target)]) == 0
    import json

    card = validate(json.loads(target.read_text()), ModelCard, "card")
    assert card.modules == count_card(compress(whole(), 0.25), 4, EMBEDDED_TASKS).modules
    assert main(["vilt-small", "--kept-neurons", "2"]) == 2


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (LoraPart(part="lora", targets=("query", "dense")), "lora"),
        (LoraPart(part="lora", targets=("intermediate.dense",), layers=(2,)), "lora"),
        (LayersPart(part="layers", layers=(1,)), "layers"),
    ],
)
def test_parts_that_train_feed_forward_layers_are_refused(part: Part, name: str) -> None:
    given = quick_scenario()
    chosen = given.model_copy(update={"learning": given.learning.model_copy(update={"parts": (part,)})})
    with pytest.raises(InputError, match=f"learning.kept_neurons: {name} trains feed-forward layers") as caught:
        counted_for(chosen, 0.5)
    assert len(caught.value.findings) == 1
    counted_for(chosen, 1.0)


def test_low_rank_adapters_on_attention_and_experts_train_in_the_sub_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpft, "EPOCHS", 1)
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 32)
    parts = (LoraPart(part="lora", rank=2), ExpertsPart(part="experts", count=2, active=1, width=2))
    given, body = quick_scenario(), load_backbone("vilt-small-random")
    learning = given.learning.model_copy(update={"parts": parts})
    card = count_card(body, ADAPTER_WIDTH, given.tasks, parts)
    chosen = given.model_copy(update={"learning": learning, "modules": card.modules})
    less = counted_for(chosen, 0.25)
    pairs = {m.name: (m, n) for m, n in zip(chosen.modules, less.modules, strict=True)}
    assert all(
        one.forward_flop > 0 and one.payload_bit == other.payload_bit
        for name, (one, other) in pairs.items()
        if name != "backbone"
    )
    assert pairs["backbone"][1].forward_flop < pairs["backbone"][0].forward_flop
    assert pairs["lora"][1].forward_flop == pairs["lora"][0].forward_flop
    problem = build_problem(less)
    plan = plan_of(problem, "star")
    trace = train_plan(problem, plan, 2, seed=1, threads=1)
    assert trace.rounds[1].loss != trace.rounds[0].loss
    assert abs(measure(problem, plan, trace).difference.energy_j) < 1e-9


def test_a_model_is_distilled_once_and_remembered_by_all_that_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = fedpft.distil

    def counted(backbone: BackboneT, small: BackboneT, seed: int) -> list[float]:
        calls.append(seed)
        return real(backbone, small, seed)

    monkeypatch.setattr(fedpft, "distil", counted)
    monkeypatch.setattr(fedpft, "_distilled", {})
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 32)
    monkeypatch.setattr(fedpft, "EPOCHS", 1)
    body = load_backbone("vilt-small-random")
    first = sub_backbone(body, 0.25, 1, threads=1)
    with torch.no_grad():
        for parameter in layers_of(first)[1].intermediate.dense.parameters():
            parameter.zero_()  # as alignments change it
    again = sub_backbone(load_backbone("vilt-small-random"), 0.25, 1, threads=2)
    assert calls == [1] and not any(parameter.requires_grad for parameter in again.parameters())
    monkeypatch.setattr(fedpft, "_distilled", {})
    anew = sub_backbone(body, 0.25, 1, threads=1)
    assert calls == [1, 1]
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), anew.parameters(), strict=True))

    sub_backbone(body, 0.25, 2, threads=1)
    sub_backbone(load_backbone("vilt-small-random:1"), 0.25, 1, threads=1)
    monkeypatch.setattr(fedpft, "LEARNING_RATE", 1e-4)
    sub_backbone(body, 0.25, 1, threads=1)
    assert calls == [1, 1, 2, 1, 1] and len(fedpft._distilled) == 3  # and the oldest is forgotten
