"""Blocks in a row: a group that repeats as one."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automl.blocks import KINDS, Block
from automl.blocks._chain import Chain
from automl.flow import Flow, Kind, Shape


class Stack(Block):
    """The blocks of a list, one behind the other; with `repeat`, the whole list again and again.

    Input:
        What the first block takes.

    Output:
        What the last block gives.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    blocks: Chain = Field(description="The list of blocks.", examples=[[{"conv": {"filters": 4}}]])

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds the first block takes."""
        return self.blocks.accepts()

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kinds the last block can give."""
        return self.blocks.gives()

    def hands_on(self) -> bool:
        """Tells whether every block does."""
        return all(block.hands_on() for block in self.blocks.blocks)

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the blocks to a flow."""
        return self.blocks.connect(flow, _ends(wanted), before="the stack's input", after="end", prefix=self.name)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape that the last block gives."""
        return self.blocks.shape(shape, _ends(wanted), before="the stack's input", after="end")


def _ends(wanted: Kind) -> tuple[Kind, ...]:
    # Whatever comes out is fine: the list around joins it to what follows. The wanted kind stands first.
    return (wanted, *(kind for kind in KINDS if kind != wanted))
