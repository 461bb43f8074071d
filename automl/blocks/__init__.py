"""Blocks: the bricks a model is declared with. One file per block; the file name is the YAML key."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from automl.flow import Flow, Kind, Shape, Unknown
from automl.registry import Member, Registry

KINDS: tuple[Kind, ...] = ("feature_map", "sequence", "vector")

Activation = Literal[
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "softplus",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
]
"""Element-wise activations by Keras's names; silu and swish are the same."""

Side = Annotated[int, Field(ge=1, le=1024)]
Sides = Side | Annotated[list[Side], Field(min_length=1, max_length=2)]
"""One length for all axes, or one per axis."""


AnyBlock = TypeVar("AnyBlock", bound="Block")


@dataclass(frozen=True)
class OnlyWith:
    """Marks a field that only matters beside some values of another field of the same block.

    `pool_size: Annotated[Sides, OnlyWith("pool", ("max", "avg"))]`; pydantic ignores it and keeps it in the field's
    `metadata`.

    Args:
        field: Name of the other field.
        values: Its values that this field matters with.
    """

    field: str
    values: tuple[str, ...]


class Block(Member):
    """A declared piece of a model.

    Fields are what a user writes in YAML. `takes` says what kind it must be given (the joints of `model.build`),
    `yields` what kinds it can give, the first one unless the next block wants another of them.
    """

    takes: ClassVar[tuple[Kind, ...]]
    yields: ClassVar[tuple[Kind, ...]]

    name: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="Own name, used in parameter names.")
    repeat: int = Field(1, ge=0, le=1000, description="How many times the block stands in a row.")
    tap: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="Name under which a `merge` further on reads what the block gives.",
    )

    @abstractmethod
    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the block once (repetition is the model's work).

        Args:
            flow: What comes in; its kind is one of `accepts()`.
            wanted: The kind the next block takes; a block that yields several gives this one.

        Raises:
            Infeasible: The block does not fit its input.
        """

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape of what `__call__` would give; imports no Keras.

        Args:
            shape: What comes in; its kind is one of `accepts()`.
            wanted: The kind the next block takes.

        Raises:
            Infeasible: The block does not fit its input, in the same words as when it is built.
            Unknown: It cannot be told: a block that leaves this method out.
        """
        del shape, wanted
        raise Unknown(type(self).__name__)

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds this very block takes; fewer than `takes` where that depends on its fields."""
        return self.takes

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kinds this very block can give; fewer than `yields` where that depends on what it holds."""
        return self.yields

    def hands_on(self) -> bool:
        """Tells whether the block reads every kind and gives the one it got."""
        return False

    def label(self, part: str | None = None) -> str | None:
        """Returns the name of a Keras layer of this block; None (Keras chooses) for a block without a name.

        The dash cannot stand in a block's name, so a part's name never meets another block's.

        Args:
            part: Which layer of the block; None for the one that gives the block its name.
        """
        return f"{self.name}-{part}" if self.name and part else self.name

    def named(self, block: AnyBlock, part: str | None = None) -> AnyBlock:
        """Returns a block that this one is made of, under its own name or that of one of its parts."""
        # Past the check of names: the dash is not for users to write.
        return block.model_copy(update={"name": self.label(part)})


registry: Registry[Block] = Registry("automl.blocks", Block, "block")
