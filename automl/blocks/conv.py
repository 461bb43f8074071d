"""Convolution, over the steps of a series or the pixels of an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, OnlyWith, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._valid import batch_norm_mask, every_nth, zeroed
from automl.blocks._weights import Weighted
from automl.blocks.pool import Pool, per_axis, require_fit
from automl.errors import Infeasible
from automl.flow import Flow, Kind
from automl.shapes import Shape, slid


class Conv(Weighted):
    """Convolution, normalisation, activation, pooling, dropout, in this order.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`; padded steps are read as
        zeros, so what follows the data of an example never changes its features.

    Output:
        The same rank, `filters` channels; steps or pixels fewer by stride, `valid` padding and pooling.

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf, figure 2; normalisation before the
    activation as in Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.2; group normalisation as in Wu &
    He 2018, https://arxiv.org/abs/1803.08494, equation 7.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    filters: int = Field(32, ge=1, le=8192, description="Output channels.")
    kernel_size: Sides = Field(3, description="Length of the kernel in steps or pixels: one for all axes, or per axis.")
    stride: Sides = Field(1, description="Steps or pixels the kernel moves at a time: one for all axes, or per axis.")
    padding: Literal["same", "valid"] = Field("same", description="Zeros round the input (same) or none (valid).")
    dilation: Sides = Field(1, description="Distance of the kernel's taps in steps or pixels; above 1 needs stride 1.")
    activation: Activation = Field("relu", description="Activation behind convolution and normalisation.")
    norm: Norm = Field("none", description="Normalisation before the activation.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    pool: Literal["none", "max", "avg"] = Field("none", description="Pooling behind the activation.")
    pool_size: Annotated[Sides, OnlyWith("pool", ("max", "avg"))] = Field(
        2, description="Steps or pixels pooled into one, without overlap; read when pool is set."
    )
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the outputs dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map."""
        import keras

        flow = self._convolve(flow)
        x = self._normalise(flow)
        if self.activation != "linear":
            x = keras.layers.Activation(self.activation, name=self.label("activation"))(x)
        flow = Flow(x, "feature_map", flow.valid)
        if self.pool != "none":
            flow = self._pool().model_copy(update={"name": self.label("pool")}).pooled(flow, "pool_size")
        if not self.dropout:
            return flow
        return Flow(keras.layers.Dropout(self.dropout, name=self.label("dropout"))(flow.x), flow.kind, flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        _, stride, _, reach = self._taps(shape.spatial)
        if self.norm == "group":
            self._require_equal_groups()
        spatial = slid(shape.spatial, reach, stride, self.padding)
        shape = Shape("feature_map", (*spatial, self.filters))
        return shape if self.pool == "none" else self._pool().pooled_shape(shape, "pool_size")

    def _pool(self) -> Pool:
        return Pool.model_validate({"kind": self.pool, "size": self.pool_size})

    def _taps(self, spatial: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Returns kernel, stride, dilation and reach for each axis."""
        kernel = per_axis(self.kernel_size, "kernel_size", len(spatial))
        stride = per_axis(self.stride, "stride", len(spatial))
        dilation = per_axis(self.dilation, "dilation", len(spatial))
        if max(stride) > 1 and max(dilation) > 1:
            raise Infeasible(f"stride {self.stride} with dilation {self.dilation}. Expected one of the two to be 1")
        # With `same` padding a 3x3 kernel may see a single pixel, as in the last stage of a ResNet on small images; one
        # that reaches further past the edges has more taps that never meet data than it needs.
        reach = tuple(1 + (taps - 1) * gap for taps, gap in zip(kernel, dilation, strict=True))
        name = "kernel_size" if max(dilation) == 1 else "kernel_size with its dilation"
        if self.padding == "valid" or any(taps > 2 * side + 1 for taps, side in zip(reach, spatial, strict=True)):
            require_fit(name, reach, spatial)
        return kernel, stride, dilation, reach

    def _convolve(self, flow: Flow) -> Flow:
        import keras

        kernel, stride, dilation, _ = self._taps(tuple(flow.x.shape[1:-1]))
        layer = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[len(kernel)]
        x = layer(
            self.filters,
            kernel,
            strides=stride,
            padding=self.padding,
            dilation_rate=dilation,
            # Batch normalisation subtracts the mean, so a bias before it would be dead weight.
            use_bias=self.norm != "batch",
            name=self.label(),
            **self.kernel_arguments(),
        )(zeroed(flow.x, flow.valid))
        return Flow(x, "feature_map", every_nth(flow.valid, stride[0], x.shape[1]))

    def _normalise(self, flow: Flow) -> Any:
        import keras

        layers = keras.layers
        if self.norm == "batch":
            norm = layers.BatchNormalization(momentum=self.norm_momentum, name=self.label("norm"))
            return zeroed(norm(flow.x, **batch_norm_mask(flow.x, flow.valid)), flow.valid)
        if self.norm == "layer":
            return layers.LayerNormalization(name=self.label("norm"))(flow.x)
        if self.norm == "group":
            return self._group_normalise(flow)
        return flow.x

    def _require_equal_groups(self) -> None:
        if self.filters % self.norm_groups:
            raise Infeasible(
                f"norm_groups {self.norm_groups} does not divide the filters {self.filters}. "
                "Choose filters that are a multiple of it, or another norm_groups"
            )

    def _group_normalise(self, flow: Flow) -> Any:
        import keras
        from keras import ops

        self._require_equal_groups()
        if flow.valid is None:
            return keras.layers.GroupNormalization(self.norm_groups, name=self.label("norm"))(flow.x)
        # Keras's layer knows no mask, and padding would move mean and variance.
        shape = flow.x.shape[1:]
        x = ops.reshape(flow.x, (-1, shape[0], self.norm_groups, self.filters // self.norm_groups))
        valid = ops.expand_dims(flow.valid, -1)
        count = ops.sum(valid, axis=1, keepdims=True) * x.shape[-1]
        x = x - ops.sum(x * valid, axis=(1, 3), keepdims=True) / count
        variance = ops.sum(ops.square(x) * valid, axis=(1, 3), keepdims=True) / count
        x = ops.reshape(x * ops.rsqrt(variance + 1e-3), (-1, *shape))
        # A scale and an offset for each channel, under the one layer of Keras that has no more than those.
        return keras.layers.DepthwiseConv1D(1, depthwise_initializer="ones", name=self.label("norm"))(x)
