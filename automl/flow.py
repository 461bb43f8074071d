"""What runs through a model under construction: the vocabulary that blocks, inputs, tasks and the joints share.

A `Flow` is a tensor of Keras; a `Shape` says without Keras what each block makes of a size, for checks before anything
is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from automl.errors import ConfigError, Problem

if TYPE_CHECKING:
    from keras import KerasTensor

Kind = Literal["feature_map", "sequence", "vector", "table"]
"""`feature_map`: (batch, height, width, channels) or (batch, steps, channels), read by convolutions;
`sequence`: (batch, steps, channels), read step by step; `vector`: (batch, features); `table`: (batch, numbers and then
categories), read by an embedding of these."""


Padding = Literal["same", "valid"]

_WRITTEN = re.compile(r"[1-9]\d*(x[1-9]\d*){1,2}")


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
        categories: Of a table, how many values each of its last columns may have; they are whole numbers from 0.
        taps: What blocks gave that have a `tap`, by its name.
    """

    x: KerasTensor
    kind: Kind
    valid: KerasTensor | None = None
    pixels: Pixels | None = None
    categories: tuple[int, ...] = ()
    taps: Mapping[str, Flow] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Shape:
    """How large a flow is.

    Args:
        kind: How it is to be read.
        sides: All axes but the batch, channels last: `(height, width, channels)`, `(steps, channels)`, `(features,)`.
        categories: Of a table, how many values each of its last columns may have.
        taps: What blocks gave that have a `tap`, by its name.
    """

    kind: Kind
    sides: tuple[int, ...]
    categories: tuple[int, ...] = ()
    taps: Mapping[str, Shape] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return "x".join(map(str, self.sides))

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sides without the channels."""
        return self.sides[:-1]

    @property
    def channels(self) -> int:
        """The last side."""
        return self.sides[-1]


class Unknown(Exception):  # noqa: N818 - what the shape is, as the message says it
    """The shape behind a block cannot be told without building it."""


def of_example(sides: Sequence[int]) -> Shape:
    """Returns the shape behind the stem: of an image with three sides, of a series with two."""
    return Shape("feature_map" if len(sides) == 3 else "sequence", tuple(sides))


def read(text: str, where: str = "--input") -> Shape:
    """Reads the shape of an example: `28x28x1` of images, `150x1` of series.

    Raises:
        ConfigError: The text is no such shape; `where` says in the message who gave it.
    """
    if not _WRITTEN.fullmatch(text):
        expected = "height x width x channels, as 28x28x1, or steps x channels, as 150x1"
        raise ConfigError(Problem(where, "not a shape", expected, text))
    return of_example([int(side) for side in text.split("x")])


def slid(spatial: Sequence[int], window: Sequence[int], stride: Sequence[int], padding: Padding) -> tuple[int, ...]:
    """Returns the sides behind a window that slides over them; it fits, or `padding` is `same`."""
    if padding == "same":
        return tuple(-(-side // step) for side, step in zip(spatial, stride, strict=True))
    return tuple((side - size) // step + 1 for side, size, step in zip(spatial, window, stride, strict=True))
