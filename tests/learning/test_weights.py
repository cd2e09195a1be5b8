"""The weights of a run: what is written is what the devices hold, and nothing else can be loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from round_cases import small_modules

from hffm_opt.errors import InputError
from hffm_opt.learning import weights
from hffm_opt.learning.modules import ADAPTERS, StackedStates, initial_model
from hffm_opt.learning.tensors import pack
from hffm_opt.learning.weights import load_weights, write_weights
from hffm_opt.trace.model import RunHeader
from hffm_opt.trace.provenance import provenance

DEVICES = ("c", "a", "b", "d")
HEADER = RunHeader(
    scenario="s",
    fingerprint="f",
    method="m",
    backbone="vilt-small",
    seed=0,
    rounds=4,
    baseline={},
    provenance=provenance(),
)
# `a` and `c` hold the same adapters; `d` owns nothing; everybody who owns head-digits holds the same copy.
SHARES = {
    ADAPTERS: np.array([2.0, 1.0, 3.0, 0.0]),
    "head-digits": np.array([1.0, 1.0, 1.0, 0.0]),
    "head-shapes": np.array([0.0, 0.0, 4.0, 0.0]),
}


def states() -> StackedStates:
    same = StackedStates.repeat(initial_model(small_modules(), 1), 4)
    return same.replace(ADAPTERS, [2], {key: tensor + 1.0 for key, tensor in same.of_device(0, ADAPTERS).items()})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_weights(tmp_path, HEADER, 3, small_modules(), states(), DEVICES, SHARES)
    return tmp_path


def test_what_devices_hold_comes_back_to_the_bit(place: Path) -> None:
    found, held = load_weights(place), states()
    for row, device in enumerate(DEVICES[:3]):
        for name, state in found.of_device(device).items():
            assert all(torch.equal(tensor, held.of_device(row, name)[key]) for key, tensor in state.items())
    assert found.of_device("c").keys() == {ADAPTERS, "head-digits"}
    assert found.of_device("b").keys() == set(SHARES)
    with pytest.raises(InputError, match="'d' owns no module"):
        found.of_device("d")


def test_means_weigh_owners_by_their_samples(place: Path) -> None:
    found, held = load_weights(place), states()
    for key, tensor in found.mean[ADAPTERS].items():
        # Three of six samples are those of the copy that is one higher.
        torch.testing.assert_close(tensor, held.of_device(0, ADAPTERS)[key] + 0.5)
    for name in ("head-digits", "head-shapes"):
        assert all(torch.equal(tensor, held.of_device(2, name)[key]) for key, tensor in found.mean[name].items())


def test_the_manifest_names_each_distinct_copy_once(place: Path) -> None:
    files = load_weights(place).manifest.modules
    assert [(entry.file, entry.devices) for entry in files[ADAPTERS].copies] == [
        ("adapters@1.safetensors", ("a", "c")),
        ("adapters@2.safetensors", ("b",)),
    ]
    assert files["head-digits"].copies == (files["head-digits"].mean,)
    assert files["head-digits"].mean.devices == ("a", "b", "c")
    named = {entry.file for found in files.values() for entry in (found.mean, *found.copies)}
    assert {path.name for path in (place / "weights").iterdir()} == named | {"manifest.json"}


def test_order_of_devices_and_further_writes_change_no_byte(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order, other = [3, 1, 0, 2], tmp_path_factory.mktemp("other")
    shares = {name: share[order] for name, share in SHARES.items()}
    for _ in range(2):
        write_weights(other, HEADER, 3, small_modules(), states().rows(order), [DEVICES[i] for i in order], shares)
    assert {path.name: path.read_bytes() for path in (other / "weights").iterdir()} == {
        path.name: path.read_bytes() for path in (place / "weights").iterdir()
    }
    assert {path.name for path in other.iterdir()} == {"weights"}


def test_a_write_that_fails_leaves_the_former_weights(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_weights(place)

    def full(path: Path, _data: bytes) -> None:
        if "@2" in path.name:
            raise OSError("full")
        path.parent.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(weights, "write_bytes", full)
    with pytest.raises(OSError, match="full"):
        write_weights(place, HEADER, 4, small_modules(), states(), DEVICES, SHARES)
    assert load_weights(place).manifest == before.manifest


def rewrite(place: Path, name: str, tensors: dict[str, torch.Tensor]) -> None:
    """Replace a module's file and make the manifest agree."""
    import hashlib

    data = pack(tensors, {})
    path = place / "weights" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["modules"][name]["mean"]["sha256"] = hashlib.sha256(data).hexdigest()
    (place / "weights" / f"{name}.safetensors").write_bytes(data)
    path.write_text(json.dumps(manifest))


def wrong_tensors() -> Iterator[tuple[dict[str, torch.Tensor], str]]:
    state = initial_model(small_modules(), 1)["head-shapes"]
    yield {"weight": state["weight"]}, "bias: no such tensor where"
    yield {**state, "extra": torch.zeros(1)}, "extra: .* where no such tensor is due"
    yield {**state, "bias": torch.zeros(5)}, r"bias: float32 \[5\] where float32 \[4\] is due"
    yield {**state, "bias": state["bias"].double()}, "float64"
    yield {**state, "bias": torch.full((4,), torch.nan)}, "a value is not finite"


@pytest.mark.parametrize(("tensors", "words"), list(wrong_tensors()))
def test_other_tensors_are_refused(place: Path, tensors: dict[str, torch.Tensor], words: str) -> None:
    rewrite(place, "head-shapes", tensors)
    with pytest.raises(InputError, match=words):
        load_weights(place)


def test_damage_is_told_with_its_place(place: Path) -> None:
    folder = place / "weights"
    path = folder / "adapters@1.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match=r"adapters@1\.safetensors: its SHA-256"):
        load_weights(place)
    path.unlink()
    with pytest.raises(InputError, match=r"adapters@1\.safetensors: cannot be read"):
        load_weights(place)
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace("adapters@1.safetensors", "../adapters.safetensors"))
    with pytest.raises(InputError, match="is no file of this directory"):
        load_weights(place)
    (folder / "manifest.json").write_text(manifest.replace("adapters@1", "adapters\\u0000"))
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(place)
    (folder / "manifest.json").write_text(manifest.replace('"rounds"', '"turns"'))
    with pytest.raises(InputError, match="turns"):
        load_weights(place)
    with pytest.raises(InputError, match="there is no such run directory"):
        load_weights(place / "nowhere")
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="it holds no trained modules"):
        load_weights(place)


def test_a_run_in_phases_names_its_last_phase(tmp_path):
    for number in (2, 10):
        (tmp_path / f"phase-{number}/weights").mkdir(parents=True)
        (tmp_path / f"phase-{number}/weights/manifest.json").touch()
    with pytest.raises(InputError, match=f"give one of them: {tmp_path / 'phase-10'}"):
        load_weights(tmp_path)
