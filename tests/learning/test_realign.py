"""FedPFT's second alignment: the right neurons, in the right layers, closer than before, and charged in full."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from round_cases import chain_plan, first_states, plan_of, small_modules, small_problem, train_by_name
from run_cases import quick_scenario

import hffm_opt
from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import read_inputs
from hffm_opt.learning.baselines import fedpft, realign
from hffm_opt.learning.baselines.fedpft import BackboneT, compress, counted_for, layers_of
from hffm_opt.learning.baselines.realign import (
    REALIGNED,
    Realigner,
    activity,
    adapted_loss,
    adapted_states,
    check_rounds,
)
from hffm_opt.learning.broadcast import broadcast
from hffm_opt.learning.execution import Execution
from hffm_opt.learning.modules import build_modules
from hffm_opt.learning.modules.adapters import adapt
from hffm_opt.learning.modules.payload import deserialise
from hffm_opt.learning.rounds import RoundEngine
from hffm_opt.learning.run import train_plan
from hffm_opt.learning.tasks import make_split
from hffm_opt.measurement import measure
from hffm_opt.plan.circulation import uniform
from hffm_opt.plan.schedule import schedule_cost
from hffm_opt.problem import build_problem
from hffm_opt.scenario.model import Learning
from hffm_opt.scenario.parts import AdaptersPart, LoraPart, Part, PromptPart
from hffm_opt.trace import Trace, read_trace, write_trace


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 64)
    monkeypatch.setattr(fedpft, "EPOCHS", 1)


@cache
def whole() -> BackboneT:
    return load_backbone("vilt-small")


@cache
def adapters() -> dict[str, torch.Tensor]:
    """Adapters that change what the layers see."""
    (module, *_) = build_modules(whole().width, whole().depth, 8, {"digits": 3}).values()
    generator = torch.Generator().manual_seed(1)
    return {key: 0.1 * torch.empty(shape).normal_(generator=generator) for key, shape in module.shapes.items()}


def samples(split: str = "test", count: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return whole().embed(*read_inputs(whole(), make_split("shapes", split, count, 3), np.arange(count)))


def test_states_with_adapters_by_hand() -> None:
    hidden, mask = samples(count=3)
    with torch.no_grad():
        found = adapted_states(whole(), hidden, mask, adapters())
        now, by_hand = hidden, []
        for index in range(whole().depth):
            now = whole().layer(index, now, mask)
            by_hand.append(now)
            weights = [adapters()[key][index][None] for key in ("down_weight", "down_bias", "up_weight", "up_bias")]
            now = adapt(now.reshape(1, -1, whole().width), *weights).view(now.shape)
    assert len(found) == whole().depth - 1
    for one, other in zip(found[:-1], by_hand[1:-1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[-1], by_hand[-1][:, :1], rtol=1e-4, atol=1e-5)


def test_activity_by_hand() -> None:
    """With a bias of +-100 a neuron is active always, or never."""
    small = copy.deepcopy(compress(whole(), 0.25))
    for layer in layers_of(small):
        layer.intermediate.dense.bias[:3] = torch.tensor([100.0, -100.0, 100.0])
    shares = activity(small, *samples(count=4), adapters())
    assert len(shares) == whole().depth - 1
    for share in shares:
        assert share[:3].tolist() == [1.0, 0.0, 1.0]
        assert share.shape == (128,) and 0 < float(share[3:].mean()) < 1
    assert not any(layer.intermediate.dense._forward_hooks for layer in layers_of(small))


def test_only_the_least_active_neurons_beyond_layer_0_change_and_come_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedpft, "PROXY_SAMPLES", 256)
    small = compress(whole(), 0.25)
    realigner = Realigner(whole(), small, 2, seed=5)
    before = copy.deepcopy(small)
    data = realigner.message(adapters(), 2)
    for (name, one), (_, other) in zip(small.named_parameters(), before.named_parameters(), strict=True):
        assert torch.equal(one, other), f"{name} changed before the message was adopted"
    realigner.adopt(data)
    state, _ = deserialise(data, realigner.shapes)
    for number, (new, old) in enumerate(zip(layers_of(small), layers_of(before), strict=True)):
        same = torch.ones(128, dtype=torch.bool)
        if number:
            index = state[f"{number}.index"].long()
            assert len(index.unique()) == len(index) == round(REALIGNED * 128)
            same[index] = False
            assert not torch.equal(new.intermediate.dense.weight[index], old.intermediate.dense.weight[index])
        assert torch.equal(new.intermediate.dense.weight[same], old.intermediate.dense.weight[same])
        assert torch.equal(new.intermediate.dense.bias[same], old.intermediate.dense.bias[same])
        assert torch.equal(new.output.dense.weight[:, same], old.output.dense.weight[:, same])
        assert torch.equal(new.output.dense.bias, old.output.dense.bias)
    with torch.no_grad():
        earlier, later = (float(adapted_loss(whole(), each, *samples(), adapters())) for each in (before, small))
    assert later < 0.95 * earlier


def test_messages_have_one_size_and_follow_the_seed_and_the_round() -> None:
    realigners = [Realigner(whole(), compress(whole(), 0.25), 2, seed) for seed in (5, 5, 6)]
    first, again, other = (each.message(adapters(), 2) for each in realigners)
    later = realigners[0].message(adapters(), 4)
    assert first == again
    assert first not in (other, later)
    assert len(first) == len(other) == len(later)
    numbers = 3 * round(REALIGNED * 128) * (2 * 128 + 2)
    assert 4 * numbers < len(first) < 4 * numbers + 2000


def test_all_tensors_follow_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def to_host(tensor: torch.Tensor) -> torch.Tensor:
        asked.append(tensor.device.type)
        return torch.zeros(tensor.shape)

    monkeypatch.setattr(realign, "to_host", to_host)
    # torch's meta device stands for an accelerator: it refuses operands on different devices.
    there, small = copy.deepcopy(whole()).to("meta"), compress(whole(), 0.25).to("meta")
    realigner = Realigner(there, small, 2, seed=5, execution=Execution("meta"))
    realigner.adopt(realigner.message(adapters(), 2))
    assert asked == ["meta"] * len(realigner.shapes)
    realigner.load(realigner.state())
    assert {parameter.device.type for parameter in small.parameters()} == {"meta"}


@pytest.mark.parametrize("method", ["star", "h-fedfm-2", "h-fedfm-2+best-head", "chain"])
def test_broadcasts_are_charged_as_predicted(method: str) -> None:
    problem = small_problem("tiny")
    plan = chain_plan(problem, uniform(problem, 1, None, 2)) if method == "chain" else plan_of(problem, method)
    engine = RoundEngine(problem, plan, small_modules())
    states, clock_s = first_states(problem, small_modules()), engine.start_s
    data, entries, records = b"x" * 12345, [], []
    for number in range(1, 6):
        result = engine.average(number, train_by_name(problem, states, number), clock_s)
        if number in (2, 4):
            sent, clock_s = broadcast(engine, number, "backbone", data, result.clock_s)
            result = result.then(sent, clock_s)
            assert {entry.modules for entry in sent} == {"backbone"}
            assert {entry.charged_bits for entry in sent} == {8 * len(data)} == {e.serialised_bits for e in sent}
        states, clock_s = result.states, result.clock_s
        entries += result.entries
        records.append(result.record)
    predicted = schedule_cost(problem, ((1, plan),), 5, [(2, 8 * len(data)), (4, 8 * len(data))])
    assert records[-1].end_s == pytest.approx(predicted.latency_s, rel=1e-9)
    assert sum(entry.joules for entry in entries) == pytest.approx(predicted.energy_j, rel=1e-9)
    assert sum(entry.charged_bits for entry in entries) == predicted.bits
    assert sum(record.energy_j for record in records) == pytest.approx(predicted.energy_j, rel=1e-9)
    assert sum(record.bits for record in records) == predicted.bits
    assert max(entry.start_s + entry.seconds for entry in entries) == pytest.approx(predicted.latency_s, rel=1e-9)


@pytest.fixture(scope="module")
def runs() -> dict[int | None, Trace]:
    """Five rounds with and without alignment after rounds 2 and 4."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fedpft, "PROXY_SAMPLES", 64)
        patch.setattr(fedpft, "EPOCHS", 1)
        for every in (None, 2):
            problem = build_problem(counted_for(quick_scenario(), 0.5, every))
            found[every] = train_plan(problem, plan_of(problem, "h-fedfm-2"), 5, seed=1, threads=1)
    return found


