"""A list of blocks for each input of the data, joined into one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from automl.blocks import KINDS, Block
from automl.blocks._chain import Chain
from automl.errors import Infeasible
from automl.flow import Flow, Kind, Shape

END: tuple[Kind, ...] = ("vector",)


class Inputs(Block):
    """What each input of the data goes through, by its name, and how the vectors that come of it are joined.

    `model: {photo: [...], facts: [...], join: concat, trunk: [...]}` is short for this block, and the trunk behind it.
    Of data with a single input, every list reads that one.

    Input:
        A flow for each input.

    Output:
        `(batch, features) float32`: all vectors behind each other (`concat`), their sum (`add`), or their mean by
        weights that depend on them (`attention`), both after they are brought to the size of the first.

    Source: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, equation 6 and the one behind it, over the inputs in
        the place of steps (attention).
    """

    takes: ClassVar[tuple[Kind, ...]] = (*KINDS, "table")
    yields: ClassVar[tuple[Kind, ...]] = END

    branches: dict[str, Chain] = Field(
        description="A list of blocks for each input.",
        examples=[{"photo": ["dense"], "facts": [{"dense": {"units": 8}}]}],
    )
    join: Literal["concat", "add", "attention"] = Field("concat", description="How what comes of them is joined.")

    def __call__(self, flow: Flow, wanted: Kind) -> Flow:  # noqa: ARG002 - yields one kind
        """Adds the lists to one flow, which each of them reads."""
        return self.connect(dict.fromkeys(self.branches, flow))

    def connect(self, flows: Mapping[str, Flow]) -> Flow:
        """Adds each list to the flow of its input, and joins what they give.

        Raises:
            Infeasible: An input has no list, a list no input, or a block does not fit.
        """
        if flows.keys() != self.branches.keys():
            raise Infeasible(
                f"the data has the inputs {', '.join(flows)}, and the model lists of blocks for "
                f"{', '.join(self.branches)}. Expected a list for each input"
            )
        ends = [
            branch.connect(flows[name], END, before=f"the {name}", after="join", prefix=name)
            for name, branch in self.branches.items()
        ]
        return Flow(self._joined([end.x for end in ends]), "vector")

    def shape(self, shape: Shape, wanted: Kind) -> Shape:  # noqa: ARG002 - yields one kind
        """Returns the shape behind the join, where every list reads the same."""
        ends = [chain.shape(shape, END, before=f"the {name}", after="join") for name, chain in self.branches.items()]
        sides = [end.channels for end in ends]
        return Shape("vector", (sum(sides) if self.join == "concat" else sides[0],))

    def _joined(self, vectors: list[Any]) -> Any:
        import keras
        from keras import ops

        if len(vectors) == 1:
            return vectors[0]
        if self.join == "concat":
            return keras.layers.Concatenate(name=self.label("join"))(vectors)
        size = vectors[0].shape[-1]
        alike = [
            each if each.shape[-1] == size else keras.layers.Dense(size, name=self.label(f"project_{place}"))(each)
            for place, each in enumerate(vectors, start=1)
        ]
        if self.join == "add":
            return keras.layers.Add(name=self.label("join"))(alike)
        stacked = ops.stack(alike, axis=1)
        energy = keras.layers.Dense(size, "tanh", name=self.label("energy"))(stacked)
        weights = keras.layers.Dense(1, use_bias=False, name=self.label("score"))(energy)
        return ops.sum(ops.multiply(ops.softmax(weights, axis=1), stacked), axis=1)
