"""From a resolved document to a compiled Keras model: stem, blocks with joints between them, head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from automl import inputs, tasks
from automl.blocks import Block
from automl.blocks._chain import Chain, message
from automl.blocks._names import set_apart
from automl.blocks.inputs import Inputs
from automl.errors import ConfigError, Infeasible, Problem
from automl.experiment import experiment as experiments
from automl.flow import Flow, Kind, Shape
from automl.records.data import EXAMPLES, TARGETS, DataSpec, InputSpec, TaskSpec
from automl.tasks import Task
from automl.training import augmentation, optimizers
from automl.training.losses import Loss
from automl.training.optimizers import Optimizer


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

    @property
    def global_clipnorm(self) -> float | None:
        """Largest L2 norm of all gradients together."""

    @property
    def loss(self) -> Loss | None:
        """What training makes small; None for the task's own."""

    @property
    def jit(self) -> bool | None:
        """Compile steps with XLA; None for Keras's own choice."""

    @property
    def steps_per_execution(self) -> int:
        """Steps between two returns to Python."""


def build(document: Mapping[str, Any], data: DataSpec) -> Any:
    """Builds the model a resolved document declares, not compiled.

    Args:
        document: Literals only; its `model` list and its `training.augmentation` are read.
        data: Inputs and task as they were declared, and what they learned from the training part.

    Input:
        A batch of raw examples, `(batch, *shape) float32`.

    Output:
        What the task's head gives.

    Raises:
        Infeasible: A block does not fit what comes before it; the message names the block.
        ConfigError: The list is not one of blocks.
    """
    import keras

    task = tasks.of(data.task)
    chain = _read(document["model"])
    changes = augmentation.of(document)
    with precision(document):
        stems = {spec.name: inputs.of(spec).stem(spec, changes) for spec in data.inputs}
        starts = {name: start for name, (_, start) in stems.items()}
        end = _connected(chain, starts, task.takes)
        output = task.head(end, data.task)
        set_apart([*starts.values()], end, output, {block.name for block in chain.blocks if block.name})
        begins = {name: begin for name, (begin, _) in stems.items()}
        try:
            return keras.Model(begins if len(begins) > 1 else begins[data.inputs[0].name], output, name="model")
        except ValueError as error:
            raise Infeasible(f"model: {message(error)}") from error


def _connected(chain: Chain, starts: Mapping[str, Flow], ends: Kind) -> Flow:
    """Returns what comes of the flows of the inputs behind all blocks."""
    first, *rest = chain.blocks or (None,)
    if len(starts) == 1 and not isinstance(first, Inputs):
        ((name, start),) = starts.items()
        return chain.connect(start, (ends,), before=f"the {name}", after="head")
    if not isinstance(first, Inputs):
        given = ", ".join(f"{name}: [...]" for name in starts)
        expected = f"a list of blocks for each: {{{given}, trunk: [...]}}"
        raise Infeasible(f"model: the data has several inputs. Expected {expected}")
    try:
        joined = first.connect(starts)
    except Infeasible as error:
        raise Infeasible(f"{chain.places[0]}: {error}") from error
    trunk = Chain(chain.places[1:], tuple(rest))
    return trunk.connect(joined, (ends,), before="the join", after="head")


@contextmanager
def precision(document: Mapping[str, Any]) -> Iterator[None]:
    """Makes the layers of a document compute as its training section declares; what the process had comes back."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(experiments.training(document).precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def data_of(shape: Sequence[int], classes: int) -> DataSpec:
    """Returns a description of data that has examples of a shape, for models that are built where no data is."""
    zeros, ones = [0.0] * shape[-1], [1.0] * shape[-1]
    stem = {"scale": "none", "mean": zeros, "offset": zeros, "width": ones, "padded": False, "low": 0.0, "high": 1.0}
    kind = "image" if len(shape) == 3 else "series"
    learned = {"classes": [str(number) for number in range(classes)]}
    task = TaskSpec({"classification": {}}, (TARGETS,), learned)
    return DataSpec("", "input", "", (InputSpec(kind, {kind: {}}, (EXAMPLES,), tuple(shape), stem),), task, {})


def entrance(data: DataSpec) -> Shape:
    """Returns the shape of what comes out of the stem of the first input; imports no Keras."""
    spec = data.inputs[0]
    return inputs.of(spec).flow(spec)


def compile_model(model: Any, training: Training, task: Task, data: DataSpec) -> None:
    """Gives a model its optimizer, loss and metrics.

    Raises:
        Infeasible: The loss does not fit the task, the Keras installed has no such optimizer, or the backend takes one
            step at a time.
    """
    import keras

    if training.steps_per_execution > 1 and keras.config.backend() == "torch":
        raise Infeasible("training.steps_per_execution: the torch backend takes one step at a time. Expected 1")
    let_jit(model)
    measure_plainly(model)
    optimizer = optimizers.build(training.optimizer, training.clipnorm, training.clipvalue, training.global_clipnorm)
    # Plain metrics, not weighted ones: class weights shape the training, and must not change what is measured.
    model.compile(
        optimizer=optimizer,
        loss=task.loss(training.loss, data.task),
        metrics=task.keras_metrics(data.task),
        jit_compile="auto" if training.jit is None else training.jit,
        steps_per_execution=training.steps_per_execution,
    )


def let_jit(model: Any) -> None:
    """Lets JAX compile a model that turns, moves or zooms images; call it before `compile`.

    Keras keeps any model with such a layer from XLA, on every backend, because TensorFlow's kernel for it has no XLA
    form. JAX's has one, and JAX without its compiler is many times slower.
    """
    import keras

    if keras.config.backend() == "jax":
        for layer in model._flatten_layers():  # noqa: SLF001 - what Keras itself asks; `layers` leaves inner ones out
            layer.supports_jit = True


def measure_plainly(model: Any) -> None:
    """Keeps a model's penalties out of the loss of what it is measured on; call it before `compile`.

    They are a matter of its weights, not of the examples: a model with a large one would look worse than it is beside a
    model with a small one. Keras adds them to every loss.
    """
    trained = type(model).compute_loss

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        if training:
            return trained(model, x, y, y_pred, sample_weight, training=training)
        return model._compile_loss(y, y_pred, sample_weight)  # noqa: SLF001 - the declared loss alone

    model.compute_loss = compute_loss


def blocks_of(model: Sequence[Any]) -> list[Block]:
    """Returns the single blocks of a resolved `model:` list, repeats written out, each with its own name.

    Raises:
        ConfigError: An entry is no block.
    """
    return list(_read(model).blocks)


def _read(model: Sequence[Any]) -> Chain:
    try:
        return Chain.read(list(model), "model")
    except ValueError as error:
        place, _, what = str(error).partition(": ")
        raise ConfigError(Problem(place, what)) from error
