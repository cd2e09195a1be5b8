"""Payloads: exact round trips, constant size, and strictness about everything that arrives."""

from __future__ import annotations

import hashlib
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from hffm_opt.errors import InputError
from hffm_opt.learning.modules import deserialise, payload_bit, serialise, sha256
from hffm_opt.learning.modules.payload import WEIGHT

SHAPES = {"weight": (3, 4), "bias": (4,)}
STATE = {"weight": torch.arange(12.0).view(3, 4) / 7, "bias": torch.tensor([0.1, -2.5, 3e38, 1e-42])}


@given(weight=st.floats(min_value=0, allow_nan=False, allow_infinity=False))
@settings(max_examples=50, deadline=None)
def test_round_trip_keeps_every_bit_and_the_size(weight: float) -> None:
    data = serialise(STATE, weight)
    state, found = deserialise(data, SHAPES)
    assert found == weight
    assert list(state) == list(SHAPES) and all(torch.equal(state[key], STATE[key]) for key in SHAPES)
    assert 8 * len(data) == payload_bit(SHAPES)
    assert serialise(state, found) == data


def test_views_of_one_tensor_travel_like_copies() -> None:
    stack = torch.stack([STATE["weight"], STATE["weight"] + 1])
    views = {"weight": stack[1].T.contiguous().T, "bias": stack[1][0]}
    state, _ = deserialise(serialise(views, 1.0), SHAPES)
    assert torch.equal(state["weight"], stack[1])


def test_the_hash_is_sha256() -> None:
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": STATE["weight"]}, r"payload\.bias: no such tensor where \(4,\) is due"),
        ({**STATE, "extra": torch.zeros(1)}, r"payload\.extra: \(1,\) where no such tensor is due"),
        ({**STATE, "bias": torch.zeros(5)}, r"payload\.bias: \(5,\) where \(4,\)"),
        ({**STATE, "bias": torch.zeros(4, dtype=torch.float64)}, "float64 where fp32"),
        ({**STATE, "bias": torch.tensor([0.0, 1.0, float("nan"), 0.0])}, "not finite"),
        ({**STATE, WEIGHT: torch.tensor(1.0)}, "not one float64"),
        ({**STATE, WEIGHT: torch.ones(2, dtype=torch.float64)}, "not one float64"),
        ({**STATE, WEIGHT: torch.tensor(-1.0, dtype=torch.float64)}, "the weight is -1"),
        ({**STATE, WEIGHT: torch.tensor(float("inf"), dtype=torch.float64)}, "the weight is inf"),
    ],
)
def test_what_does_not_fit_is_refused(tensors: dict[str, torch.Tensor], message: str) -> None:
    data = save({WEIGHT: torch.tensor(1.0, dtype=torch.float64), **tensors})
    with pytest.raises(InputError, match=message):
        deserialise(data, SHAPES)


def test_missing_weight_and_foreign_bytes_are_refused() -> None:
    for data in (save(STATE), b"", serialise(STATE, 1.0)[:-1], pickle.dumps(STATE), b"\xff" * 64):
        with pytest.raises(InputError, match="payload"):
            deserialise(data, SHAPES)


def test_only_fp32_and_unreserved_names_are_sent() -> None:
    with pytest.raises(ValueError, match="fp32"):
        serialise({"w": torch.zeros(1, dtype=torch.float64)}, 1.0)
    with pytest.raises(ValueError, match="reserved"):
        serialise({WEIGHT: torch.zeros(1)}, 1.0)
