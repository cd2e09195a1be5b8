"""Every kind of part: many devices at once are one after another, and one is plain PyTorch with torch's AdamW."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import pytest
import torch
from local_cases import difference, small_data, small_scenario, unlike_copies
from plain_parts import PlainModel
from test_multi_training import data, scenario
from torch.nn.functional import cross_entropy

from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import Backbone, read_inputs
from hffm_opt.learning.data import FederatedData
from hffm_opt.learning.evaluate import Evaluator
from hffm_opt.learning.execution import Execution
from hffm_opt.learning.local import LocalTrainer, LocalUpdate
from hffm_opt.learning.modules import Module, StackedStates, learned_modules
from hffm_opt.learning.modules.states import Owners
from hffm_opt.learning.optim import StackedAdamW
from hffm_opt.scenario.model import Learning
from hffm_opt.scenario.parts import EncoderPart, ExpertsPart, LayersPart, LoraPart, Part, PromptPart

LORA, PROMPT = LoraPart(part="lora", rank=3, alpha=6.0), PromptPart(part="prompt", tokens=2)
EXPERTS = ExpertsPart(part="experts", count=3, active=2, width=4, layers=(1, 3), balance=0.5)
HEARING = EncoderPart(part="encoder", modality="audio", rank=2, alpha=3.0)
# Pretrained, because attention hardly depends on its weights where these are small and random.
VILT, MULTI, SPARSE = "vilt-small", "multi-small", "moe-small-random:1"
CASES: dict[str, tuple[str, tuple[Part, ...]]] = {
    "lora": (VILT, (LORA,)),
    "lora on other layers": (MULTI, (LORA.model_copy(update={"layers": (1, 3), "targets": ("key", "value")}),)),
    "lora beside sparse experts": (SPARSE, (LORA,)),
    "layers": (VILT, (LayersPart(part="layers", layers=(0, 3)),)),
    "prompt": (VILT, (PROMPT,)),
    "prompt of tasks": (MULTI, (PROMPT.model_copy(update={"per": "task"}),)),
    "prompt of modalities": (MULTI, (PROMPT.model_copy(update={"per": "modality"}),)),
    "experts": (VILT, (EXPERTS,)),
    "experts of four tasks": (MULTI, (EXPERTS,)),
    "encoder of sounds, low rank": (MULTI, (HEARING,)),
    "encoder of sounds": (MULTI, (EncoderPart(part="encoder", modality="audio"),)),
    "encoder of pictures": (MULTI, (EncoderPart(part="encoder", modality="image"),)),
    "encoder of text": (MULTI, (EncoderPart(part="encoder", modality="text"),)),
    "encoder of text, low rank": (MULTI, (EncoderPart(part="encoder", modality="text", rank=2),)),
    "embedding of pictures": (VILT, (EncoderPart(part="encoder", modality="image"),)),
    "embedding of words": (VILT, (EncoderPart(part="encoder", modality="text"),)),
    "heads alone": (VILT, ()),
    "everything": (MULTI, (HEARING, PROMPT, LORA.model_copy(update={"layers": (2,)}), EXPERTS)),
}
EPSILON = 1e-2
KINDS = pytest.mark.parametrize("case", CASES)


class Setting:
    """A case with its data, its modules and start, and who keeps which experts."""

    def __init__(self, case: str) -> None:
        name, self.parts = CASES[case]
        self.backbone: Backbone = load_backbone(name)
        base = small_scenario() if name == VILT else scenario()
        self.data: FederatedData = small_data() if name == VILT else data()
        self.learning: Learning = base.learning.model_copy(update={"parts": self.parts, "local_passes": 1})
        self.modules: dict[str, Module] = learned_modules(
            self.backbone, self.learning, self.data.answers, self.data.modalities
        )
        self.start: StackedStates = unlike_copies(self.modules, self.data.devices)
        kept = np.ones((3, self.data.devices), dtype=bool)
        kept[0, 1] = kept[2, 1] = kept[1, 2] = False  # one device has a single expert, one has two
        self.owners: Owners = {
            name: kept[int(name[-1])] for name, module in self.modules.items() if module.kind == "expert"
        }

    def trainer(self, **options: object) -> LocalTrainer:
        return LocalTrainer(self.backbone, self.modules, self.data, self.learning, 3, owners=self.owners, **options)  # type: ignore[arg-type]

    def kept(self, device: int) -> frozenset[str]:
        return frozenset(name for name, rows in self.owners.items() if rows[device])


@cache
def setting(case: str) -> Setting:
    return Setting(case)


@cache
def stacked(case: str) -> LocalUpdate:
    given = setting(case)
    return given.trainer().train(given.start, range(given.data.devices), 1)


@pytest.fixture(scope="module", autouse=True)
def no_step_from_rounding() -> Iterator[None]:
    """AdamW with a large epsilon: with its own it makes a whole step of a gradient that is nothing but rounding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hffm_opt.learning.local.StackedAdamW", partial(StackedAdamW, epsilon=EPSILON))
        yield


