"""The two halves of a table's flow: numbers, and the categories behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from automl.flow import Flow, Shape


def numbers(flow: Flow) -> Any:
    """Returns the columns of numbers, `(batch, columns)`; None where there are none."""
    count = flow.x.shape[-1] - len(flow.categories)
    return flow.x[:, :count] if count else None


def categories(flow: Flow) -> Iterator[tuple[Any, int]]:
    """Yields each column of categories as whole numbers, `(batch,) int32`, and how many values it may have."""
    from keras import ops

    first = flow.x.shape[-1] - len(flow.categories)
    for place, size in enumerate(flow.categories, start=first):
        yield ops.cast(flow.x[:, place], "int32"), size


def one_hot(flow: Flow) -> Flow:
    """Returns a vector in which each category is a column of 0 and 1; the unknown one is none of them."""
    from keras import ops

    # The first column, of the unknown category, is cut off: then a category that was never seen is one of zeros.
    parts = [ops.one_hot(code, size, dtype="float32")[:, 1:] for code, size in categories(flow)]
    own = numbers(flow)
    return Flow(ops.concatenate([*([] if own is None else [own]), *parts], axis=-1), "vector")


def one_hot_shape(shape: Shape) -> Shape:
    """Returns the shape that `one_hot` gives."""
    own = shape.sides[0] - len(shape.categories)
    return Shape("vector", (own + sum(size - 1 for size in shape.categories),))
