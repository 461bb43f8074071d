"""Convolutional LSTM: a recurrent layer whose state has a place for each pixel or step."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from automl.blocks import Activation, Side
from automl.blocks._valid import every_nth, last_step, zeroed
from automl.blocks._weights import Weighted
from automl.blocks.pool import require_fit
from automl.flow import Flow, Kind, Shape


class ConvLstm(Weighted):
    """An LSTM whose inputs and state meet kernels instead of matrices.

    An image is read row by row, the pixels of a row side by side. A series is folded into windows, read one after the
    other, the steps of a window side by side; the last one is filled up with zeros. `kernel_initializer`, `l1`, `l2`
    and `kernel_constraint` are about the kernel that the inputs meet.

    Input:
        `(batch, steps, channels) float32` or `(batch, height, width, channels) float32`.

    Output:
        The same shape but for its channels, which are `filters`; without `return_sequences` the state behind the last
        row, `(batch, width, filters) float32`, or behind the last valid window, `(batch, window, filters) float32`.

    Source: Shi et al. 2015, https://arxiv.org/abs/1506.04214, equation 3, without the peepholes, as in Keras.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("feature_map",)
    yields: ClassVar[tuple[Kind, ...]] = ("feature_map",)

    filters: int = Field(32, ge=1, le=8192, description="Output channels.")
    kernel_size: Side = Field(3, description="Length of both kernels in pixels of a row or steps of a window.")
    window: Side = Field(4, description="Steps of a series that are read at a time; an image is read by rows.")
    return_sequences: bool = Field(True, description="Give the state behind every row or window, or the last alone.")
    activation: Activation = Field("tanh", description="Activation of the state.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the inputs dropped in training.")
    recurrent_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the state dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the layer to a feature map."""
        import keras

        layers, sides = keras.layers, flow.x.shape[1:]
        self._require_fit(sides[:-1])
        x, valid = (flow.x, None) if len(sides) == 3 else self._folded(flow)
        # The states behind all windows, where the last valid one has still to be found.
        x = self._layer(self.return_sequences or valid is not None)(x)
        if not self.return_sequences:
            return Flow(x if valid is None else last_step(x, valid), "feature_map")
        if len(sides) == 3:
            return Flow(x, "feature_map")
        x = layers.Reshape((x.shape[1] * self.window, self.filters), name=self.label("steps"))(x)
        spare = x.shape[1] - sides[0]
        x = layers.Cropping1D((0, spare), name=self.label("crop"))(x) if spare else x
        return Flow(zeroed(x, flow.valid), "feature_map", flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        self._require_fit(shape.spatial)
        last = shape.spatial[1:] or (self.window,)
        return Shape("feature_map", (*(shape.spatial if self.return_sequences else last), self.filters))

    def _require_fit(self, spatial: tuple[int, ...]) -> None:
        if len(spatial) == 1:
            require_fit("window", (self.window,), spatial)

    def _folded(self, flow: Flow) -> tuple[Any, Any]:
        """Returns the steps in windows, `(batch, windows, window, channels)`, and which windows hold data."""
        import keras

        steps, channels = flow.x.shape[1:]
        count = -(-steps // self.window)
        x, spare = zeroed(flow.x, flow.valid), count * self.window - steps
        x = keras.layers.ZeroPadding1D((0, spare), name=self.label("fill"))(x) if spare else x
        x = keras.layers.Reshape((count, self.window, channels), name=self.label("windows"))(x)
        return x, every_nth(flow.valid, self.window, count)

    def _layer(self, whole: bool) -> Any:
        import keras

        return keras.layers.ConvLSTM1D(
            self.filters,
            self.kernel_size,
            padding="same",
            activation=self.activation,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            return_sequences=whole,
            name=self.label(),
            **self.kernel_arguments(2),
        )
