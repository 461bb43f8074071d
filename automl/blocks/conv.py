"""Convolution, over the steps of a series or the pixels of an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation, Block
from automl.blocks._valid import batch_norm_mask, every_nth, zeroed
from automl.errors import Infeasible
from automl.flow import Flow, Kind

Side = Annotated[int, Field(ge=1, le=1024)]
Sides = Side | Annotated[list[Side], Field(min_length=1, max_length=2)]
"""One length for all axes, or one per axis."""

Norm = Literal["none", "batch", "layer"]


class Conv(Block):
    """Convolution, normalisation, activation, pooling, dropout, in this order.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`; padded steps are read as
        zeros, so what follows the data of an example never changes its features.

    Output:
        The same rank, `filters` channels; steps or pixels fewer by stride, `valid` padding and pooling.

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf, figure 2; normalisation before the
    activation as in Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.2.
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
    pool: Literal["none", "max", "avg"] = Field("none", description="Pooling behind the activation.")
    pool_size: Sides = Field(2, description="Steps or pixels pooled into one, without overlap; read when pool is set.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the outputs dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map."""
        import keras

        flow = self._convolve(flow)
        x = self._normalise(flow)
        if self.activation != "linear":
            x = keras.layers.Activation(self.activation, name=self.label("activation"))(x)
        flow = self._pool(Flow(x, "feature_map", flow.valid))
        if not self.dropout:
            return flow
        return Flow(keras.layers.Dropout(self.dropout, name=self.label("dropout"))(flow.x), flow.kind, flow.valid)

    def _convolve(self, flow: Flow) -> Flow:
        import keras

        spatial = tuple(flow.x.shape[1:-1])
        kernel = per_axis(self.kernel_size, "kernel_size", len(spatial))
        stride = per_axis(self.stride, "stride", len(spatial))
        dilation = per_axis(self.dilation, "dilation", len(spatial))
        if max(stride) > 1 and max(dilation) > 1:
            raise Infeasible(f"stride {self.stride} with dilation {self.dilation}. Expected one of the two to be 1")
        # With `same` padding too: a kernel longer than its input has taps that never meet data.
        reach = tuple(1 + (taps - 1) * gap for taps, gap in zip(kernel, dilation, strict=True))
        name = "kernel_size" if max(dilation) == 1 else "kernel_size with its dilation"
        require_fit(name, reach, spatial)
        layer = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[len(spatial)]
        x = layer(
            self.filters,
            kernel,
            strides=stride,
            padding=self.padding,
            dilation_rate=dilation,
            # Batch normalisation subtracts the mean, so a bias before it would be dead weight.
            use_bias=self.norm != "batch",
            name=self.label(),
        )(zeroed(flow.x, flow.valid))
        return Flow(x, "feature_map", every_nth(flow.valid, stride[0], x.shape[1]))

    def _normalise(self, flow: Flow) -> Any:
        import keras

        if self.norm == "batch":
            x = keras.layers.BatchNormalization(name=self.label("norm"))(flow.x, **batch_norm_mask(flow.x, flow.valid))
            return zeroed(x, flow.valid)
        if self.norm == "layer":
            return keras.layers.LayerNormalization(name=self.label("norm"))(flow.x)
        return flow.x

    def _pool(self, flow: Flow) -> Flow:
        import keras

        if self.pool == "none":
            return flow
        spatial = tuple(flow.x.shape[1:-1])
        size = per_axis(self.pool_size, "pool_size", len(spatial))
        require_fit("pool_size", size, spatial)
        layers = keras.layers
        layer = {
            ("max", 1): layers.MaxPooling1D,
            ("max", 2): layers.MaxPooling2D,
            ("avg", 1): layers.AveragePooling1D,
            ("avg", 2): layers.AveragePooling2D,
        }[self.pool, len(spatial)]
        x = layer(size, name=self.label("pool"))(zeroed(flow.x, flow.valid))
        return Flow(x, "feature_map", every_nth(flow.valid, size[0], x.shape[1]))


def per_axis(value: int | list[int], name: str, axes: int) -> tuple[int, ...]:
    """Returns a length per axis.

    Raises:
        Infeasible: A list that has not one length per axis.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise Infeasible(f"{name} {value} does not fit. Expected one number, or {axes} for this input")
    return tuple(value)


def require_fit(name: str, size: tuple[int, ...], spatial: tuple[int, ...]) -> None:
    """Refuses a window larger than what it slides over.

    Raises:
        Infeasible: It is larger along one axis.
    """
    if any(window > room for window, room in zip(size, spatial, strict=True)):
        window, room = "x".join(map(str, size)), "x".join(map(str, spatial))
        raise Infeasible(
            f"{name} {window} is larger than its input {room}. "
            "Make it smaller, or shrink the input less before this block (stride, pool, padding: same)"
        )
