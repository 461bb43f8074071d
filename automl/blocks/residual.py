"""Blocks with a shortcut round them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import KINDS, Activation, Block
from automl.blocks._chain import Chain
from automl.blocks._norm import Norm, NormGroups, NormMomentum
from automl.blocks._shortcut import PARTS, add_shortcut, shape_with_shortcut
from automl.flow import Flow, Kind, Shape


class Residual(Block):
    """What comes in, plus what the blocks make of it.

    Where the blocks change the shape, the shortcut is a convolution of kernel 1 with the stride that fits; with
    `projection: always` it is one everywhere.

    Input:
        What the first block takes.

    Output:
        The same kind, the shape that the last block gives.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385, figure 2; `projection` as in section 4.1, options B and C.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    blocks: Chain = Field(
        description="The list of blocks that the shortcut leads round.", examples=[[{"conv": {"filters": 4}}]]
    )
    projection: Literal["needed", "always"] = Field(
        "needed", description="Convolve the shortcut where its shape does not fit the sum, or always."
    )
    norm: Norm = Field("batch", description="Normalisation of the shortcut, where it is a convolution.")
    norm_groups: NormGroups = 8
    norm_momentum: NormMomentum = 0.99
    activation: Activation = Field("relu", description="Activation behind the sum.")

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds the first block takes."""
        return self.blocks.accepts()

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kinds it takes: it gives the one it got."""
        return self.accepts()

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - gives the kind it got
        """Adds the blocks and their shortcut to a flow."""
        end = self.blocks.connect(flow, (flow.kind,), before="the residual's input", after="sum", prefix=self.name)
        always = self.projection == "always"
        # A block inside may be called as a part of this one.
        is_taken = any(block.name in PARTS for block in self.blocks.blocks)
        name = self.name and f"{self.name}{'-' * is_taken}"
        return add_shortcut(flow, end, self.norm, self.activation, name, self._projection(), always)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - gives the kind it got
        """Returns the shape that the last block gives."""
        end = self.blocks.shape(shape, (shape.kind,), before="the residual's input", after="sum")
        return shape_with_shortcut(shape, end, self.norm, self._projection(), self.projection == "always")

    def _projection(self) -> dict[str, Any]:
        return {"norm_groups": self.norm_groups, "norm_momentum": self.norm_momentum}
