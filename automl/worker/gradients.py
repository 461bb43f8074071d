"""The gradient of a model on a few examples, and what its layers give for them; changes nothing of its training.

Imports Keras: for workers only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from automl.worker.gates import CELLS, Gates

EXAMPLES = 32
"""Examples of a probe at most: as many as a small batch has, so that batch normalisation has what to average."""
GATED = 8
"""Of them, those whose gates are looked at: each has as many as it has steps."""


@dataclass(frozen=True)
class Seen:
    """What a probe found.

    Args:
        loss: The loss on its examples, penalties included.
        norm: L2 norm of the gradient of all weights that learn; may be no finite number.
        first: That of the first kernel, nearest to the input, alone; None for a model with less than two kernels.
        last: That of the last kernel, nearest to the answer.
        dead: Share of the units behind a rectifier that are 0 for every example; None where the model has none.
        saturated: Share of recurrent gates that are all but open or shut; None where the model has none.
    """

    loss: float
    norm: float
    first: float | None
    last: float | None
    dead: float | None
    saturated: float | None


class Probe:
    """Looks at a model, as a step of its training would see it, without taking the step.

    The model is called without state: what dropout draws, what batch normalisation averages and what the optimizer
    keeps stay as they are, and the weights are given, not read. A unit is a channel: dead, if it is 0 at every place.

    Args:
        model: Compiled, and trained for an epoch at least.
        batch: `(x, y)` or `(x, y, weights)`, arrays; the first `EXAMPLES` are used.
    """

    def __init__(self, model: keras.Model, batch: Sequence[Any]) -> None:
        few = keras.tree.map_structure(lambda each: keras.ops.convert_to_tensor(each[:EXAMPLES]), tuple(batch))
        self._x, self._y, self._w = (*few, None)[:3]
        self._model = model
        single = [layer for layer in model.layers if len(layer._inbound_nodes) == 1]  # noqa: SLF001 - no other says it
        rectified = [layer.output for layer in single if _is_rectifier(layer)]
        self._gates = [Gates(layer) for layer in single if isinstance(layer, CELLS)]
        read = [tensor for each in self._gates for tensor in each.reads]
        self._whole = keras.Model(model.input, [model.output, *rectified, *read], name="probe")
        self._rectified = len(rectified)
        self._function = _BACKENDS[keras.config.backend()](self._loss)

    @property
    def variables(self) -> list[Any]:
        """The weights that learn, in the order in which `look` takes them."""
        return list(self._whole.trainable_variables)

    def look(self, values: Sequence[Any]) -> Seen:
        """Returns what is found with these weights.

        Args:
            values: An array for each of `variables`.
        """
        scale = float(keras.ops.convert_to_numpy(self._model.optimizer.scale_loss(keras.ops.ones(()))))
        loss, norms, alive, read = self._called(values, scale)
        if scale != 1 and not np.all(np.isfinite(norms)):
            # What scaling drives beyond float16 is a step left out, and no fault of the gradient.
            loss, norms, alive, read = self._called(values, 1.0)
        kernels = [norm for norm, value in zip(norms, values, strict=True) if np.ndim(value) > 1]
        first, last = (kernels[0], kernels[-1]) if len(kernels) > 1 else (None, None)
        dead = 1 - float(np.mean(np.concatenate(alive))) if alive else None
        tensors = iter(read)
        gates = [each.saturated(*(next(tensors) for _ in each.reads)) for each in self._gates]
        total = sum(count for _, count in gates)
        saturated = sum(many for many, _ in gates) / total if total else None
        return Seen(loss, float(np.sqrt(np.sum(np.square(norms)))), first, last, dead, saturated)

    def _called(self, values: Sequence[Any], scale: float) -> tuple[float, list[float], list[Any], list[Any]]:
        fixed = [variable.value for variable in self._whole.non_trainable_variables]
        norms, given = self._function(list(values), fixed, (self._x, self._y, self._w), scale)
        loss, *told = [np.asarray(keras.ops.convert_to_numpy(each)) for each in given]
        # In float64: the square of a norm near the end of float32's range is no number there.
        numbers = np.asarray(keras.ops.convert_to_numpy(norms), np.float64) / scale
        return float(loss), [float(each) for each in numbers], told[: self._rectified], told[self._rectified :]

    def _loss(self, values: list[Any], fixed: list[Any], batch: Any, scale: Any) -> tuple[Any, list[Any]]:
        """Returns the loss as a step of the training computes it, scaled, and what the layers gave."""
        x, y, weights = batch
        outputs, _, penalties = self._whole.stateless_call(values, fixed, x, training=True, return_losses=True)
        answer, *given = outputs if isinstance(outputs, list | tuple) else [outputs]
        loss = self._model._compile_loss(y, answer, weights)  # noqa: SLF001 - the declared loss, as `measure_plainly`
        loss = loss + sum(keras.ops.cast(each, loss.dtype) for each in penalties)
        alive = [keras.ops.any(each != 0, axis=tuple(range(len(each.shape) - 1))) for each in given[: self._rectified]]
        return loss * scale, [loss, *alive, *(each[:GATED] for each in given[self._rectified :])]


Loss = Callable[[list[Any], list[Any], Any, Any], tuple[Any, list[Any]]]
Function = Callable[[list[Any], list[Any], Any, float], tuple[Any, list[Any]]]
"""Takes weights that learn, those that do not, a batch and a scale; returns the norm of each gradient, and the rest."""


def _tensorflow(loss: Loss) -> Function:
    """Computes step by step: to trace a small network takes longer than its trial would look at it."""
    import tensorflow as tf

    def function(values: list[Any], fixed: list[Any], batch: Any, scale: float) -> tuple[Any, list[Any]]:
        given = [tf.convert_to_tensor(each) for each in values]
        with tf.GradientTape() as tape:
            tape.watch(given)
            total, rest = loss(given, [tf.convert_to_tensor(each) for each in fixed], batch, scale)
        found = tape.gradient(total, given, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return tf.stack([tf.norm(tf.cast(each, tf.float32)) for each in found]), rest

    return function


def _jax(loss: Loss) -> Function:
    import jax
    import jax.numpy as jnp

    def function(values: list[Any], fixed: list[Any], batch: Any, scale: Any) -> tuple[Any, list[Any]]:
        found, rest = jax.grad(loss, has_aux=True)(values, fixed, batch, scale)
        return jnp.stack([jnp.linalg.norm(each.astype(jnp.float32).ravel()) for each in found]), rest

    return jax.jit(function)


def _torch(loss: Loss) -> Function:
    import torch

    def function(values: list[Any], fixed: list[Any], batch: Any, scale: float) -> tuple[Any, list[Any]]:
        # Copies on the device of the model: a gradient added to its own weights would be trained with.
        given = [keras.ops.convert_to_tensor(each).detach().clone().requires_grad_(True) for each in values]
        with torch.enable_grad():
            total, rest = loss(given, [each.detach().clone() for each in fixed], batch, scale)
            found = torch.autograd.grad(total, given, allow_unused=True)
        norms = [torch.zeros((), device=total.device) if each is None else each.float().norm() for each in found]
        return torch.stack(norms), [each.detach() for each in rest]

    return function


_BACKENDS: dict[str, Callable[[Loss], Function]] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


def _is_rectifier(layer: Any) -> bool:
    """Tells whether a layer gives 0 for all that is negative."""
    if isinstance(layer, keras.layers.ReLU):
        return not layer.negative_slope and not layer.threshold
    rectifiers = (keras.activations.relu, keras.activations.relu6)
    return not isinstance(layer, CELLS) and getattr(layer, "activation", None) in rectifiers
