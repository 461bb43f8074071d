"""Global pooling: one number per channel, whatever the size of the input."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from automl.blocks import Block
from automl.blocks._valid import max_over_steps, mean_over_steps
from automl.flow import Flow, Kind, Shape


class GlobalPool(Block):
    """Mean or maximum over all positions; padded steps do not count.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        `(batch, channels) float32`.

    Source: Lin et al. 2013, https://arxiv.org/abs/1312.4400, section 3.2.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map", "sequence")
    yields: ClassVar[tuple[Kind, ...]] = ("vector",)

    kind: Literal["avg", "max"] = Field("avg", description="Mean or maximum.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map or a sequence."""
        import keras

        if flow.valid is not None:
            return Flow((mean_over_steps if self.kind == "avg" else max_over_steps)(flow), "vector")
        layers = keras.layers
        layer = {
            ("avg", 3): layers.GlobalAveragePooling1D,
            ("max", 3): layers.GlobalMaxPooling1D,
            ("avg", 4): layers.GlobalAveragePooling2D,
            ("max", 4): layers.GlobalMaxPooling2D,
        }[self.kind, len(flow.x.shape)]
        return Flow(layer(name=self.label())(flow.x), "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return Shape("vector", (shape.channels,))
