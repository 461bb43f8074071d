"""Squeeze and excitation: channels weighed by what the whole input holds."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automl.blocks import Activation
from automl.blocks._valid import zeroed
from automl.blocks._weights import Weighted
from automl.blocks.dense import Dense
from automl.blocks.global_pool import GlobalPool
from automl.flow import Flow, Kind, Shape


class SqueezeExcite(Weighted):
    """The mean of each channel goes through two dense layers, and what they give, from 0 to 1, scales the channel.

    The mean is over all pixels, or over all valid steps.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same shape.

    Source: Hu et al. 2017, https://arxiv.org/abs/1709.01507, figure 2, equations 2 to 4.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    ratio: int = Field(16, ge=1, le=1024, description="Channels for each unit of the first layer; it has one at least.")
    activation: Activation = Field("relu", description="Activation between the two layers.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map."""
        import keras

        channels = flow.x.shape[-1]
        narrow = Dense(units=max(1, channels // self.ratio), activation=self.activation, **self.weights())
        wide = Dense(units=channels, activation="sigmoid", **self.weights())
        gate = self.named(GlobalPool(), "squeeze")(flow, "vector")
        for block, part in ((narrow, "reduce"), (wide, "excite")):
            gate = self.named(block, part)(gate, "vector")
        across = (1,) * (len(flow.x.shape) - 2)
        scale = keras.layers.Reshape((*across, channels), name=self.label("across"))(gate.x)
        x = keras.layers.Multiply(name=self.label())([flow.x, scale])
        return Flow(zeroed(x, flow.valid), "feature_map", flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it got, as a feature map."""
        return Shape("feature_map", shape.sides)