@pytest.mark.parametrize("case", ["everything", "layers", "encoder of text", "embedding of pictures"])
def test_every_kind_follows_the_device(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's `meta` device refuses operands on different devices and gives no values to the host."""
    given = setting(case)
    asked: list[torch.device] = []

    def to_host(tensor: torch.Tensor) -> torch.Tensor:
        asked.append(tensor.device)
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    monkeypatch.setattr("hffm_opt.learning.local.to_host", to_host)
    there = copy.deepcopy(given.backbone).to("meta")  # type: ignore[attr-defined]
    options = {"owners": given.owners, "execution": Execution("meta"), "proximal": 0.1, "cache_bytes": 0}
    trainer = LocalTrainer(there, given.modules, given.data, given.learning, 3, **options)
    update = trainer.train(given.start, range(given.data.devices), 1)
    assert {device.type for device in asked} == {"meta"}
    assert {tensor.device.type for state in update.states.modules.values() for tensor in state.values()} == {"cpu"}


@KINDS
def test_many_at_once_are_one_after_another(case: str) -> None:
    given, together = setting(case), stacked(case)
    apart = given.trainer(sequential=True, cache_bytes=0).train(given.start, range(given.data.devices), 1)
    assert difference(together.states, apart.states) < 1e-5
    assert difference(together.states, given.start) > 1e-3
    for task in together.loss:
        np.testing.assert_allclose(apart.loss[task], together.loss[task], rtol=1e-5)
    for expert, load in together.load.items():
        np.testing.assert_allclose(apart.load[expert], load, rtol=1e-5)


@KINDS
def test_order_of_devices_and_global_state_change_no_bit(case: str) -> None:
    given = setting(case)
    torch.manual_seed(5)
    order = list(range(given.data.devices))[::-1]
    assert given.trainer().train(given.start, order, 1).states.equal(stacked(case).states)


@KINDS
def test_each_moves_what_it_owns_and_nothing_else(case: str) -> None:
    given, found = setting(case), stacked(case).states
    for name, module in given.modules.items():
        held = module.weights(given.data.samples) > 0
        owns = held & given.owners.get(name, np.ones_like(held))
        moved = [
            any(not torch.equal(new[u], given.start.modules[name][key][u]) for key, new in found.modules[name].items())
            for u in range(given.data.devices)
        ]
        assert moved == owns.tolist(), name


@KINDS
@pytest.mark.parametrize("device", [0, 1])
def test_one_device_is_plain_pytorch(case: str, device: int) -> None:
    given = setting(case)
    learning, trainer = given.learning, given.trainer()
    plain = PlainModel(given.backbone, given.parts, given.start.model_of(device), given.kept(device))
    optimisers = {
        name: torch.optim.AdamW(
            [plain.parameters[name, key] for key in module.shapes],
            lr=learning.learning_rate,
            eps=EPSILON,
            foreach=False,
        )
        for name, module in given.modules.items()
    }
    for task, held in given.data.tasks.items():
        for (order,) in trainer._orders([device], task, 1):
            for i in range(0, len(order), learning.batch_size):
                chosen = order[i : i + learning.batch_size]
                inputs = read_inputs(given.backbone, held.train, chosen)
                logits, penalty = plain.logits(inputs, task, held.task.modalities)
                loss = cross_entropy(logits, torch.from_numpy(held.train.answers[chosen])) + penalty
                for optimiser in optimisers.values():
                    optimiser.zero_grad(set_to_none=True)
                loss.backward()
                for optimiser in optimisers.values():
                    optimiser.step()
    found = stacked(case).states.rows([device])
    expected = StackedStates.repeat(
        {
            name: {key: plain.parameters[name, key].detach() for key in module.shapes}
            for name, module in given.modules.items()
        },
        1,
    )
    assert difference(found, expected) < 1e-5


@pytest.mark.parametrize("case", ["everything", "layers"])
def test_threads_change_no_bit(case: str) -> None:
    given = setting(case)
    one, many = (
        given.trainer(threads=count, group_size=1).train(given.start, range(given.data.devices), 1) for count in (1, 3)
    )
    assert one.states.equal(many.states)


def test_devices_answer_with_the_experts_that_they_keep() -> None:
    given, device = setting("everything"), 2
    same = StackedStates.repeat(given.start.model_of(0), given.data.devices)
    evaluator = Evaluator(given.backbone, given.data, given.modules, owners=given.owners)
    # Equal copies, but the second and third device lack experts.
    assert evaluator.distinct(same, "digits", [0, 1, 2, 3]) == 3
    found = evaluator.evaluate(same, "digits")
    assert found[0] is found[3]
    plain = PlainModel(given.backbone, given.parts, same.model_of(device), given.kept(device))
    test = given.data.tasks["digits"].test
    with torch.no_grad():
        logits, _ = plain.logits(read_inputs(given.backbone, test, np.arange(len(test))), "digits", ("image", "text"))
    assert found[device].right == (logits.argmax(1).numpy() == test.answers).sum()
    whole = evaluator.accuracy(given.start.model_of(0))["digits"]
    assert whole.right == found[0].right


def test_same_seed_same_bits_and_another_seed_other_bits() -> None:
    given = setting("everything")
    other = LocalTrainer(given.backbone, given.modules, given.data, given.learning, 4, owners=given.owners)
    moved = other.train(given.start, range(given.data.devices), 1).states
    again = given.trainer().train(given.start, range(given.data.devices), 1).states
    assert again.equal(stacked("everything").states)
    for name in given.modules:
        assert not all(torch.equal(t, again.modules[name][key]) for key, t in moved.modules[name].items()), name
