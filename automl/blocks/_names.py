"""Names of the layers that stand in a model beside those of its blocks: none can be one that a block has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from automl.flow import Flow

MARK = "--"
"""No block's layer has two dashes in its name: blocks are named without one, and their parts are put behind one."""


def added(kind: str) -> str:
    """Returns a new name for a layer that helps a block, or joins two of them."""
    import keras

    return f"{kind}{MARK}{keras.backend.get_uid(kind + MARK)}"


def set_apart(starts: Sequence[Flow], end: Flow, output: Any, names: Collection[str]) -> None:
    """Gives other names to what is no block's layer and has the name of one: of the stem, the head, or Keras's own.

    Args:
        starts: What the blocks read.
        end: What they give.
        output: What the head makes of it.
        names: The blocks' names.
    """
    import keras

    read = [each for start in starts for each in (start.x, start.valid, start.pixels and start.pixels.x)]
    outside = set(map(id, _operations(*read)))
    own = {id(each) for each in _operations(end.x, end.valid) if isinstance(each, keras.Layer)} - outside
    for operation in _operations(output):
        if operation.name in names and id(operation) not in own:
            operation.name = added(operation.name)


def _operations(*outputs: Any) -> list[Any]:
    """Returns every operation behind symbolic tensors, once."""
    found: dict[int, Any] = {}
    open_ = [each for each in outputs if each is not None]
    while open_:
        operation, index, _ = open_.pop()._keras_history  # noqa: SLF001 - Keras has no other way to walk a graph
        if id(operation) not in found:
            found[id(operation)] = operation
            open_ += operation._inbound_nodes[index].input_tensors  # noqa: SLF001
    return list(found.values())
