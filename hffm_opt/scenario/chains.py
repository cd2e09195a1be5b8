"""Module chains: what a model's segments cost when it answers one sample, counted by the learning layer.

A chain is an in-tree: every modality's encoder feeds the first segment of the trunk, and the trunk runs segment after
segment to the head. It can be cut behind any encoder and any segment. Cards of chains are read here without torch.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hffm_opt.errors import InputError
from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.parts import Parts
from hffm_opt.scenario.ranges import Bits, Flop
from hffm_opt.serial import validate

Blocks = dict[str, Bits]
"""Weights that a node must hold, by name; nodes hold a block once, however many chains use it."""


def encoder_segment(modality: str) -> str:
    """Return the name of an encoder's segment."""
    return f"encode {modality}"


class EncoderSegment(Frozen):
    """From one modality's raw input (``input_bit`` as serialised) to its tokens (``output_bit``), for one sample."""

    modality: str
    flop: Flop
    input_bit: Bits
    output_bit: Bits
    blocks: Blocks = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The segment's name in plans."""
        return encoder_segment(self.modality)


class Segment(Frozen):
    """A piece of the trunk; ``output_bit`` is the serialised size of what crosses a link behind it, for one sample.

    ``layer`` is the backbone's layer whose hidden states it gives, null where it gives no hidden states of all tokens:
    only behind a layer can an early exit stand.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    flop: Flop
    output_bit: Bits
    blocks: Blocks = Field(default_factory=dict)
    layer: Annotated[int, Field(ge=0)] | None = None


class Chain(Frozen):
    """The encoders and the trunk of one task's model; the last segment gives the answer (``answer_bit``)."""

    task: str
    encoders: Annotated[tuple[EncoderSegment, ...], Field(min_length=1)]
    trunk: Annotated[tuple[Segment, ...], Field(min_length=1)]
    answer_bit: Bits

    @model_validator(mode="after")
    def _own_names(self) -> Chain:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"two segments of the chain of '{self.task}' have one name")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all segments: encoders, then trunk."""
        return (*(part.name for part in self.encoders), *(part.name for part in self.trunk))

    @property
    def segments(self) -> tuple[EncoderSegment | Segment, ...]:
        """All segments, in the order of :attr:`names`."""
        return (*self.encoders, *self.trunk)


class ChainCard(Frozen):
    """The chains of one backbone with its trained parts and heads, one for each task."""

    format: Literal["hffm-chains/1"] = "hffm-chains/1"
    backbone: str
    adapter_width: int
    parts: Parts | None = None
    chains: tuple[Chain, ...]


def shipped_chains(backbone: str, adapter_width: int, parts: Parts | None) -> tuple[Chain, ...]:
    """Return the chains that ship with the package for a backbone, e.g. ``vilt-small``, with its usual parts.

    Raises:
        InputError: there are none for this backbone with these parts.

    Example:
        >>> [segment.name for segment in shipped_chains("vilt-small", 32, None)[0].segments]
        ['encode text', 'encode image', 'layer 0', 'layer 1', 'layer 2', 'layer 3', 'head']
    """
    path = files("hffm_opt.scenario") / "cards" / f"{backbone}.chains.json"
    if path.is_file():
        card = validate(json.loads(path.read_text(encoding="utf-8")), ChainCard, "card of chains")
        if (card.adapter_width, card.parts) == (adapter_width, parts):
            return card.chains
    raise InputError.one(
        "inference.chains",
        f"no chains are shipped for '{backbone}' with these trained parts",
        "count them: python -m hffm_opt.learning.inference.count SCENARIO -o FILE, and give its 'chains' here",
    )
