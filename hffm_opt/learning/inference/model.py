"""The model that answers: backbone, trained modules of a run or initial ones, and the data of each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hffm_opt.errors import InputError
from hffm_opt.learning.backbones import load_backbone
from hffm_opt.learning.backbones.base import Backbone, read_inputs
from hffm_opt.learning.data import FederatedData, federated_data
from hffm_opt.learning.inference.segments import SplitModel, in_order
from hffm_opt.learning.modules import Group, Module, StackedStates, initial_model, learned_modules
from hffm_opt.learning.modules.forward import input_values, run_steps
from hffm_opt.learning.tasks import TaskData, make_split
from hffm_opt.learning.tensors import digest
from hffm_opt.learning.threads import map_threads
from hffm_opt.learning.weights import load_weights
from hffm_opt.scenario.model import Scenario
from hffm_opt.seeds import derive, derive_entropy

CHUNK = 32


@dataclass(frozen=True, eq=False)
class Features:
    """What a model makes of N samples: exits' features by segment [N, 2 d], pooled [N, d], logits [N, A]."""

    exits: Mapping[str, np.ndarray]
    pooled: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, eq=False)
class AnsweringModel:
    """Everything that answers a scenario's requests: backbone, modules, one state of each, and data."""

    scenario: Scenario
    backbone: Backbone
    modules: Mapping[str, Module]
    group: Group
    data: FederatedData
    seed: int

    def split(self, task: str) -> SplitModel:
        """Return one task's model in segments."""
        own = {name: module for name, module in self.modules.items() if task in module.tasks}
        return SplitModel(self.backbone, own, task, in_order(self.data.tasks[task].task.modalities), self.group)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the trained tensors."""
        return digest({f"{m}/{key}": tensor for m, state in self.group.states.items() for key, tensor in state.items()})

    def calibration(self, task: str, count: int) -> TaskData:
        """Return samples for calibration that are neither trained on nor tested on.

        Of an embedded task they are drawn anew from what training samples are made of; of a data set on disk they are
        the half of the test samples that :meth:`test` leaves out.
        """
        spec = next(spec for spec in self.scenario.tasks if spec.name == task)
        if spec.source is None:
            seed = derive_entropy(self.seed, "calibration", task) % 2**63
            return make_split(task, "train", count, seed, self.backbone.form.tokenizer)
        return self._half(task, 0, count)

    def test(self, task: str, count: int | None = None) -> TaskData:
        """Return ``count`` test samples (all there are, by default), none of them a calibration sample."""
        spec = next(spec for spec in self.scenario.tasks if spec.name == task)
        whole = self.data.tasks[task].test
        if spec.source is not None:
            return self._half(task, 1, count)
        return whole if count is None else whole.select(np.arange(min(count, len(whole))))

    def _half(self, task: str, half: int, count: int | None) -> TaskData:
        whole = self.data.tasks[task].test
        order = derive(self.seed, "calibration", task).permutation(len(whole))
        return whole.select(np.sort(order[half::2][:count]))

    def features(self, task: str, data: TaskData, exits: tuple[str, ...] = ()) -> Features:
        """Return what the model makes of samples, a batch at a time, with the features behind some segments."""
        model = self.split(task)

        def some(rows: np.ndarray) -> tuple[dict[str, Tensor], Tensor, Tensor]:
            found, pooled = dict[str, Tensor](), torch.empty(0)
            with torch.inference_mode():
                values = input_values(read_inputs(self.backbone, data, rows))
                for piece in model.encoders.values():
                    values = run_steps(piece.steps, values, self.group)
                for piece in model.trunk:
                    pooled = values.get("pooled", pooled)
                    values = run_steps(piece.steps, values, self.group)
                    if piece.name in exits:
                        found[piece.name] = exit_features(values["hidden"], values["mask"])
                return found, pooled, values["logits"][0]

        parts = map_threads(some, np.split(np.arange(len(data)), range(CHUNK, len(data), CHUNK)), None)

        def joined(tensors: list[Tensor]) -> np.ndarray:
            return torch.cat(tensors).double().numpy()

        return Features(
            {name: joined([part[0][name] for part in parts]) for name in exits},
            joined([part[1] for part in parts]),
            joined([part[2] for part in parts]),
        )


def exit_features(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return what an exit's head reads, [N, 2 d]: the first token, and the mean of all that are no padding."""
    kept = (mask[:, 0, 0] == 0).to(hidden.dtype)[..., None]
    return torch.cat((hidden[:, 0], (hidden * kept).sum(1) / kept.sum(1)), dim=1)


def answering_model(scenario: Scenario, seed: int, run: str | Path | None = None) -> AnsweringModel:
    """Return the model of a scenario with its data.

    Args:
        scenario: a checked scenario.
        seed: root of data and initial weights.
        run: the run directory whose trained modules answer (their means over owners); the initial ones if not given.

    Raises:
        InputError: the run is damaged, or its modules are not those of the scenario's model.
    """
    backbone = load_backbone(scenario.learning.backbone)
    data = federated_data(scenario, seed, backbone.form)
    modules = learned_modules(backbone, scenario.learning, data.answers, data.modalities)
    states: Mapping[str, Mapping[str, Tensor]] = initial_model(modules, seed)
    if run is not None:
        trained = load_weights(run)
        due = {name: {key: tuple(shape) for key, shape in module.shapes.items()} for name, module in modules.items()}
        found = {name: {key: tuple(t.shape) for key, t in state.items()} for name, state in trained.mean.items()}
        if trained.manifest.backbone != scenario.learning.backbone or due != found:
            message = f"its modules are not those of scenario '{scenario.name}'"
            raise InputError.one(str(run), message, "give a run of this scenario: hffm train ... -o RUN")
        states = trained.mean
    return AnsweringModel(scenario, backbone, modules, Group(StackedStates.repeat(states, 1).modules), data, seed)
