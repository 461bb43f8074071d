"""Normalisation and activation, wherever they stand apart from a convolution."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from automl.blocks import KINDS, Activation, Block
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._valid import batch_norm_mask, zeroed
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Shape


class Normalize(Block):
    """Normalisation, then activation; padded steps move neither mean nor variance.

    It ends a network of pre-activation units, and stands behind blocks that have no normalisation of their own.

    Input:
        Any kind.

    Output:
        The same kind and shape.

    Source: batch, Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1; layer, Ba et al. 2016,
    https://arxiv.org/abs/1607.06450, equation 3; group, Wu & He 2018, https://arxiv.org/abs/1803.08494, equation 7.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    norm: Norm = Field("batch", description="Normalisation: over the batch, the channels, or groups of them.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind the normalisation.")

    @classmethod
    def like(cls, block: Block) -> Normalize:
        """Returns the normalisation and activation that another block declares, under its name."""
        return block.named(cls(**block.model_dump(include={"norm", "norm_groups", "norm_momentum", "activation"})))

    def hands_on(self) -> bool:
        """Tells that it reads every kind and gives the one it got."""
        return True

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - gives the kind it got
        """Adds the block to a flow of any kind."""
        import keras

        self._require_fit(Shape(flow.kind, tuple(flow.x.shape[1:])))
        x = self._normalised(flow)
        if self.activation != "linear":
            x = keras.layers.Activation(self.activation, name=self.label("activation"))(x)
        return Flow(x, flow.kind, flow.valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - gives the kind it got
        """Returns the shape it got."""
        self._require_fit(shape)
        return shape

    def _require_fit(self, shape: Shape) -> None:
        if self.norm != "group":
            return
        if shape.kind == "vector":
            raise Infeasible("norm: group needs channels in some order, and a vector has none. Use batch or layer")
        if shape.channels % self.norm_groups:
            raise Infeasible(
                f"norm_groups {self.norm_groups} does not divide the {shape.channels} channels. "
                "Choose filters that are a multiple of it, or another norm_groups"
            )

    def _normalised(self, flow: Flow) -> Any:
        import keras

        layers = keras.layers
        if self.norm == "batch":
            norm = layers.BatchNormalization(momentum=self.norm_momentum, name=self.label("norm"))
            return zeroed(norm(flow.x, **batch_norm_mask(flow.x, flow.valid)), flow.valid)
        if self.norm == "layer":
            return layers.LayerNormalization(name=self.label("norm"))(flow.x)
        if self.norm == "group":
            return self._group_normalised(flow)
        return flow.x

    def _group_normalised(self, flow: Flow) -> Any:
        import keras
        from keras import ops

        if flow.valid is None:
            return keras.layers.GroupNormalization(self.norm_groups, name=self.label("norm"))(flow.x)
        # Keras's layer knows no mask, and padding would move mean and variance.
        steps, channels = flow.x.shape[1:]
        x = ops.reshape(flow.x, (-1, steps, self.norm_groups, channels // self.norm_groups))
        valid = ops.expand_dims(flow.valid, -1)
        count = ops.sum(valid, axis=1, keepdims=True) * x.shape[-1]
        x = x - ops.sum(x * valid, axis=(1, 3), keepdims=True) / count
        variance = ops.sum(ops.square(x) * valid, axis=(1, 3), keepdims=True) / count
        x = ops.reshape(x * ops.rsqrt(variance + 1e-3), (-1, steps, channels))
        # A scale and an offset for each channel, under the one layer of Keras that has no more than those.
        return keras.layers.DepthwiseConv1D(1, depthwise_initializer="ones", name=self.label("norm"))(x)
