"""Recurrent layer: simple RNN, LSTM or GRU, in one direction or both."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation
from automl.blocks._valid import keras_mask, zeroed
from automl.blocks._weights import Weighted
from automl.flow import Flow, Kind, Shape


class Recurrent(Weighted):
    """A recurrent layer; padded steps are skipped.

    With the defaults (tanh, no recurrent dropout) LSTM and GRU run on cuDNN where the backend offers it; another
    activation or `recurrent_dropout` above 0 leaves that path. `kernel_initializer`, `l1` and `l2` are about
    the kernel that the inputs meet; the one that the state meets starts orthogonal and has no penalty.

    Input:
        `(batch, steps, channels) float32`.

    Output:
        `(batch, steps, units) float32` when the next block reads steps, else the state after the last valid step,
        `(batch, units) float32`; twice the units when bidirectional.

    Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1; LSTM https://doi.org/10.1162/neco.1997.9.8.1735;
    GRU https://arxiv.org/abs/1406.1078; both directions https://doi.org/10.1109/78.650093.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("sequence",)
    yields: ClassVar[tuple[Kind, ...]] = ("sequence", "vector")

    cell: Literal["simple_rnn", "lstm", "gru"] = Field("lstm", description="Kind of recurrent cell.")
    units: int = Field(64, ge=1, le=8192, description="Size of the state, in each direction.")
    bidirectional: bool = Field(False, description="Read the steps in both directions and join the two.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the inputs dropped in training.")
    recurrent_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share of the state dropped in training; above 0 the cell leaves cuDNN."
    )
    activation: Activation = Field("tanh", description="Activation of the state; other than tanh leaves cuDNN.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the layer to a sequence."""
        import keras

        whole = wanted == "sequence"
        layer = self._layer(whole)
        if self.bidirectional:
            layer = keras.layers.Bidirectional(layer, merge_mode="concat", name=self.label())
        x = layer(flow.x, **keras_mask(flow.valid))
        return Flow(zeroed(x, flow.valid), "sequence", flow.valid) if whole else Flow(x, "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape it gives."""
        features = self.units * (2 if self.bidirectional else 1)
        return Shape("sequence", (*shape.spatial, features)) if wanted == "sequence" else Shape("vector", (features,))

    def _layer(self, whole: bool) -> Any:
        import keras

        layers = keras.layers
        layer = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[self.cell]
        return layer(
            self.units,
            activation=self.activation,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            return_sequences=whole,
            name=self.label("cell") if self.bidirectional else self.label(),
            **self.kernel_arguments(),
        )
