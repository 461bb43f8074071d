"""What runs through a model under construction: the vocabulary that blocks, inputs, tasks and the joints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from keras import KerasTensor

Kind = Literal["feature_map", "sequence", "vector"]
"""`feature_map`: (batch, height, width, channels) or (batch, steps, channels), read by convolutions;
`sequence`: (batch, steps, channels), read step by step; `vector`: (batch, features)."""


@dataclass(frozen=True)
class Pixels:
    """Images before they are scaled, for a block that brings a scaling of its own.

    Args:
        x: (batch, height, width, channels) float32, as the data set holds them.
        low: Least value that they may have.
        high: Greatest value that they may have.
    """

    x: KerasTensor
    low: float
    high: float


@dataclass(frozen=True)
class Flow:
    """A symbolic tensor and how it is to be read.

    Args:
        x: The tensor, float32.
        kind: How `x` is to be read.
        valid: (batch, steps, 1) float32, 1.0 where a step holds data and 0.0 where it is padding; None when nothing is
            padded. Carried beside `x` because convolutions and pooling destroy Keras's own masks.
        pixels: The images that `x` was scaled from; None behind the first block.
    """

    x: KerasTensor
    kind: Kind
    valid: KerasTensor | None = None
    pixels: Pixels | None = None
