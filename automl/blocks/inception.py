"""The inception module: kernels of several sizes side by side."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from automl.blocks import Activation, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._weights import Weighted
from automl.blocks.conv import Conv
from automl.blocks.normalize import Normalize
from automl.blocks.pool import Pool
from automl.flow import Flow, Kind, Shape


class Inception(Weighted):
    """Convolutions of several kernel sizes that read one bottleneck, beside a pooled branch; joined by channels.

    The bottleneck is a convolution of kernel 1; an input of one channel has none. No convolution has a bias or an
    activation: normalisation and activation stand behind the joint. The residual connection round every three modules:
    `residual: {repeat: 2, projection: always, blocks: [inception: {repeat: 3, kernel_sizes: [10, 20, 40]}]}`.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same shape but for its channels: `filters` for each kernel size, and as many again.

    Source: Fawaz et al. 2019, https://arxiv.org/abs/1909.04939, figure 2; for images after Szegedy et al. 2014,
    https://arxiv.org/abs/1409.4842, figure 2b.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    filters: int = Field(32, ge=1, le=8192, description="Output channels of each branch.")
    kernel_sizes: Annotated[list[Sides], Field(min_length=1, max_length=16)] = Field(
        [1, 3, 5], description="Length of each branch's kernel in steps or pixels: one for all axes, or per axis."
    )
    bottleneck: Annotated[int, Field(ge=1, le=8192)] | None = Field(
        32, description="Channels that the kernels read, made by a convolution of kernel 1; null: those that come in."
    )
    pool_size: Sides = Field(3, description="Steps or pixels of which the pooled branch takes the maximum.")
    norm: Norm = Field("batch", description="Normalisation behind the joint.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind the normalisation.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the module to a feature map."""
        import keras

        reduced = self._reduced(flow.x.shape[-1])
        read = flow if reduced is None else reduced(flow, wanted)
        ends = [branch(read, wanted) for branch in self._branches()]
        pooled = self.named(self._pool(), "pool").pooled(flow, "pool_size")
        ends.append(self._conv(1, "pooled")(pooled, wanted))
        x = keras.layers.Concatenate(name=self.label("joint"))([end.x for end in ends])
        return Normalize.like(self)(Flow(x, "feature_map", flow.valid), wanted)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape behind the joint."""
        reduced = self._reduced(shape.channels)
        read = shape if reduced is None else reduced.shape(shape, wanted)
        ends = [branch.shape(read, wanted) for branch in self._branches()]
        ends.append(self._conv(1, "pooled").shape(self._pool().pooled_shape(shape, "pool_size"), wanted))
        joint = Shape("feature_map", (*shape.spatial, sum(end.channels for end in ends)))
        return Normalize.like(self).shape(joint, wanted)

    def _reduced(self, channels: int) -> Conv | None:
        if self.bottleneck is None or channels == 1:
            return None
        return self._conv(1, "bottleneck").model_copy(update={"filters": self.bottleneck})

    def _branches(self) -> list[Conv]:
        return [self._conv(kernel, f"conv{number}") for number, kernel in enumerate(self.kernel_sizes, start=1)]

    def _conv(self, kernel: Any, part: str) -> Conv:
        plain = Conv(filters=self.filters, kernel_size=kernel, activation="linear", use_bias=False, **self.weights())
        return self.named(plain, part)

    def _pool(self) -> Pool:
        return Pool(kind="max", size=self.pool_size, stride=1, padding="same")
