"""Branches side by side, merged into one flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from automl.blocks import KINDS, Block
from automl.blocks._chain import JOINTS, Chain
from automl.blocks._valid import zeroed
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Shape


class Parallel(Block):
    """Several lists of blocks that read the same input; what they give is joined by channels, or added.

    An empty branch hands the input on.

    Input:
        What every branch can read.

    Output:
        One kind; the channels of all branches behind each other (`concat`), or as many as each has (`add`).

    Source: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, figure 2.
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    branches: tuple[Chain, ...] = Field(
        min_length=2, description="The lists of blocks.", examples=[[[{"conv": {"filters": 4}}], ["conv", "conv"]]]
    )
    merge: Literal["concat", "add"] = Field("concat", description="Join the channels, or add the branches up.")

    def accepts(self) -> tuple[Kind, ...]:
        """Returns the kinds that every branch can read, through a joint or without."""
        found = [k for k in KINDS if all(_leads(k, branch.accepts()) for branch in self.branches)]
        return _first(found, [branch.accepts() for branch in self.branches])

    def gives(self) -> tuple[Kind, ...]:
        """Returns the kinds that every branch can give, through a joint or without."""
        found = [k for k in KINDS if all(any(_leads(g, (k,)) for g in branch.gives()) for branch in self.branches)]
        return _first(found, [branch.gives() for branch in self.branches])

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:
        """Adds the branches to a flow and merges them."""
        import keras

        ends = []
        for number, branch in enumerate(self.branches, start=1):
            prefix = f"{self.name or 'branch'}-{number}"
            with _told_of(number):
                ends.append(branch.connect(flow, (wanted,), before="the input", after="merge", prefix=prefix))
        self._require_alike([Shape(wanted, tuple(end.x.shape[1:])) for end in ends])
        layer = keras.layers.Add if self.merge == "add" else keras.layers.Concatenate
        valid = next((end.valid for end in ends if end.valid is not None), None)
        x = layer(name=self.label("merge"))([end.x for end in ends])
        return Flow(zeroed(x, valid), wanted, valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:
        """Returns the shape behind the merge."""
        ends = []
        for number, branch in enumerate(self.branches, start=1):
            with _told_of(number):
                ends.append(branch.shape(shape, (wanted,), before="the input", after="merge"))
        self._require_alike(ends)
        channels = ends[0].channels if self.merge == "add" else sum(end.channels for end in ends)
        return Shape(wanted, (*ends[0].spatial, channels))

    def _require_alike(self, ends: list[Shape]) -> None:
        sides = [end.sides if self.merge == "add" else end.spatial for end in ends]
        if any(own != sides[0] for own in sides):
            what = "shapes" if self.merge == "add" else "sizes"
            found = " and ".join(map(str, ends))
            raise Infeasible(f"the branches end in different {what}, {found}. Give them the same strides and padding")


@contextmanager
def _told_of(number: int) -> Iterator[None]:
    """Says in which branch a block does not fit."""
    try:
        yield
    except Infeasible as error:
        raise Infeasible(f"branch {number}: {error}") from error


def _leads(kind: Kind, kinds: tuple[Kind, ...]) -> bool:
    return any(kind == k or (kind, k) in JOINTS for k in kinds)


def _first(kinds: list[Kind], natural: list[tuple[Kind, ...]]) -> tuple[Kind, ...]:
    """Puts those first that every branch has without a joint; all kinds where there is none, to be told when built."""
    return tuple(sorted(kinds, key=lambda kind: sum(kind not in own for own in natural))) or KINDS
