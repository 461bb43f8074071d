"""Blocks behind each other: how a list of them is read, and how flows are joined between them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from automl.blocks import KINDS, AnyBlock, Block, registry
from automl.blocks._layer import KerasLayer, is_layer_name
from automl.blocks._names import added
from automl.blocks._table import one_hot, one_hot_shape
from automl.blocks.flatten import Flatten
from automl.blocks.global_pool import GlobalPool
from automl.document import block_lists
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Shape, Unknown
from automl.registry import UnknownName

Passing = TypeVar("Passing", Flow, Shape)
"""What runs through a chain: the flow itself, or its shape alone."""

MAX_BLOCKS = 10_000
"""Blocks of a model, repeats written out: a thousand repeats of a thousand are soon asked for."""


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
            Infeasible: They are more than a model can have.
        """
        if (count := block_lists.count(items)) > MAX_BLOCKS:
            raise Infeasible(f"the model has {count:,} blocks. Expected at most {MAX_BLOCKS:,}, repeats among them")
        places, found = [], []
        for entry in block_lists.written_out(items):
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

        def added(block: Block, flow: Flow, wanted: Kind) -> Flow:
            own = block.model_copy(update={"name": f"{prefix}-{block.name}"}) if prefix else block
            return own(flow, wanted)

        return self._through(flow, ends, before, after, added, JOINTS)

    def shape(self, shape: Shape, ends: tuple[Kind, ...], before: str, after: str) -> Shape:
        """Returns the shape that `connect` would end in; imports no Keras.

        Args:
            shape: What comes in.
            ends: The kinds that whatever follows takes.
            before: What gave the flow, for messages.
            after: What follows, for messages.

        Raises:
            Infeasible: A block does not fit what comes before it, in the same words as when it is built.
            Unknown: All blocks fit up to one that does not tell its shape, a Keras layer by class name.
        """
        told = len(list(takewhile(_tells, self.blocks)))
        if told == len(self.blocks):
            return self._through(shape, ends, before, after, _shaped, SHAPE_JOINTS)
        known = Chain(self.places[:told], self.blocks[:told])
        # Which of its kinds a block gives depends on what follows, and that is not known here.
        while known.blocks and len(known.gives()) > 1:
            known = Chain(known.places[:-1], known.blocks[:-1])
        if known.blocks:
            known._through(shape, known.gives(), before, after, _shaped, SHAPE_JOINTS)
        raise Unknown(self.places[told])

    def _through(
        self,
        flow: Passing,
        ends: tuple[Kind, ...],
        before: str,
        after: str,
        add: Callable[[Block, Passing, Kind], Passing],
        joints: Mapping[tuple[Kind, Kind], Callable[[Passing], Passing]],
    ) -> Passing:
        """Leads a flow through the blocks and the joints between them."""
        accepted = [_guarded(place, b.accepts) for place, b in zip(self.places, self.blocks, strict=True)]
        accepted.append(ends)
        for index, (place, block) in enumerate(zip(self.places, self.blocks, strict=True)):
            flow = _guarded(place, lambda: joined(flow, accepted[index], before, joints))  # noqa: B023 - called at once
            wanted = self._wanted(index, accepted)
            given = _guarded(place, lambda: add(block, flow, wanted))  # noqa: B023 - called at once
            taps = {**flow.taps, **given.taps}
            flow = replace(given, taps={**taps, block.tap: given} if block.tap else taps)
            before = place
        return _guarded(after, lambda: joined(flow, ends, before, joints))

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
        arguments = {key: value for key, value in fields.items() if key != "tap"}
        return KerasLayer(layer=kind, arguments=arguments, tap=fields.get("tap"))
    return registry.get(kind).model_validate(fields)


def _shaped(block: Block, shape: Shape, wanted: Kind) -> Shape:
    return block.shape(shape, wanted)


