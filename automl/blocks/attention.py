"""Attention: steps weighed by what they hold."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import OnlyWith
from automl.blocks._valid import keras_mask, zeroed
from automl.blocks._weights import Weighted
from automl.flow import Flow, Kind, Shape


class Attention(Weighted):
    """Attention of a sequence's steps to each other (`multi_head`), or of the whole to its steps (`additive`).

    `multi_head` adds to every step a weighted mean of all, and normalises the sum over its channels; what stands
    between two of them in a transformer is left to other blocks (`residual` round two `conv` of kernel 1). It knows no
    order of the steps: `positional` before it tells it. `additive` gives one vector, the mean of the steps by weights
    that a small network reads from each; behind a recurrent layer it stands in for the last state. Padded steps are
    attended by none. Keras takes the norms of `kernel_constraint` over the first axis of all kernels of `multi_head`:
    in the last one, over the heads alone.

    Input:
        `(batch, steps, channels) float32`.

    Output:
        `multi_head`: the same shape; `additive`: `(batch, channels) float32`.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.2, dropout and normalisation as in
    5.4 and 3.1; Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, equations 5 and 6, without the decoder's state.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("sequence",)
    yields: ClassVar[tuple[Kind, ...]] = ("sequence", "vector")

    kind: Literal["multi_head", "additive"] = Field(
        "multi_head", description="Steps attend to each other (multi_head), or all are read into one vector (additive)."
    )
    num_heads: Annotated[int, OnlyWith("kind", ("multi_head",))] = Field(
        4, ge=1, le=256, description="Attentions side by side."
    )
    key_dim: Annotated[Annotated[int, Field(ge=1, le=8192)] | None, OnlyWith("kind", ("multi_head",))] = Field(
        None, description="Channels of each head; null: those that come in, divided among the heads."
    )
    causal: Annotated[bool, OnlyWith("kind", ("multi_head",))] = Field(
        False, description="No step attends to a later one."
    )
    dropout: Annotated[float, OnlyWith("kind", ("multi_head",))] = Field(
        0.0, ge=0.0, lt=1.0, description="Share dropped in training of what is added to the steps."
    )
    units: Annotated[int, OnlyWith("kind", ("additive",))] = Field(
        64, ge=1, le=8192, description="Size of the network that weighs a step."
    )

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kind it gives: a sequence, or one vector."""
        return ("sequence",) if self.kind == "multi_head" else ("vector",)

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - `kind` says what it gives
        """Adds the block to a sequence."""
        return self._attend(flow) if self.kind == "multi_head" else self._read(flow)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - `kind` says what it gives
        """Returns the shape it gives."""
        return shape if self.kind == "multi_head" else Shape("vector", (shape.channels,))

    def _attend(self, flow: Flow) -> Flow:
        import keras
        from keras import ops

        layers = keras.layers
        mask: dict[str, Any] = {}
        if flow.valid is not None:  # (batch, 1, steps): which steps may be attended to, the same for all
            mask = {"attention_mask": ops.cast(ops.transpose(flow.valid, (0, 2, 1)), "bool")}
        attention = layers.MultiHeadAttention(
            self.num_heads,
            self.key_dim or max(1, flow.x.shape[-1] // self.num_heads),
            name=self.label(),
            **self.kernel_arguments(),
        )
        added = attention(flow.x, flow.x, use_causal_mask=self.causal, **mask)
        if self.dropout:
            added = layers.Dropout(self.dropout, name=self.label("dropout"))(added)
        x = layers.Add(name=self.label("sum"))([flow.x, added])
        x = layers.LayerNormalization(name=self.label("norm"))(x)
        return Flow(zeroed(x, flow.valid), "sequence", flow.valid)

    def _read(self, flow: Flow) -> Flow:
        import keras
        from keras import ops

        layers = keras.layers
        hidden = layers.Dense(self.units, activation="tanh", name=self.label("align"), **self.kernel_arguments())
        score = layers.Dense(1, use_bias=False, name=self.label("score"), **self.kernel_arguments())
        mask = {name: ops.expand_dims(each, -1) for name, each in keras_mask(flow.valid).items()}
        weights = layers.Softmax(axis=1, name=self.label())(score(hidden(flow.x)), **mask)
        return Flow(ops.sum(ops.multiply(flow.x, weights), axis=1), "vector")
