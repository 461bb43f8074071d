"""What was tapped before, merged into the flow: skip connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

from pydantic import Field

from automl.blocks import KINDS, Block
from automl.blocks._valid import zeroed
from automl.errors import Infeasible, did_you_mean
from automl.flow import Flow, Kind, Shape

Tapped = TypeVar("Tapped", Flow, Shape)


class Merge(Block):
    """Joins what earlier blocks gave, by the names of their `tap`, with what comes in: the skips of a U-Net.

    Input:
        Any flow; the taps are of its kind, and of its sides but for the channels (`concat`), or of all of them.

    Output:
        The channels of all behind each other (`concat`), or as many as each has.

    Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, figure 1 (concat); He et al. 2015,
        https://arxiv.org/abs/1512.03385, equation 1 (add).
    """

    takes: ClassVar[tuple[Kind, ...]] = KINDS
    yields: ClassVar[tuple[Kind, ...]] = KINDS

    taps: tuple[str, ...] = Field(min_length=1, description="Names of the taps.", examples=[["down"]])
    mode: Literal["concat", "add", "multiply", "average"] = Field("concat", description="How they are joined.")

    def hands_on(self) -> bool:
        """It gives the kind it gets."""
        return True

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - hands on the kind it gets
        """Adds the block to a flow that knows the taps."""
        import keras

        others = [self._tapped(name, flow.taps) for name in self.taps]
        self._require_alike(_shape(flow), {name: _shape(other) for name, other in zip(self.taps, others, strict=True)})
        layer = {"concat": "Concatenate", "add": "Add", "multiply": "Multiply", "average": "Average"}[self.mode]
        x = getattr(keras.layers, layer)(name=self.label())([flow.x, *(other.x for other in others)])
        valid = next((each.valid for each in (flow, *others) if each.valid is not None), None)
        return Flow(zeroed(x, valid), flow.kind, valid)

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - hands on the kind it gets
        """Returns the shape behind the merge."""
        others = {name: self._tapped(name, shape.taps) for name in self.taps}
        self._require_alike(shape, others)
        channels = sum(each.channels for each in (shape, *others.values()))
        return Shape(shape.kind, (*shape.spatial, channels)) if self.mode == "concat" else shape

    def _tapped(self, name: str, taps: Mapping[str, Tapped]) -> Tapped:
        if name not in taps:
            known = f"Expected one of {', '.join(taps)}" if taps else "No block before it has a `tap`"
            hint = did_you_mean(name, taps)
            raise Infeasible(f"nothing before it is tapped as {name!r}. {known}" + (f". {hint}" if hint else ""))
        return taps[name]

    def _require_alike(self, own: Shape, others: dict[str, Shape]) -> None:
        for name, other in others.items():
            alike = own.spatial == other.spatial if self.mode == "concat" else own.sides == other.sides
            if own.kind != other.kind or not alike:
                tapped, given = (f"{each.kind.replace('_', ' ')} of {each}" for each in (other, own))
                raise Infeasible(f"{name} is a {tapped}, what comes in a {given}: they cannot be joined")


def _shape(flow: Flow) -> Shape:
    return Shape(flow.kind, tuple(flow.x.shape[1:]))
