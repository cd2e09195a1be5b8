"""Names and numbers as scenarios take them: what may be given, and within which ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
# Beyond these, which no network reaches, figures overflow or vanish in floating point, and a proof would rest on them.
Bandwidth = Annotated[float, Field(ge=1.0, le=1e12)]
Power = Annotated[float, Field(gt=0, le=1e6)]
GivenPower = Annotated[float, Field(ge=0, le=1e6)]
Coordinate = Annotated[float, Field(ge=-2e7, le=2e7)]
Delay = Annotated[float, Field(ge=0, le=1e6)]
LinkRate = Annotated[float, Field(ge=1.0, le=1e15)]
Decibels = Annotated[float, Field(ge=-400.0, le=400.0)]
Hertz = Annotated[float, Field(ge=1.0, le=1e12)]
MOST_WEIGHT = 1e12
Weight = Annotated[float, Field(ge=0, le=MOST_WEIGHT)]
Divergence = Annotated[float, Field(ge=0, le=1e9)]
Flop = Annotated[float, Field(ge=0, le=1e21)]
Samples = Annotated[int, Field(ge=0, le=10_000_000)]
Bits = Annotated[int, Field(ge=0, le=10**15)]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$"
Limit = Annotated[int, Field(ge=1)] | None
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=NAME_PATTERN)]
