"""Embedding: whole numbers that stand for something, as vectors that are learned."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automl.blocks import Block
from automl.blocks._valid import zeroed
from automl.flow import Flow, Kind, Shape


class Embedding(Block):
    """A learned vector for each whole number, from 0 to `input_dim` - 1; what lies outside is read as the nearer end.

    The numbers come as they are, so the data's input is `series: {scale: none}`. With several channels a step, their
    vectors, all of one table, stand behind each other.

    Input:
        `(batch, steps, channels) float32`, whole numbers.

    Output:
        `(batch, steps, channels * output_dim) float32`.

    Source: Bengio et al. 2003, https://www.jmlr.org/papers/v3/bengio03a.html, figure 1.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("sequence",)
    yields: ClassVar[tuple[Kind, ...]] = ("sequence",)

    input_dim: int = Field(1000, ge=1, le=10_000_000, description="How many numbers there are: the largest and one.")
    output_dim: int = Field(64, ge=1, le=8192, description="Size of the vector that stands for a number.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a sequence."""
        import keras
        from keras import ops

        # Scaled and scaled back by the stem, a number may be a hair off; outside the table backends differ or fail.
        numbers = ops.cast(ops.clip(ops.round(flow.x), 0, self.input_dim - 1), "int32")
        x = keras.layers.Embedding(self.input_dim, self.output_dim, name=self.label())(numbers)
        x = keras.layers.Reshape((flow.x.shape[1], flow.x.shape[2] * self.output_dim), name=self.label("joint"))(x)
        return Flow(zeroed(x, flow.valid), "sequence", flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return Shape("sequence", (*shape.spatial, shape.channels * self.output_dim))
