import json
from itertools import islice, repeat
from pathlib import Path

import pytest
import torch

from hffm_opt.learning.backbones import load_backbone, pretrain
from hffm_opt.learning.tasks import embedded_tasks, embedded_vocabulary
from hffm_opt.learning.tasks.embedded import stream_scenes
from hffm_opt.learning.tasks.layout import Thing
from hffm_opt.learning.tasks.scans import scan_groups


def test_pretraining_asks_for_the_pretrain_split_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def record(task: str, split: str, seed: int, *, generic: bool = False):  # type: ignore[no-untyped-def]
        asked.append((task, split, generic))
        return stream_scenes(task, split, seed, generic=generic)

    monkeypatch.setattr(pretrain, "stream_scenes", record)
    next(pretrain.batches(seed=0, size=4))
    assert asked == [("digits", "pretrain", True), ("shapes", "pretrain", True)]
    own = {scan for group in scan_groups("pretrain") for scan in group}
    stream = stream_scenes("digits", "pretrain", 0, generic=True)
    assert all(set(example.source) <= own for _, example in islice(stream, 200))


def test_batches_follow_their_seed_and_hold_both_tasks() -> None:
    first, again, other = (next(pretrain.batches(seed, size=8)) for seed in (1, 1, 2))
    assert (first.images == again.images).all() and torch.equal(first.cells, again.cells)
    assert (first.images != other.images).any()
    pieces = list(embedded_vocabulary())
    answers = {name: set(task.answers) for name, task in embedded_tasks().items()}
    for position, word in enumerate(first.words.tolist()):
        assert pieces[word] in answers[("digits", "shapes")[position % 2]]


def test_cell_labels_by_hand() -> None:
    labels = pretrain.cell_labels((Thing(kind=2, colour=1, size=0, row=1, column=0),), first_kind=10)
    assert labels.tolist() == [[16, 6, 2]] * 3 + [[12, 1, 0]] + [[16, 6, 2]] * 2


def test_pretraining_lowers_the_loss_on_a_batch_it_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = next(pretrain.batches(seed=3, size=16))
    monkeypatch.setattr(pretrain, "batches", lambda *_: repeat(batch))
    monkeypatch.setattr(pretrain, "WARMUP", 1)
    result = pretrain.pretrain(steps=25, seed=3)
    assert len(result.losses) == 25
    assert result.losses[-1] < 0.6 * result.losses[0]
    assert result.right[-1] > result.right[0] + 0.1


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (pretrain.pretrain(2, seed, batch=4).backbone.state_dict() for seed in (1, 1, 2))
    name = "model.encoder.layer.3.output.dense.weight"
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    assert not torch.equal(first[name], other[name])


def test_learning_rate_warms_up_and_decays() -> None:
    factors = [pretrain.learning_rate_factor(step, 1000) for step in range(1000)]
    peak = factors.index(max(factors))
    assert factors[0] < 0.01 and factors[-1] == pytest.approx(0.02, abs=1e-3)
    assert abs(peak - pretrain.WARMUP) < 5 and factors[peak:] == sorted(factors[peak:], reverse=True)


def test_the_script_writes_a_checkpoint_that_loads(tmp_path: Path) -> None:
    pretrain.main(["--out", str(tmp_path / "short"), "--steps", "2", "--seed", "2", "--batch", "4"])
    manifest = json.loads((tmp_path / "short" / "manifest.json").read_text())
    assert manifest["training"].items() >= {"steps": 2, "seed": 2, "batch": 4}.items()
    assert set(manifest["versions"]) == {"torch", "transformers", "safetensors"}
    loaded = load_backbone(tmp_path / "short")
    assert loaded.depth == 4 and not any(parameter.requires_grad for parameter in loaded.parameters())
