"""The units that residual networks are stacked from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, OnlyWith, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._shortcut import add_shortcut, shape_with_shortcut
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.flow import Flow, Kind
from automl.shapes import Shape


class ResidualUnit(Weighted):
    """Two convolutions, or three as a bottleneck, with a shortcut round them.

    Where they change the shape, the shortcut is a convolution of kernel 1. The first unit of a stage halves the size:
    `residual_unit: {repeat: 2, filters: 128, stride: {each: [2, 1]}}`.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same rank; `filters` channels, those of a bottleneck times `expansion`; steps or pixels fewer by `stride`.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385, figure 5, the stride in the bottleneck's middle; dropout
    between the convolutions as in Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, figure 1d.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    kind: Literal["basic", "bottleneck"] = Field(
        "basic", description="Two convolutions (basic), or one between two of kernel 1 (bottleneck)."
    )
    filters: int = Field(64, ge=1, le=8192, description="Output channels; of a bottleneck, those of its inside.")
    expansion: Annotated[int, OnlyWith("kind", ("bottleneck",))] = Field(
        4, ge=1, le=64, description="Output channels of a bottleneck for each channel of its inside."
    )
    kernel_size: Sides = Field(3, description="Length of the kernel in steps or pixels: one for all axes, or per axis.")
    stride: Sides = Field(
        1, description="Steps or pixels that the unit moves at a time: one for all axes, or per axis."
    )
    norm: Norm = Field("batch", description="Normalisation behind each convolution, the shortcut's too.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind each convolution and behind the sum.")
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share dropped in training of what the last convolution reads."
    )

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the unit to a feature map."""
        end = flow
        for number, conv in enumerate(self._convolutions(), start=1):
            end = conv.model_copy(update={"name": self.label(f"conv{number}")})(end, wanted)
        return add_shortcut(flow, end, self.norm, self.activation, self.name, self._projection())

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape behind the sum."""
        end = shape
        for conv in self._convolutions():
            end = conv.shape(end, wanted)
        return shape_with_shortcut(shape, end, self.norm, self._projection())

    def _shared(self) -> dict[str, Any]:
        return {"norm_groups": self.norm_groups, "norm_momentum": self.norm_momentum, **self.weights()}

    def _projection(self) -> dict[str, Any]:
        return {**self._shared(), "stride": self.stride}

    def _convolutions(self) -> list[Conv]:
        return [Conv(norm=self.norm, **{**self._shared(), "filters": self.filters, **own}) for own in self._fields()]

    def _fields(self) -> list[dict[str, Any]]:
        """Returns the fields of each convolution."""
        moving = {"kernel_size": self.kernel_size, "stride": self.stride, "activation": self.activation}
        before_last = {"dropout": self.dropout}
        if self.kind == "basic":
            return [{**moving, **before_last}, {"kernel_size": self.kernel_size, "activation": "linear"}]
        return [
            {"kernel_size": 1, "activation": self.activation},
            {**moving, **before_last},
            {"kernel_size": 1, "filters": self.filters * self.expansion, "activation": "linear"},
        ]
