"""Embeddings of a table's categories."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automl.blocks import Block
from automl.blocks._table import categories, numbers
from automl.flow import Flow, Kind, Shape


class EntityEmbedding(Block):
    """A learned vector for each category of each column of a table, behind its numbers.

    A column of few categories gets half as many numbers as it has categories, but one at least. A table of numbers
    alone is left as it is.

    Input:
        `(batch, numbers + columns of categories) float32`.

    Output:
        `(batch, numbers + sizes of the vectors) float32`.

    Source: Guo and Berkhahn 2016, https://arxiv.org/abs/1604.06737, figure 1.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("table",)
    yields: ClassVar[tuple[Kind, ...]] = ("vector",)

    size: int = Field(8, ge=1, le=512, description="Numbers of a category's vector, at most.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of these numbers dropped in training.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the block to a table."""
        import keras

        parts = []
        for place, (code, size) in enumerate(categories(flow), start=1):
            parts.append(keras.layers.Embedding(size, self._size(size), name=self.label(str(place)))(code))
        own = numbers(flow)
        if not parts:
            return Flow(own, "vector")
        x = parts[0] if len(parts) == 1 else keras.layers.Concatenate(name=self.label("join"))(parts)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name=self.label("dropout"))(x)
        if own is not None:
            x = keras.layers.Concatenate(name=self.label("numbers"))([own, x])
        return Flow(x, "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape it gives."""
        own = shape.sides[0] - len(shape.categories)
        return Shape("vector", (own + sum(map(self._size, shape.categories)),))

    def _size(self, categories: int) -> int:
        return min(self.size, max(1, categories // 2))
