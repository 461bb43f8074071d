"""Pooling: one number per channel for each window of steps or pixels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Block, Sides
from automl.blocks._valid import every_nth, zeroed
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Shape, slid


class Pool(Block):
    """Maximum or mean of each window; padded steps in it do not count.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same rank and channels; steps or pixels fewer by `stride` and `valid` padding.

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf, section II.B; windows that overlap
    as in Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, section 3.4.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    kind: Literal["max", "avg"] = Field("max", description="Maximum or mean.")
    size: Sides = Field(2, description="Steps or pixels pooled into one: one for all axes, or per axis.")
    stride: Sides | None = Field(
        None, description="Steps or pixels the window moves at a time; null: its size, so that windows do not overlap."
    )
    padding: Literal["valid", "same"] = Field(
        "valid", description="Drop what no whole window fits on (valid), or pool what there is of it (same)."
    )

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a feature map."""
        return self.pooled(flow)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return self.pooled_shape(shape)

    def pooled_shape(self, shape: Shape, field: str = "size") -> Shape:
        """Returns the shape behind `pooled`."""
        size, stride = self._window(shape.spatial, field)
        return Shape("feature_map", (*slid(shape.spatial, size, stride, self.padding), shape.channels))

    def pooled(self, flow: Flow, field: str = "size") -> Flow:
        """Adds the pooling to a feature map.

        Args:
            flow: The feature map.
            field: What the user knows the size as, for messages.

        Raises:
            Infeasible: The window does not fit.
        """
        from keras import ops

        size, stride = self._window(tuple(flow.x.shape[1:-1]), field)
        if flow.valid is None:
            return Flow(self._layer(size, stride, self.label())(flow.x), "feature_map")
        # The first step of a window is the one that says whether the output step is valid, so it holds data then.
        if self.kind == "max":
            x = ops.where(ops.cast(flow.valid, "bool"), flow.x, -1e9)
            x = self._layer(size, stride, self.label())(x)
        else:
            x = self._layer(size, stride, self.label())(zeroed(flow.x, flow.valid))
            share = self._layer(size, stride, self.label("share"))(flow.valid)
            x = ops.divide(x, ops.maximum(share, 0.5 / size[0]))
        valid = every_nth(flow.valid, stride[0], x.shape[1])
        return Flow(zeroed(x, valid), "feature_map", valid)

    def _window(self, spatial: tuple[int, ...], field: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the size and the stride for each axis."""
        size = per_axis(self.size, field, len(spatial))
        stride = size if self.stride is None else per_axis(self.stride, "stride", len(spatial))
        require_fit(field, size, spatial)
        return size, stride

    def _layer(self, size: tuple[int, ...], stride: tuple[int, ...], name: str | None) -> Any:
        import keras

        layers = keras.layers
        layer = {
            ("max", 1): layers.MaxPooling1D,
            ("max", 2): layers.MaxPooling2D,
            ("avg", 1): layers.AveragePooling1D,
            ("avg", 2): layers.AveragePooling2D,
        }[self.kind, len(size)]
        return layer(size, strides=stride, padding=self.padding, name=name)


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
