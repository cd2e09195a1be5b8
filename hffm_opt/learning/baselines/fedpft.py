r"""FedPFT: devices train on a sub-model of the backbone with fewer feed-forward neurons; the modules serve all of it.

Each layer's feed-forward network has n neurons, each with incoming weights a_i, a bias c_i and outgoing weights b_i:
``F(x) = sum_i b_i act(a_i . x + c_i) + d``. The sub-model keeps of every layer the share ``kept`` of the neurons with
the greatest saliency

    s_i = || (a_i, b_i) ||_2,

and attention, norms, embeddings, biases d as they are, so that its layers stand for the same layers of the whole model.
Before training starts, its feed-forward networks are distilled layer by layer on public samples:

    min  1 / L sum_l  || h_l - h'_l ||^2 / || h_l ||^2        (h_l, h'_l the hidden states after layer l of both)

Adapters, heads and whatever else is trained stand in the sub-model on devices, and in the whole model when it is
evaluated. The public samples are of the split that backbones are pretrained on, which no device and no test has.
Compressing and distilling is the server's work, and the sub-model comes with the devices as the backbone does: neither
is charged.

The second alignment, during the federated training, is in :mod:`.realign`.

Source: Peng et al., FedPFT: Federated Proxy Fine-Tuning of Foundation Models (arXiv 2404.11536), sections 4.1 and 4.2;
saliency and normalised loss as in the authors' code.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import read_inputs
from hffm_opt.learning.backbones.checkpoint import freeze
from hffm_opt.learning.backbones.fusion import SparseExperts
from hffm_opt.learning.backbones.multi import MultiEncoder
from hffm_opt.learning.backbones.vilt import ViltBackbone
from hffm_opt.learning.card import count_card
from hffm_opt.learning.modules import learned_modules
from hffm_opt.learning.tasks import embedded_tasks, make_split
from hffm_opt.learning.tensors import digest
from hffm_opt.learning.threads import map_threads
from hffm_opt.scenario.model import Learning, Scenario
from hffm_opt.seeds import derive, derive_entropy

BackboneT = ViltBackbone | MultiEncoder

_REMEMBERED = 3  # sub-models, the last ones used; the whole model is not kept
_distilled: dict[tuple[object, ...], dict[str, Tensor]] = {}

PROXY_SAMPLES, EPOCHS, BATCH_SIZE, LEARNING_RATE = 256, 4, 32, 1e-3


def layers_of(backbone: BackboneT) -> Sequence[Any]:
    """Return the layers that :meth:`Backbone.layer` runs.

    Raises:
        InputError: they are mixtures of experts, which have no single feed-forward network.
    """
    layers = backbone.fusion.layers if isinstance(backbone, MultiEncoder) else backbone.model.encoder.layer
    if any(isinstance(layer.output, SparseExperts) for layer in layers):
        message = f"'{backbone.name}' is a mixture of experts, which has no single feed-forward network to compress"
        raise InputError.one("learning.kept_neurons", message, "use a dense backbone, or leave it out")
    return list(layers)


def saliency(layer: Any) -> Tensor:
    """Return the saliency [n] of a layer's feed-forward neurons."""
    incoming, outgoing = layer.intermediate.dense.weight, layer.output.dense.weight
    return torch.cat([incoming, outgoing.T], dim=1).norm(dim=1).detach()


def compress(backbone: BackboneT, kept: float) -> BackboneT:
    """Return a copy of a backbone with the most salient neurons of every layer alone, at least one.

    Args:
        backbone: frozen; it is left as it is.
        kept: the share of neurons to keep, in (0, 1]. They keep their order.

    Raises:
        InputError: the share is out of range, or the backbone is a mixture of experts.
    """
    if not 0 < kept <= 1:
        raise InputError.one("--kept-neurons", f"{kept:g} is no share of the neurons", "give a number in (0, 1]")
    layers_of(backbone)
    small = copy.deepcopy(backbone)
    for layer in layers_of(small):
        found = saliency(layer)
        count = max(1, round(kept * len(found)))
        chosen = found.sort(descending=True, stable=True).indices[:count].sort().values
        first, second = layer.intermediate.dense, layer.output.dense
        layer.intermediate.dense = _linear(first.weight[chosen], first.bias[chosen])
        layer.output.dense = _linear(second.weight[:, chosen], second.bias)
    return freeze(small)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    made.weight, made.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return made


