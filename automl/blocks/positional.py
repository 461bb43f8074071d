"""Positional encoding: where in its series a step stands."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Block
from automl.blocks._valid import zeroed
from automl.flow import Flow, Kind, Shape


class Positional(Block):
    """Adds to every step a vector that tells its place: sines and cosines of rising wavelengths, or a learned one.

    Input:
        `(batch, steps, channels) float32`.

    Output:
        The same shape.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5; learned as in Gehring et al. 2017,
    https://arxiv.org/abs/1705.03122, section 3.1.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("sequence",)
    yields: ClassVar[tuple[Kind, ...]] = ("sequence",)

    kind: Literal["sinusoidal", "learned"] = Field(
        "sinusoidal", description="Sines and cosines, which have no weights, or a learned vector for each step."
    )

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a sequence."""
        import keras

        encoded = self._waves(flow.x) if self.kind == "sinusoidal" else self._learned(flow.x)
        x = keras.layers.Add(name=self.label("sum"))([flow.x, encoded])
        return Flow(zeroed(x, flow.valid), "sequence", flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it got."""
        return shape

    def _waves(self, x: Any) -> Any:
        """Returns the sine of a step's number in the even channels, its cosine in the odd ones.

        Computed, not a constant: a saved model would hold a number for every step and channel as text.
        """
        import numpy as np
        from keras import ops

        channel = np.arange(x.shape[-1])
        frequency = 10_000.0 ** (-2 * (channel // 2) / x.shape[-1])
        number = ops.cumsum(ops.ones_like(x), axis=1) - 1.0
        return ops.sin(number * frequency.astype("float32") + (channel % 2 * np.pi / 2).astype("float32"))

    def _learned(self, x: Any) -> Any:
        import keras
        from keras import ops

        number = ops.cumsum(ops.ones_like(ops.max(x, axis=-1)), axis=1) - 1.0
        return keras.layers.Embedding(x.shape[1], x.shape[2], name=self.label())(ops.cast(number, "int32"))
