"""Depthwise separable convolution: one over space for each channel, then one over channels for each position."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, Side, Sides
from automl.blocks._depthwise import Depthwise
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.flow import Flow, Kind, Shape


class Separable(Weighted):
    """A depthwise convolution, then one of kernel 1: what a convolution does, at a fraction of its weights.

    `mobilenet` normalises and activates behind each of the two, `plain` behind the second alone.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same rank, `filters` channels; steps or pixels fewer by `stride` and `valid` padding.

    Source: `mobilenet`, Howard et al. 2017, https://arxiv.org/abs/1704.04861, figure 3; `plain`, Chollet 2016,
    https://arxiv.org/abs/1610.02357, section 1 and figure 10.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    kind: Literal["mobilenet", "plain"] = Field(
        "mobilenet", description="Normalise and activate behind both convolutions (mobilenet), or at the end (plain)."
    )
    filters: int = Field(64, ge=1, le=8192, description="Output channels.")
    kernel_size: Sides = Field(3, description="Length of the kernel in steps or pixels: one for all axes, or per axis.")
    # One for all axes: TensorFlow's depthwise convolution knows no other.
    stride: Side = Field(1, description="Steps or pixels the kernel moves at a time.")
    padding: Literal["same", "valid"] = Field("same", description="Zeros round the input (same) or none (valid).")
    dilation: Side = Field(1, description="Distance of the kernel's taps in steps or pixels; above 1 needs stride 1.")
    depth_multiplier: int = Field(1, ge=1, le=64, description="Channels between the two for each input channel.")
    norm: Norm = Field("batch", description="Normalisation before each activation.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind each normalisation.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the outputs dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the block to a feature map."""
        for block in self._convolutions(flow.x.shape[-1]):
            flow = block(flow, wanted)
        return flow

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape it gives."""
        for block in self._convolutions(shape.channels):
            shape = block.shape(shape, wanted)
        return shape

    def _convolutions(self, channels: int) -> tuple[Conv, Conv]:
        norm = {"norm_groups": self.norm_groups, "norm_momentum": self.norm_momentum, **self.weights()}
        ended: dict[str, Any] = {**norm, "norm": self.norm, "activation": self.activation}
        # Between two sums over the same numbers a bias is dead weight.
        bare: dict[str, Any] = {**self.weights(), "activation": "linear", "use_bias": False}
        # Past the check of their size: there may be more channels between the two than a user may declare.
        depthwise = Depthwise(
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            multiplier=self.depth_multiplier,
            **(ended if self.kind == "mobilenet" else bare),
        ).model_copy(update={"filters": channels * self.depth_multiplier})
        pointwise = Conv(filters=self.filters, kernel_size=1, dropout=self.dropout, **ended)
        return self.named(depthwise, "depthwise"), self.named(pointwise, "pointwise")
