"""The shortcut round a residual block's layers, as far as it needs weights, and the sum at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.blocks import Activation
from automl.blocks._valid import zeroed
from automl.blocks.conv import Conv, Norm
from automl.blocks.dense import Dense
from automl.errors import Infeasible
from automl.flow import Flow


def add_shortcut(
    start: Flow,
    end: Flow,
    norm: Norm,
    activation: Activation,
    name: str | None,
    projection: Mapping[str, Any] | None = None,
) -> Flow:
    """Adds a flow to what became of it.

    Args:
        start: The flow before the layers.
        end: The flow behind them, of the same kind.
        norm: Normalisation of a projection.
        activation: What follows the sum.
        name: Prefix of the layers' names.
        projection: Further fields of the convolution that a projection is.

    Raises:
        Infeasible: No stride turns the one shape into the other.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385, equations 1 and 2 (projection where shapes differ: B).
    """
    import keras

    shortcut = _projected(start, end, norm, name and f"{name}-shortcut", projection or {})
    if shortcut.shape[1:] != end.x.shape[1:]:
        raise Infeasible(
            f"a shortcut of shape {_shape(start.x)} cannot be added to {_shape(end.x)}. "
            "Use padding: same, and strides that divide the size"
        )
    x = keras.layers.Add(name=name and f"{name}-sum")([shortcut, end.x])
    if activation != "linear":
        x = keras.layers.Activation(activation, name=name and f"{name}-activation")(x)
    return Flow(zeroed(x, end.valid), end.kind, end.valid)


def _projected(start: Flow, end: Flow, norm: Norm, name: str | None, fields: Mapping[str, Any]) -> Any:
    """Returns the start in the shape of the end: as it is where it fits, else by a convolution of kernel 1."""
    if start.x.shape[1:] == end.x.shape[1:]:
        return start.x
    channels = end.x.shape[-1]
    if end.kind == "vector":
        # A vector's features stand in no order that groups could follow.
        dense = Dense(units=channels, activation="linear", norm="none" if norm == "group" else norm)
        return dense.model_copy(update={"name": name})(start, "vector").x
    pairs = zip(start.x.shape[1:-1], end.x.shape[1:-1], strict=True)
    fitting = {"stride": [-(-before // after) for before, after in pairs], **fields}
    conv = Conv(filters=channels, kernel_size=1, activation="linear", norm=norm, **fitting)
    return conv.model_copy(update={"name": name})(Flow(start.x, "feature_map", start.valid), "feature_map").x


def _shape(x: Any) -> str:
    return "x".join(map(str, x.shape[1:]))