def _tells(block: Block) -> bool:
    """Tells whether a block knows its shape without Keras, and all that it holds does."""
    return type(block).shape is not Block.shape and all(_tells(inner) for inner in _held(block))


def _held(block: Block) -> Iterator[Block]:
    for value in vars(block).values():
        for chain in value if isinstance(value, tuple) else (value,):
            if isinstance(chain, Chain):
                yield from chain.blocks


def joined(
    flow: Passing,
    kinds: tuple[Kind, ...],
    before: str,
    joints: Mapping[tuple[Kind, Kind], Callable[[Passing], Passing]],
) -> Passing:
    """Returns the flow as one of the kinds.

    Raises:
        Infeasible: No joint leads there.
    """
    if flow.kind in kinds:
        return flow
    for kind in kinds:
        if (flow.kind, kind) in joints:
            return replace(joints[flow.kind, kind](flow), taps=flow.taps)
    wanted = " or ".join(kinds).replace("_", " ")
    raise Infeasible(
        f"takes a {wanted}, but {before} gives a {flow.kind}. "
        f"Put it before what makes the {flow.kind} (dense, flatten, global_pool), or leave that out"
    )


def _added(block: AnyBlock, kind: str) -> AnyBlock:
    return block.model_copy(update={"name": added(kind)})


def _rows_to_steps(flow: Flow) -> Flow:
    """Reads the rows of an image as the steps of a sequence; a feature map of steps is one already."""
    import keras

    if len(flow.x.shape) == 3:
        return Flow(flow.x, "sequence", flow.valid)
    _, height, width, channels = flow.x.shape
    return Flow(keras.layers.Reshape((height, width * channels), name=added("rows"))(flow.x), "sequence")


JOINTS: dict[tuple[Kind, Kind], Callable[[Flow], Flow]] = {
    ("feature_map", "sequence"): _rows_to_steps,
    ("feature_map", "vector"): lambda flow: _added(GlobalPool(), "pool")(flow, "vector"),
    ("sequence", "feature_map"): lambda flow: Flow(flow.x, "feature_map", flow.valid),
    ("sequence", "vector"): lambda flow: _added(Flatten(), "flatten")(flow, "vector"),
    ("table", "vector"): one_hot,
}
"""How a flow of one kind becomes another. What is missing is refused: a vector has no order to read."""


def _rows_shape(shape: Shape) -> Shape:
    return Shape("sequence", (shape.sides[0], math.prod(shape.sides[1:])))


SHAPE_JOINTS: dict[tuple[Kind, Kind], Callable[[Shape], Shape]] = {
    ("feature_map", "sequence"): _rows_shape,
    ("feature_map", "vector"): lambda shape: GlobalPool().shape(shape, "vector"),
    ("sequence", "feature_map"): lambda shape: Shape("feature_map", shape.sides),
    ("sequence", "vector"): lambda shape: Flatten().shape(shape, "vector"),
    ("table", "vector"): one_hot_shape,
}
"""What each joint makes of a shape."""


def _guarded(place: str, connect: Callable[[], Any]) -> Any:
    """Connects layers; what Keras or a block refuses becomes `Infeasible` with the block's place."""
    try:
        return connect()
    except (Infeasible, ValueError) as error:
        raise Infeasible(f"{place}: {message(error)}") from error


_CODES = re.compile(r"\x1b\[[0-9;]*m")
"""What Keras sets its messages in bold with."""


def message(error: Exception) -> str:
    """Returns an error's message on one line."""
    if isinstance(error, ValidationError):
        parts = ((".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors())
        return "; ".join(": ".join(filter(None, part)) for part in parts)
    # Keras puts a call's arguments behind its message, over several lines; of an error in a call, where it was before.
    paragraphs = re.split(r"\n\s*\n|\nArguments received", _CODES.sub("", str(error)))
    said = [part for part in paragraphs if part.strip() and not part.startswith("Exception encountered when calling")]
    return " ".join((said or paragraphs)[0].split())
