"""The fields of normalisation, which several blocks share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from automl.blocks import OnlyWith

Norm = Literal["none", "batch", "layer", "group"]
NormGroups = Annotated[
    int,
    OnlyWith("norm", ("group",)),
    Field(ge=1, le=8192, description="Groups of channels that norm: group makes equal shares of."),
]
NormMomentum = Annotated[
    float,
    OnlyWith("norm", ("batch",)),
    Field(
        ge=0.0,
        lt=1.0,
        description="Share of its running mean and variance that norm: batch keeps at a step. Validation reads them; "
        "0.99 needs some 300 steps to get there, so take 0.9 where an epoch has few batches.",
    ),
]
