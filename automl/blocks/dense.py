"""Fully connected layer."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from automl.blocks import Activation
from automl.blocks._norm import NormMomentum
from automl.blocks._weights import Weighted
from automl.flow import Flow, Kind, Shape


class Dense(Weighted):
    """Every output from every input; then normalisation, activation, dropout, in this order.

    Input:
        `(batch, features) float32`.

    Output:
        `(batch, units) float32`.

    Source: Rumelhart et al. 1986, https://doi.org/10.1038/323533a0, equations 1 and 2.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("vector",)
    yields: ClassVar[tuple[Kind, ...]] = ("vector",)

    units: int = Field(64, ge=1, le=65536, description="Outputs.")
    activation: Activation = Field("relu", description="Activation behind the normalisation.")
    norm: Literal["none", "batch", "layer"] = Field("none", description="Normalisation before the activation.")
    norm_momentum: NormMomentum = 0.99
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the outputs dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a vector."""
        import keras

        layers = keras.layers
        # Batch normalisation subtracts the mean, so a bias before it would be dead weight.
        bias = self.norm != "batch"
        x = layers.Dense(self.units, use_bias=bias, name=self.label(), **self.kernel_arguments())(flow.x)
        if self.norm == "batch":
            x = layers.BatchNormalization(momentum=self.norm_momentum, name=self.label("norm"))(x)
        elif self.norm == "layer":
            x = layers.LayerNormalization(name=self.label("norm"))(x)
        if self.activation != "linear":
            x = layers.Activation(self.activation, name=self.label("activation"))(x)
        if self.dropout:
            x = layers.Dropout(self.dropout, name=self.label("dropout"))(x)
        return Flow(x, "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        return Shape("vector", (self.units,))
