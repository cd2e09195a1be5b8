"""Radio and accounting: path loss, noise, how bands are shared, and how single links differ from the rule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hffm_opt.scenario.frozen import Frozen
from hffm_opt.scenario.ranges import Decibels, Name, Positive, Power


class LogDistance(Frozen):
    """Log-distance law: loss in dB = ``loss_at_1m_db + 10 exponent log10(distance)``."""

    law: Literal["log-distance"] = "log-distance"
    loss_at_1m_db: Decibels = 30.0
    exponent: Annotated[float, Field(gt=0, le=10.0)] = 3.0


class Tr38901(Frozen):
    """3GPP TR 38.901 table 7.4.1-1, urban macro (``uma``) or street canyon (``umi``), with or without line of sight."""

    law: Literal["uma-los", "uma-nlos", "umi-los", "umi-nlos"]
    carrier_hz: Annotated[float, Field(ge=0.5e9, le=100e9)] = 3.5e9
    edge_height_m: Annotated[float, Field(ge=1.5)] = 25.0
    device_height_m: Annotated[float, Field(ge=1.5, le=22.5)] = 1.5


class ReferenceArithmetic(Frozen):
    """The published case study's own way of counting (see the page on model validation)."""

    noise_offset_db: Decibels = -30.0
    uplink_charged_power_w: Power = 0.6
    d2d_charged_power_w: Power = 0.6
    collection_rounds: Annotated[int, Field(ge=2, le=1_000_000)] = 200


class Physics(Frozen):
    """Radio and accounting rules. ``reference`` counts as published, ``si`` counts correctly and completely.

    ``sharing`` says for each band whether the bandwidth stated at the edge is every link's own (``dedicated``) or one
    budget that all links of the cell share in a phase (``shared``). ``allocation: fixed`` holds bandwidth, power and
    CPU frequency at their stated values; ``optimised`` lets the plan choose them within budgets and caps.
    """

    profile: Literal["reference", "si"]
    path_loss: Annotated[LogDistance | Tr38901, Field(discriminator="law")] = LogDistance()
    d2d_path_loss: Annotated[LogDistance | Tr38901, Field(discriminator="law")] = LogDistance()
    noise_dbm_per_hz: Decibels = -174.0
    fading: Literal["none", "rayleigh"] = "none"
    uplink_sharing: Literal["dedicated", "shared"] = "shared"
    downlink_sharing: Literal["dedicated", "shared"] = "shared"
    d2d_sharing: Literal["dedicated", "shared"] = "shared"
    d2d_range_m: Positive | None = None
    allocation: Literal["fixed", "optimised"] = "optimised"
    reference: ReferenceArithmetic | None = None


class LinkFading(Frozen):
    """The fading power ``|h|^2`` of one directed link, as a factor on its path gain."""

    source: Name
    target: Name
    fading: Annotated[float, Field(ge=1e-30, le=1e30)]


class LinkGain(Frozen):
    """A factor on the gain of one directed link; 0 is no link."""

    source: Name
    target: Name
    factor: Annotated[float, Field(ge=0, le=1e30)]


class Radio(Frozen):
    """How links differ from what path loss and fading make them: factors on gains, and the seed of a round's fading."""

    gains: tuple[LinkGain, ...] = ()
    draw: Annotated[int, Field(ge=0)] | None = None
