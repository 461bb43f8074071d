"""From a resolved document to a compiled Keras model: stem, blocks with joints between them, head."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from pydantic import ValidationError

from automl import blocks, grammar, inputs, optimizers, tasks
from automl.blocks import KINDS, Block
from automl.blocks._layer import KerasLayer, is_layer_name
from automl.blocks.flatten import Flatten
from automl.blocks.global_pool import GlobalPool
from automl.errors import ConfigError, Infeasible, Problem
from automl.flow import Flow, Kind
from automl.optimizers import Optimizer
from automl.records import DataSpec
from automl.registry import UnknownName, declared
from automl.tasks import Task


class Training(Protocol):
    """What compiling reads of a document's training section."""

    @property
    def optimizer(self) -> Optimizer:
        """What updates the weights."""

    @property
    def clipnorm(self) -> float | None:
        """Largest L2 norm of one weight's gradient."""

    @property
    def clipvalue(self) -> float | None:
        """Largest absolute value of a gradient's element."""


def build(document: Mapping[str, Any], data: DataSpec) -> Any:
    """Builds the model a resolved document declares, not compiled.

    Args:
        document: Literals only; its `model` list is read.
        data: Shape, classes and what the input learned from the training part.

    Input:
        A batch of raw examples, `(batch, *data.shape) float32`.

    Output:
        What the task's head gives.

    Raises:
        Infeasible: A block does not fit what comes before it; the message names the block.
        ConfigError: The list is not one of blocks.
    """
    import keras

    task = tasks.registry.get(data.task)()
    placed = _placed(document["model"])
    entrance, flow = inputs.registry.get(data.input)().stem(data.shape, data.stem)
    before = f"the {data.input}"
    accepted = [*(_accepts(place, block) for place, block in placed), (task.takes,)]
    for index, (place, block) in enumerate(placed):
        flow = _guarded(place, partial(_joined, flow, accepted[index], before))
        wanted = _wanted(block, [b for _, b in placed[index + 1 :]], accepted[index + 1 :])
        flow = _guarded(place, partial(block, flow, wanted))
        before = place
    flow = _guarded("head", partial(_joined, flow, (task.takes,), before))
    return _guarded("model", lambda: keras.Model(entrance, task.head(flow, data), name="model"))


def compile_model(model: Any, training: Training, task: Task, data: DataSpec) -> None:
    """Gives a model its optimizer, loss and metrics."""
    optimizer = optimizers.build(training.optimizer, training.clipnorm, training.clipvalue)
    # Plain metrics, not weighted ones: class weights shape the training, and must not change what is measured.
    model.compile(optimizer=optimizer, loss=task.loss(), metrics=task.keras_metrics(data))


def blocks_of(model: Sequence[Any]) -> list[Block]:
    """Returns the single blocks of a resolved `model:` list, repeats written out, each with its own name.

    Raises:
        ConfigError: An entry is no block.
    """
    return [block for _, block in _placed(model)]


def _placed(model: Sequence[Any]) -> list[tuple[str, Block]]:
    """Returns every single block behind its place in the document."""
    placed: list[tuple[str, Block]] = []
    for index, (entry, name) in enumerate(zip(model, grammar.block_names(model), strict=True)):
        place = f"model[{index}]"
        try:
            kind, fields = declared(entry)
            place = f"{place} {kind}"
            repeat = fields.get("repeat", 1)
            for number in range(repeat):
                own = {
                    key: _of_repeat(value, number, repeat)
                    for key, value in fields.items()
                    if key not in ("repeat", "name")
                }
                label = name if repeat == 1 else f"{name}-{number + 1}"
                # The dash in the label is not for users to write, so it is put in past the check.
                placed.append((place, _block(kind, own).model_copy(update={"name": label})))
        except (ValueError, TypeError, UnknownName) as error:
            raise ConfigError(Problem(place, _message(error))) from error
    return placed


def _block(kind: str, fields: dict[str, Any]) -> Block:
    if is_layer_name(kind):
        return KerasLayer(layer=kind, arguments=fields)
    return blocks.registry.get(kind).model_validate(fields)


def _of_repeat(value: Any, number: int, repeat: int) -> Any:
    """Returns a field's value for one repeat: its own of `{each: [...]}`, else the one all share."""
    if not (isinstance(value, dict) and set(value) == {"each"}):
        return value
    if len(value["each"]) != repeat:
        raise ValueError(f"each holds {len(value['each'])} values for {repeat} repeats")
    return value["each"][number]


def _accepts(place: str, block: Block) -> tuple[Kind, ...]:
    return _guarded(place, block.accepts)


def _wanted(block: Block, later: Sequence[Block], accepted: Sequence[tuple[Kind, ...]]) -> Kind:
    """Returns which of its kinds a block is to give: the one that the next block, or the head, reads.

    A Keras layer that reads any rank (Dropout) hands on what it gets, so the one behind it decides.
    """
    for step, kinds in enumerate(accepted):
        if step < len(later) and isinstance(later[step], KerasLayer) and kinds == KINDS:
            continue
        for kind in block.yields:
            if kind in kinds:
                return kind
        # None fits as it is: the first that a joint can convert.
        return next((kind for kind in block.yields if any((kind, k) in JOINTS for k in kinds)), block.yields[0])
    return block.yields[0]


def _joined(flow: Flow, kinds: tuple[Kind, ...], before: str) -> Flow:
    """Returns the flow as one of the kinds."""
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
    except Infeasible as error:
        raise Infeasible(f"{place}: {error}") from error
    except ValueError as error:
        raise Infeasible(f"{place}: {_message(error)}") from error


def _message(error: Exception) -> str:
    """Returns an error's message on one line."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    # Keras puts a call's arguments behind its message, over several lines.
    return " ".join(re.split(r"\n\s*\n|\nArguments received", str(error))[0].split())
