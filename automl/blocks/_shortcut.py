"""The shortcut round a residual block's layers, as far as it needs weights, and the sum at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.blocks import Activation, Block
from automl.blocks._norm import Norm
from automl.blocks._valid import zeroed
from automl.blocks.conv import Conv
from automl.blocks.dense import Dense
from automl.errors import Infeasible
from automl.flow import Flow, Shape

PARTS = ("shortcut", "sum", "activation")
"""What a block's name is followed by in the names of the layers that make its shortcut."""


def add_shortcut(
    start: Flow,
    end: Flow,
    norm: Norm,
    activation: Activation,
    name: str | None,
    projection: Mapping[str, Any] | None = None,
    always: bool = False,
) -> Flow:
    """Adds a flow to what became of it.

    Args:
        start: The flow before the layers.
        end: The flow behind them, of the same kind.
        norm: Normalisation of a projection.
        activation: What follows the sum.
        name: Prefix of the layers' names.
        projection: Further fields of the convolution that a projection is.
        always: Project also where the shapes fit.

    Raises:
        Infeasible: No stride turns the one shape into the other.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385, equations 1 and 2 (projection where shapes
    differ: B, always: C).
    """
    import keras

    before, after = _shape(start), _shape(end)
    shortcut, block = start, _projection(before, after, norm, projection or {}, always)
    if block is not None:
        block = block.model_copy(update={"name": name and f"{name}-shortcut"})
        shortcut = block(Flow(start.x, block.takes[0], start.valid), block.yields[0])
    _require_sum(before, _shape(shortcut), after)
    x = keras.layers.Add(name=name and f"{name}-sum")([shortcut.x, end.x])
    if activation != "linear":
        x = keras.layers.Activation(activation, name=name and f"{name}-activation")(x)
    return Flow(zeroed(x, end.valid), end.kind, end.valid)


def shape_with_shortcut(
    start: Shape, end: Shape, norm: Norm, projection: Mapping[str, Any] | None = None, always: bool = False
) -> Shape:
    """Returns the shape behind `add_shortcut`; raises as it does."""
    block = _projection(start, end, norm, projection or {}, always)
    shortcut = start if block is None else block.shape(Shape(block.takes[0], start.sides), block.yields[0])
    _require_sum(start, shortcut, end)
    return end


def _projection(start: Shape, end: Shape, norm: Norm, fields: Mapping[str, Any], always: bool) -> Block | None:
    """Returns what turns the start into the shape of the end: nothing where it fits, else a convolution of kernel 1."""
    if start.sides == end.sides and not always:
        return None
    if end.kind == "vector":
        known = {name: value for name, value in fields.items() if name in Dense.model_fields}
        # A vector's features stand in no order that groups could follow.
        return Dense(units=end.channels, activation="linear", norm="none" if norm == "group" else norm, **known)
    pairs = zip(start.spatial, end.spatial, strict=True)
    fitting = {"stride": [-(-before // after) for before, after in pairs], **fields}
    return Conv(filters=end.channels, kernel_size=1, activation="linear", norm=norm, **fitting)


def _require_sum(start: Shape, shortcut: Shape, end: Shape) -> None:
    if shortcut.sides != end.sides:
        raise Infeasible(
            f"a shortcut of shape {start} cannot be added to {end}. Use padding: same, and strides that divide the size"
        )


def _shape(flow: Flow) -> Shape:
    return Shape(flow.kind, tuple(flow.x.shape[1:]))
