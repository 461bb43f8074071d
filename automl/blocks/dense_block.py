"""The dense block: every layer reads what all before it gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, OnlyWith, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.flow import Flow, Kind, Shape


class DenseBlock(Weighted):
    """Layers of normalisation, activation, convolution, each of whose outputs joins its input; then a transition.

    A bottleneck, a convolution of kernel 1, stands before each layer's own. The transition is one too; it leaves a
    share of the channels and is followed by pooling. Behind the last block, without one, stands a `normalize`.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same rank; `growth_rate` channels more for each layer. A transition keeps `compression` of them and halves
        the steps or pixels.

    Source: Huang et al. 2016, https://arxiv.org/abs/1608.06993, equation 2, section 3 (DenseNet-BC) and table 1.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    layers: int = Field(3, ge=1, le=256, description="Layers, each of which adds its channels.")
    growth_rate: int = Field(12, ge=1, le=1024, description="Channels that each layer adds.")
    bottleneck: Annotated[int, Field(ge=1, le=64)] | None = Field(
        4, description="Channels of a layer's bottleneck for each that it adds; null: no bottleneck."
    )
    kernel_size: Sides = Field(3, description="Length of the kernel in steps or pixels: one for all axes, or per axis.")
    transition: Literal["none", "avg", "max"] = Field(
        "none", description="Pooling that ends the block, behind a convolution of kernel 1; none: no transition."
    )
    compression: Annotated[float, OnlyWith("transition", ("avg", "max"))] = Field(
        0.5, gt=0.0, le=1.0, description="Share of the channels that the transition leaves."
    )
    norm: Norm = Field("batch", description="Normalisation before each activation.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation before each convolution.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of each convolution's outputs dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map."""
        import keras

        for number, convs in enumerate(self._layers(), start=1):
            added = flow
            for conv in convs:
                added = conv.preactivated(added)
            x = keras.layers.Concatenate(name=self.label(f"joint{number}"))([flow.x, added.x])
            flow = Flow(x, "feature_map", flow.valid)
        end = self._transition(flow.x.shape[-1])
        return flow if end is None else end.preactivated(flow)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        for convs in self._layers():
            added = shape
            for conv in convs:
                added = conv.preactivated_shape(added)
            shape = Shape("feature_map", (*shape.spatial, shape.channels + added.channels))
        end = self._transition(shape.channels)
        return shape if end is None else end.preactivated_shape(shape)

    def _layers(self) -> Iterator[list[Conv]]:
        """Yields the convolutions of each layer."""
        for number in range(1, self.layers + 1):
            convs = [self._conv(f"conv{number}", filters=self.growth_rate, kernel_size=self.kernel_size)]
            if self.bottleneck is not None:
                width = self.growth_rate * self.bottleneck
                convs.insert(0, self._conv(f"bottleneck{number}", filters=width, kernel_size=1))
            yield convs

    def _transition(self, channels: int) -> Conv | None:
        if self.transition == "none":
            return None
        left = max(1, int(channels * self.compression))
        return self._conv("transition", filters=left, kernel_size=1, pool=self.transition)

    def _conv(self, part: str, filters: int, **own: Any) -> Conv:
        shared = self.model_dump(include={"norm", "norm_groups", "norm_momentum", "activation", "dropout"})
        conv = Conv(**shared, **self.weights(), **own)
        # Past the check of their size: a block may grow wider than a user may declare a convolution.
        return self.named(conv.model_copy(update={"filters": filters}), part)
