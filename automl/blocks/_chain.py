"""Blocks behind each other: how a list of them is read, and how flows are joined between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from automl import structure
from automl.blocks import KINDS, Block, registry
from automl.blocks._layer import KerasLayer, is_layer_name
from automl.blocks.flatten import Flatten
from automl.blocks.global_pool import GlobalPool
from automl.errors import Infeasible
from automl.flow import Flow, Kind
from automl.registry import UnknownName


@dataclass(frozen=True)
class Chain:
    """Blocks behind each other, repeats written out.

    Args:
        places: Where each stands in its list, for messages.
        blocks: The blocks, each named as in its list.
    """

    places: tuple[str, ...]
    blocks: tuple[Block, ...]

    @classmethod
    def read(cls, items: list[Any], root: str = "") -> Chain:
        """Reads a resolved list; `root` is what it is called in messages.

        Raises:
            ValueError: An entry is no block; the message begins with its place.
        """
        places, found = [], []
        for entry in structure.written_out(items):
            place = f"{root}{entry.place}"
            try:
                block = _block(entry.kind, entry.fields)
            except (ValueError, TypeError, UnknownName) as error:
                raise ValueError(f"{place}: {message(error)}") from error
            places.append(place)
            # The dash in the name of a repeat is not for users to write, so it is put in past the check.
            found.append(block.model_copy(update={"name": entry.name}))
        return cls(tuple(places), tuple(found))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, Chain) else cls.read(value)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, source: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "array", "items": {"title": "block"}}

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds that the first block takes; all of them where every block hands on what it gets."""
        return next((block.accepts() for block in self.blocks if not block.hands_on()), KINDS)

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kinds that the last block can give; all of them where that depends on what comes in."""
        return next((block.gives() for block in reversed(self.blocks) if not block.hands_on()), KINDS)

    def connect(self, flow: Flow, ends: tuple[Kind, ...], before: str, after: str, prefix: str | None = None) -> Flow:
        """Adds the blocks to a flow, with joints between them.

        Args:
            flow: What comes in.
            ends: The kinds that whatever follows takes.
            before: What gave the flow, for messages.
            after: What follows, for messages.
            prefix: Put before the blocks' names.

        Raises:
            Infeasible: A block does not fit what comes before it; the message names its place.
        """
        accepted = [_guarded(place, b.accepts) for place, b in zip(self.places, self.blocks, strict=True)]
        accepted.append(ends)
        for index, (place, block) in enumerate(zip(self.places, self.blocks, strict=True)):
            own = block.model_copy(update={"name": f"{prefix}-{block.name}"}) if prefix else block
            flow = _guarded(place, lambda: joined(flow, accepted[index], before))  # noqa: B023 - called at once
            wanted = self._wanted(index, accepted)
            flow = _guarded(place, lambda: own(flow, wanted))  # noqa: B023 - called at once
            before = place
        return _guarded(after, lambda: joined(flow, ends, before))

    def _wanted(self, index: int, accepted: Sequence[tuple[Kind, ...]]) -> Kind:
        """Returns which of its kinds a block is to give: the one that the next block, or what follows, reads.

        A block that hands on what it gets (Dropout) does not decide; the one behind it does.
        """
        gives = self.blocks[index].gives()
        for later, kinds in enumerate(accepted[index + 1 :], start=index + 1):
            if later < len(self.blocks) and self.blocks[later].hands_on():
                continue
            for kind in kinds:
                if kind in gives:
                    return kind
            # None fits as it is: the first that a joint can convert.
            return next((kind for kind in gives if any((kind, k) in JOINTS for k in kinds)), gives[0])
        return gives[0]


def _block(kind: str, fields: dict[str, Any]) -> Block:
    if is_layer_name(kind):
        return KerasLayer(layer=kind, arguments=fields)
    return registry.get(kind).model_validate(fields)


def joined(flow: Flow, kinds: tuple[Kind, ...], before: str) -> Flow:
    """Returns the flow as one of the kinds.

    Raises:
        Infeasible: No joint leads there.
    """
    if flow.kind in kinds:
        return flow
    for kind in kinds:
        if (flow.kind, kind) in JOINTS:
            return JOINTS[flow.kind, kind](flow)
    wanted = " or ".join(kinds).replace("_", " ")
    raise Infeasible(
        f"takes a {wanted}, but {before} gives a {flow.kind}. "
        f"Put it before what makes the {flow.kind} (dense, flatten, global_pool), or leave that out"
    )


def _rows_to_steps(flow: Flow) -> Flow:
    """Reads the rows of an image as the steps of a sequence; a feature map of steps is one already."""
    import keras

    if len(flow.x.shape) == 3:
        return Flow(flow.x, "sequence", flow.valid)
    _, height, width, channels = flow.x.shape
    return Flow(keras.layers.Reshape((height, width * channels))(flow.x), "sequence")


JOINTS: dict[tuple[Kind, Kind], Callable[[Flow], Flow]] = {
    ("feature_map", "sequence"): _rows_to_steps,
    ("feature_map", "vector"): lambda flow: GlobalPool()(flow, "vector"),
    ("sequence", "feature_map"): lambda flow: Flow(flow.x, "feature_map", flow.valid),
    ("sequence", "vector"): lambda flow: Flatten()(flow, "vector"),
}
"""How a flow of one kind becomes another. What is missing is refused: a vector has no order to read."""


def _guarded(place: str, connect: Callable[[], Any]) -> Any:
    """Connects layers; what Keras or a block refuses becomes `Infeasible` with the block's place."""
    try:
        return connect()
    except (Infeasible, ValueError) as error:
        raise Infeasible(f"{place}: {message(error)}") from error


def message(error: Exception) -> str:
    """Returns an error's message on one line."""
    if isinstance(error, ValidationError):
        parts = ((".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors())
        return "; ".join(": ".join(filter(None, part)) for part in parts)
    # Keras puts a call's arguments behind its message, over several lines.
    return " ".join(re.split(r"\n\s*\n|\nArguments received", str(error))[0].split())
