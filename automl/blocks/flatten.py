"""Flattening: every position keeps its own features."""

from __future__ import annotations

import math
from typing import ClassVar

from automl.blocks import KINDS, Block
from automl.blocks._valid import zeroed
from automl.flow import Flow, Kind, Shape


class Flatten(Block):
    """Lays all positions behind each other; padded steps are zeros.

    Input:
        Any kind.

    Output:
        `(batch, features) float32`: the product of all axes but the batch.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = ("vector",)

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a flow of any kind."""
        import keras

        return Flow(keras.layers.Flatten(name=self.label())(zeroed(flow.x, flow.valid)), "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return Shape("vector", (math.prod(shape.sides),))
