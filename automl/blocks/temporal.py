"""The residual block of temporal convolutional networks."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, Side
from automl.blocks._norm import NormMomentum
from automl.blocks._shortcut import add_shortcut, shape_with_shortcut
from automl.blocks._valid import last_step
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.flow import Flow, Kind, Shape


class Temporal(Weighted):
    """Two dilated causal convolutions, each with activation and dropout, and a shortcut round them.

    No output step reads a later input step. Where the channels change, the shortcut is a convolution of kernel 1.
    Blocks whose dilation doubles see exponentially far back: `temporal: {repeat: 4, dilation: {each: [1, 2, 4, 8]}}`.

    Input:
        `(batch, steps, channels) float32`.

    Output:
        `(batch, steps, filters) float32` when the next block reads steps, else the last valid step, which has seen what
        its receptive field reaches of all before it, `(batch, filters) float32`.

    Source: Bai et al. 2018, https://arxiv.org/abs/1803.01271, figure 1b; without the weight normalisation, which Keras
    has not, and with another one as a choice. Group normalisation is none: it would read later steps.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("sequence",)
    yields: ClassVar[tuple[Kind, ...]] = ("sequence", "vector")

    filters: int = Field(32, ge=1, le=8192, description="Output channels.")
    kernel_size: Side = Field(3, description="Length of the kernel in steps.")
    dilation: Side = Field(1, description="Distance of the kernel's taps in steps.")
    norm: Literal["none", "batch", "layer"] = Field("none", description="Normalisation before each activation.")
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind each convolution and behind the sum.")
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share of each convolution's outputs dropped in training, element by element."
    )

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the block to a sequence."""
        start = end = Flow(flow.x, "feature_map", flow.valid)
        for conv in self._convolutions():
            end = conv(end, "feature_map")
        end = add_shortcut(start, end, "none", self.activation, self.name, self.weights())
        if wanted == "sequence":
            return Flow(end.x, "sequence", end.valid)
        return Flow(last_step(end.x, end.valid), "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape it gives."""
        start = end = Shape("feature_map", shape.sides)
        for conv in self._convolutions():
            end = conv.shape(end, "feature_map")
        end = shape_with_shortcut(start, end, "none", self.weights())
        return Shape("sequence", end.sides) if wanted == "sequence" else Shape("vector", (end.channels,))

    def _convolutions(self) -> list[Conv]:
        shared = self.model_dump(exclude={"name", "repeat"})
        return [self.named(Conv(**shared, padding="causal"), f"conv{number}") for number in (1, 2)]