def test_a_run_trains_with_the_realigned_neurons_from_the_next_round_on(runs: dict[int | None, Trace]) -> None:
    plain, aligned = runs[None], runs[2]
    assert [record.loss for record in aligned.rounds[:2]] == [record.loss for record in plain.rounds[:2]]
    assert aligned.rounds[2].loss != plain.rounds[2].loss
    assert [sent.round for sent in aligned.broadcasts] == [2, 4]
    assert not plain.broadcasts
    assert aligned.header.algorithm.realign_every == 2


def test_the_ledger_equals_the_prediction_with_it(runs: dict[int | None, Trace], tmp_path: Path) -> None:
    problem = build_problem(counted_for(quick_scenario(), 0.5, 2))
    found = measure(problem, plan_of(problem, "h-fedfm-2"), runs[2])
    for part in ("latency_s", "energy_j", "bits"):
        assert abs(getattr(found.difference, part)) < 1e-9
    assert found.measured.bits > sum(record.bits for record in runs[None].rounds)
    write_trace(runs[2], tmp_path)
    assert read_trace(tmp_path) == runs[2]


def test_what_cannot_be_realigned_is_refused() -> None:
    problem = small_problem("tiny")
    third = Learning(kept_neurons=0.5, realign_every=3)
    check_rounds(third, plan_of(problem, "star"), None)
    check_rounds(Learning(kept_neurons=0.5), plan_of(problem, "edge-only"), None)
    with pytest.raises(InputError, match="use a multiple of 2"):
        check_rounds(third, plan_of(problem, "h-fedfm-2"), None)
    with pytest.raises(InputError, match="never averaged at the cloud"):
        check_rounds(third, plan_of(problem, "edge-only"), None)
    with pytest.raises(InputError, match="use a multiple of 4"):
        check_rounds(third, plan_of(problem, "star"), 4)
    for share in (None, 1.0):
        with pytest.raises(InputError, match="needs no alignment"):
            check_rounds(Learning(kept_neurons=share, realign_every=3), plan_of(problem, "star"), None)
    with pytest.raises(InputError, match="no sub-model to realign"):
        hffm_opt.train("tiny", method="star", rounds=1, realign_every=2)
    with pytest.raises(InputError, match="use a multiple of 2"):
        hffm_opt.train(quick_scenario(), method="h-fedfm-2", rounds=2, kept_neurons=0.5, realign_every=3)


ADAPTERS_PART, LORA, PROMPT = AdaptersPart(part="adapters"), LoraPart(part="lora"), PromptPart(part="prompt")


@pytest.mark.parametrize(
    ("parts", "words"), [((LORA,), "lora"), ((ADAPTERS_PART, PROMPT), "adapters, prompt"), ((), "nothing")]
)
def test_only_models_with_adapters_alone_are_realigned(parts: tuple[Part, ...], words: str) -> None:
    problem = small_problem("tiny")
    with pytest.raises(InputError, match=f"learning.realign_every: .*here {words} is trained"):
        check_rounds(Learning(kept_neurons=0.5, realign_every=1, parts=parts), plan_of(problem, "star"), None)
    check_rounds(Learning(kept_neurons=0.5, realign_every=1, parts=(ADAPTERS_PART,)), plan_of(problem, "star"), None)
