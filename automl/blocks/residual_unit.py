"""The units that residual networks are stacked from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, OnlyWith, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._shortcut import add_shortcut, shape_with_shortcut
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.flow import Flow, Kind, Shape


class ResidualUnit(Weighted):
    """Two convolutions, or three as a bottleneck, with a shortcut round them.

    Where they change the shape, the shortcut is a convolution of kernel 1. The first unit of a stage halves the size:
    `residual_unit: {repeat: 2, filters: 128, stride: {each: [2, 1]}}`.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same rank; `filters` channels, those of a bottleneck times `expansion`; steps or pixels fewer by `stride`.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385, figure 5, the stride in the bottleneck's middle; dropout
    between the convolutions as in Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, figure 1d;
    pre-activation as in He et al. 2016, https://arxiv.org/abs/1603.05027, figure 4e.
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
    norm: Norm = Field("batch", description="Normalisation of each convolution, the shortcut's unless pre-activated.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation of each convolution, and behind the sum.")
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share dropped in training of what the last convolution reads."
    )

    pre_activation: bool = Field(
        False,
        description="Normalise and activate before each convolution instead, and nothing behind the sum; "
        "behind the last unit stands a `normalize` then.",
    )

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the unit to a feature map."""
        if self.pre_activation:
            return self._preactivated(flow)
        end = flow
        for conv in self._convolutions():
            end = conv(end, wanted)
        return add_shortcut(flow, end, self.norm, self.activation, self.name, self._projection())

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape behind the sum."""
        end = shape
        for conv in self._convolutions():
            end = conv.preactivated_shape(end) if self.pre_activation else conv.shape(end, wanted)
        return shape_with_shortcut(shape, end, "none" if self.pre_activation else self.norm, self._projection())

    def _preactivated(self, flow: Flow) -> Flow:
        import keras

        end = first = flow
        convs = self._convolutions()
        for conv in convs:
            end = conv.normalised(end)
            if conv is convs[0]:
                first = end
            if conv is convs[-1] and self.dropout:
                x = keras.layers.Dropout(self.dropout, name=self.label("dropout"))(end.x)
                end = Flow(x, end.kind, end.valid)
            end = conv.convolved(end)
        # What is added stays as it came in; what has to be convolved anyway is activated first (section 4.1).
        start = flow if flow.x.shape == end.x.shape else first
        return add_shortcut(start, end, "none", "linear", self.name, self._projection())

    def _shared(self) -> dict[str, Any]:
        return {"norm_groups": self.norm_groups, "norm_momentum": self.norm_momentum, **self.weights()}

    def _projection(self) -> dict[str, Any]:
        # Before the next unit's normalisation a bias is dead weight here too.
        bias = self.norm != "batch" if self.pre_activation else None
        return {**self._shared(), "stride": self.stride, "use_bias": bias}

    def _convolutions(self) -> list[Conv]:
        common = {**self._shared(), "norm": self.norm, "activation": self.activation, "filters": self.filters}
        fields = [{**common, **own} for own in self._sizes()]
        if not self.pre_activation:
            fields[-1]["activation"] = "linear"
            fields[-2]["dropout"] = self.dropout
        return [self.named(Conv.model_validate(own), f"conv{n}") for n, own in enumerate(fields, start=1)]

    def _sizes(self) -> list[dict[str, Any]]:
        """Returns what tells the convolutions apart."""
        moving = {"kernel_size": self.kernel_size, "stride": self.stride}
        if self.kind == "basic":
            return [moving, {"kernel_size": self.kernel_size}]
        return [{"kernel_size": 1}, moving, {"kernel_size": 1, "filters": self.filters * self.expansion}]
