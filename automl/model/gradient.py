"""The gradient of a number that is computed of a tensor, on whatever backend Keras runs. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[Any, Any], tuple[Any, Any]]
"""Takes a tensor and other tensors, and returns a number made of them, and one more tensor."""


def of(function: Function, at: Any, others: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient of the number that a function makes of a tensor, and the other tensor that it gives.

    Args:
        function: What is computed, of operations of Keras; JAX compiles it.
        at: The tensor that it is computed of, and that the gradient is of.
        others: The other tensors, in lists, that it is computed of: weights.

    Output: the gradient in the shape of `at`, 0 where the number does not depend on it, and the other; both float32.
    """
    import keras

    first, second = (
        keras.ops.cast(each, "float32") for each in _BACKENDS[keras.config.backend()](function, at, others)
    )
    return np.asarray(keras.ops.convert_to_numpy(first)), np.asarray(keras.ops.convert_to_numpy(second))


def _tensorflow(function: Function, at: Any, others: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        total, more = function(at, others)
    return tape.gradient(total, at, unconnected_gradients=tf.UnconnectedGradients.ZERO), more


def _jax(function: Function, at: Any, others: Any) -> tuple[Any, Any]:
    import jax

    found: tuple[Any, Any] = jax.jit(jax.grad(function, has_aux=True))(at, others)
    return found


def _torch(function: Function, at: Any, others: Any) -> tuple[Any, Any]:
    import torch

    with torch.enable_grad():
        given = at.detach().clone().requires_grad_(True)
        total, more = function(given, others)
        # Of a number that depends on nothing PyTorch knows no gradient, not even none.
        asked = total.requires_grad
        (found,) = torch.autograd.grad(total, given, allow_unused=True) if asked else (None,)
    return torch.zeros_like(at) if found is None else found, more.detach()


_BACKENDS: dict[str, Callable[[Function, Any, Any], tuple[Any, Any]]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
