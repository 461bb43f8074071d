"""Convolution, over the steps of a series or the pixels of an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, OnlyWith, Sides
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._valid import every_nth, zeroed
from automl.blocks._weights import Weighted
from automl.blocks.normalize import Normalize
from automl.blocks.pool import Pool, per_axis, require_fit
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Padding, Shape, slid


class Conv(Weighted):
    """Convolution, normalisation, activation, pooling, dropout, in this order.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`; padded steps are read as
        zeros, so what follows the data of an example never changes its features.

    Output:
        The same rank, `filters` channels; steps or pixels fewer by stride, `valid` padding and pooling.

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf, figure 2; normalisation before the
    activation as in Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.2; causal padding as in van den
    Oord et al. 2016, https://arxiv.org/abs/1609.03499, figure 2.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    filters: int = Field(32, ge=1, le=8192, description="Output channels.")
    kernel_size: Sides = Field(3, description="Length of the kernel in steps or pixels: one for all axes, or per axis.")
    stride: Sides = Field(1, description="Steps or pixels the kernel moves at a time: one for all axes, or per axis.")
    padding: Literal["same", "valid", "causal"] = Field(
        "same",
        description="Zeros round the input (same), none (valid), or all before its first step, so that no output step "
        "reads a later one (causal, series only).",
    )
    dilation: Sides = Field(1, description="Distance of the kernel's taps in steps or pixels; above 1 needs stride 1.")
    use_bias: bool | None = Field(
        None, description="Add a learned number to each output channel; null: unless norm: batch takes it out again."
    )
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
        return self._ended(self.normalised(self.convolved(flow)))

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return self._ended_shape(self.normalised_shape(self.convolved_shape(shape)))

    def preactivated(self, flow: Flow) -> Flow:
        """Adds the block in another order: normalisation, activation, convolution, pooling, dropout.

        Source: He et al. 2016, https://arxiv.org/abs/1603.05027, figure 4e.
        """
        return self._ended(self.convolved(self.normalised(flow)))

    def preactivated_shape(self, shape: Shape) -> Shape:
        """Returns the shape behind `preactivated`."""
        return self._ended_shape(self.convolved_shape(self.normalised_shape(shape)))

    def normalised(self, flow: Flow) -> Flow:
        """Adds the block's normalisation and activation alone."""
        return Normalize.like(self)(flow, flow.kind)

    def normalised_shape(self, shape: Shape) -> Shape:
        """Returns the shape behind `normalised`."""
        return Normalize.like(self).shape(shape, shape.kind)

    def convolved(self, flow: Flow) -> Flow:
        """Adds the block's convolution alone."""
        kernel, stride, dilation, _ = self._taps(tuple(flow.x.shape[1:-1]))
        layer = self._layer(
            kernel,
            strides=stride,
            padding=self.padding,
            dilation_rate=dilation,
            # Batch normalisation subtracts the mean, so a bias before it would be dead weight.
            use_bias=self.norm != "batch" if self.use_bias is None else self.use_bias,
            name=self.label(),
        )
        x = layer(zeroed(flow.x, flow.valid))
        return Flow(x, "feature_map", every_nth(flow.valid, stride[0], x.shape[1]))

    def convolved_shape(self, shape: Shape) -> Shape:
        """Returns the shape behind `convolved`."""
        _, stride, _, reach = self._taps(shape.spatial)
        padding: Padding = "valid" if self.padding == "valid" else "same"
        return Shape("feature_map", (*slid(shape.spatial, reach, stride, padding), self.filters))

    def _layer(self, kernel: tuple[int, ...], **arguments: Any) -> Any:
        import keras

        layer = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[len(kernel)]
        return layer(self.filters, kernel, **arguments, **self.kernel_arguments(len(kernel) + 1))

    def _ended(self, flow: Flow) -> Flow:
        """Adds pooling and dropout."""
        import keras

        if self.pool != "none":
            flow = self.named(self._pool(), "pool").pooled(flow, "pool_size")
        if not self.dropout:
            return flow
        return Flow(keras.layers.Dropout(self.dropout, name=self.label("dropout"))(flow.x), flow.kind, flow.valid)

    def _ended_shape(self, shape: Shape) -> Shape:
        return shape if self.pool == "none" else self._pool().pooled_shape(shape, "pool_size")

    def _pool(self) -> Pool:
        return Pool.model_validate({"kind": self.pool, "size": self.pool_size})

    def _taps(self, spatial: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Returns kernel, stride, dilation and reach for each axis."""
        kernel = per_axis(self.kernel_size, "kernel_size", len(spatial))
        stride = per_axis(self.stride, "stride", len(spatial))
        dilation = per_axis(self.dilation, "dilation", len(spatial))
        if self.padding == "causal" and len(spatial) > 1:
            raise Infeasible("padding: causal is for the steps of a series. Expected same or valid for an image")
        if max(stride) > 1 and max(dilation) > 1:
            raise Infeasible(f"stride {self.stride} with dilation {self.dilation}. Expected one of the two to be 1")
        # With `same` padding a 3x3 kernel may see a single pixel, as in the last stage of a ResNet on small images; one
        # that reaches further past the edges has more taps that never meet data than it needs. A causal one may reach
        # back beyond the first step: the last of a pyramid of dilations often does.
        reach = tuple(1 + (taps - 1) * gap for taps, gap in zip(kernel, dilation, strict=True))
        name = "kernel_size" if max(dilation) == 1 else "kernel_size with its dilation"
        past = any(taps > 2 * side + 1 for taps, side in zip(reach, spatial, strict=True))
        if self.padding == "valid" or (self.padding == "same" and past):
            require_fit(name, reach, spatial)
        return kernel, stride, dilation, reach