def proxy_batches(
    backbone: BackboneT, seed: int, purpose: str = "distil", walks: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield walks over public samples (``EPOCHS``, or as many as asked): hidden states [N, S, d], and mask.

    They are of the embedded tasks that the backbone can read, one task a batch, drawn from (seed, "proxy", purpose).
    """
    form = backbone.form
    public = derive_entropy(seed, "proxy", purpose) >> 65
    data = [
        make_split(name, "pretrain", PROXY_SAMPLES, public, form.tokenizer)
        for name, task in embedded_tasks().items()
        if form.can_read(task.modalities)
    ]
    rng = derive(seed, "proxy", purpose, "batches")
    device = next(backbone.parameters()).device
    for _ in range(EPOCHS if walks is None else walks):
        orders = [rng.permutation(PROXY_SAMPLES) for _ in data]
        for first in range(0, PROXY_SAMPLES, BATCH_SIZE):
            for task, order in zip(data, orders, strict=True):
                # The batch leaves the context before it is yielded, else the caller would run inside it.
                with torch.no_grad():
                    inputs = read_inputs(backbone, task, order[first : first + BATCH_SIZE])
                    batch = backbone.embed(*(part if part is None else part.to(device) for part in inputs))
                yield batch


def layer_loss(whole: BackboneT, small: BackboneT, hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over layers of the squared distance of hidden states, relative to the whole model's squares."""
    told, found, losses = hidden, hidden, []
    for index in range(whole.depth):
        with torch.no_grad():
            told = whole.layer(index, told, mask)
        found = small.layer(index, found, mask)
        losses.append((told - found).square().mean() / told.square().mean())
    return torch.stack(losses).mean()


def _feed_forward(backbone: BackboneT) -> list[nn.Parameter]:
    parts = [part for layer in layers_of(backbone) for part in (layer.intermediate.dense, layer.output.dense)]
    return [parameter for part in parts for parameter in part.parameters()]


@torch.enable_grad()  # whoever calls
def distil(whole: BackboneT, small: BackboneT, seed: int) -> list[float]:
    """Train the feed-forward networks of ``small`` in place; return the loss before every step."""
    weights = [parameter.requires_grad_() for parameter in _feed_forward(small)]
    optimiser = torch.optim.Adam(weights, lr=LEARNING_RATE, foreach=False)
    losses = []
    for hidden, mask in proxy_batches(whole, seed):
        loss = layer_loss(whole, small, hidden, mask)
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        optimiser.step()
        losses.append(float(loss.detach()))
    optimiser.zero_grad(set_to_none=True)
    freeze(small)
    return losses


def check_parts(
    backbone: BackboneT,
    learning: Learning,
    kept: float,
    answers: Mapping[str, int],
    modalities: Mapping[str, tuple[str, ...]],
) -> None:
    """Refuse trained parts that do not fit both the sub-model and the whole model.

    Args:
        backbone: the whole model.
        learning: says which parts are trained.
        kept: the share of neurons that the sub-model keeps.
        answers, modalities: of every task, as in :func:`~hffm_opt.learning.modules.learned_modules`.

    Raises:
        InputError: a part trains feed-forward layers, wholly or by low-rank adapters; or as :func:`compress`.
    """
    whole, small = (learned_modules(b, learning, answers, modalities) for b in (backbone, compress(backbone, kept)))
    unlike = [name for name, module in whole.items() if dict(module.shapes) != dict(small[name].shapes)]
    if unlike:
        message = f"{', '.join(unlike)} trains feed-forward layers, of which the sub-model has but some of the neurons"
        repair = "train other parts (low-rank adapters: targets: [query, value]), or leave kept_neurons out"
        raise InputError.one("learning.kept_neurons", message, repair)


def counted_for(scenario: Scenario, kept: float, realign_every: int | None = None) -> Scenario:
    """Return the scenario in which devices train with the sub-model, its modules' FLOPs counted anew with it.

    Sizes of trained modules stay as they are; that of the frozen backbone becomes the sub-model's.

    Raises:
        InputError: there is no such backbone, it cannot be compressed, or a trained part does not fit the sub-model.
    """
    learning = scenario.learning.model_copy(update={"kept_neurons": kept, "realign_every": realign_every})
    whole = load_backbone(learning.backbone)
    answers, modalities = (
        {task.name: getattr(task, of) for task in scenario.tasks} for of in ("answers", "modalities")
    )
    check_parts(whole, learning, kept, answers, modalities)
    card = count_card(compress(whole, kept), learning.adapter_width, scenario.tasks, learning.parts)
    counted = {m.name: m for m in card.modules}
    modules = []
    for module in scenario.modules:
        found = counted.get(module.name, module)
        update = {"forward_flop": found.forward_flop, "backward_flop": found.backward_flop}
        size = module.payload_bit if module.trainable else found.payload_bit
        modules.append(module.model_copy(update={**update, "payload_bit": size}))
    return scenario.model_copy(update={"learning": learning, "modules": tuple(modules)})


def sub_backbone(backbone: BackboneT, kept: float, seed: int, threads: int | None = None) -> BackboneT:
    """Return the sub-model that devices train on: compressed and distilled; the same bits for the same arguments.

    What was distilled last is remembered while the process lives, by the bits of the whole model and all else that it
    depends on, so that several runs of one model distil once.

    Args:
        backbone: the whole model, frozen.
        kept: the share of feed-forward neurons to keep, in (0, 1].
        seed: root seed of the public samples.
        threads: as in :func:`~hffm_opt.learning.threads.map_threads`.

    Raises:
        InputError: the backbone is a mixture of experts.
    """
    small = compress(backbone, kept)
    bits = digest({**dict(backbone.named_parameters()), **dict(backbone.named_buffers())})
    many = torch.get_num_threads() if threads is None else 1
    recipe = (PROXY_SAMPLES, EPOCHS, BATCH_SIZE, LEARNING_RATE)
    key = (backbone.name, bits, next(backbone.parameters()).device, kept, seed, many, recipe)
    weights = {str(i): parameter for i, parameter in enumerate(_feed_forward(small))}
    if key in _distilled:
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(_distilled[key][name])
    else:
        map_threads(lambda whole: distil(whole, small, seed), [backbone], threads)
    _distilled[key] = _distilled.pop(key, {name: tensor.detach().clone() for name, tensor in weights.items()})
    for oldest in list(_distilled)[:-_REMEMBERED]:
        del _distilled[oldest]
    return small
