"""Padded steps: what the blocks do with `Flow.valid`.

Keras's own masks are attached for the one layer that reads them and stripped right behind it: a layer that does not
know masks warns when it meets one. Operations (`keras.ops`) carry no mask on, so a product with `valid` strips it.
"""

from __future__ import annotations

from typing import Any

from automl.blocks._names import added
from automl.flow import Flow


def zeroed(x: Any, valid: Any) -> Any:
    """Returns `x` with zeros in its padded steps, and without Keras's mask."""
    from keras import ops

    return x if valid is None else ops.multiply(x, valid)


def keras_mask(valid: Any) -> dict[str, Any]:
    """Returns the `mask=` argument for a layer that skips padded steps; empty when nothing is padded.

    Output:
        `(batch, steps) bool`, contiguous from the left with at least one step, as cuDNN demands.
    """
    from keras import ops

    return {} if valid is None else {"mask": ops.squeeze(ops.cast(valid, "bool"), axis=-1)}


def batch_norm_mask(x: Any, valid: Any) -> dict[str, Any]:
    """Returns the `mask=` argument for batch normalisation of `x`, so that padding does not move mean and variance.

    With one channel there is none, and padded zeros count: Keras 3.15 then squeezes the channel axis away and fails on
    JAX and torch (`BatchNormalization._moments`).
    """
    return {} if x.shape[-1] == 1 else keras_mask(valid)


def every_nth(valid: Any, stride: int, steps: int) -> Any:
    """Returns `valid` after a layer that moves `stride` steps at a time: output step i is valid when i * stride was.

    Args:
        valid: `Flow.valid` before the layer.
        stride: Input steps per output step.
        steps: Output steps of the layer; what is left over is cut off.
    """
    import keras

    if valid is None:
        return None
    # Slicing a symbolic tensor would do as well; stock layers are what every export format knows.
    if stride > 1:
        valid = keras.layers.MaxPooling1D(pool_size=1, strides=stride, name=added("every"))(valid)
    spare = valid.shape[1] - steps
    return keras.layers.Cropping1D((0, spare), name=added("crop"))(valid) if spare > 0 else valid


def mean_over_steps(flow: Flow) -> Any:
    """Returns the mean over the valid steps of a flow that has padded ones, `(batch, channels) float32`."""
    from keras import ops

    # Every example has a valid step (the stem sees to it), so this never divides by zero.
    return ops.divide(ops.sum(ops.multiply(flow.x, flow.valid), axis=1), ops.sum(flow.valid, axis=1))


def max_over_steps(flow: Flow) -> Any:
    """Returns the maximum over the valid steps of a flow that has padded ones, `(batch, channels) float32`."""
    from keras import ops

    return ops.max(ops.where(ops.cast(flow.valid, "bool"), flow.x, -1e9), axis=1)


def last_step(x: Any, valid: Any) -> Any:
    """Returns what stands in the last valid step of each example.

    Args:
        x: `(batch, steps, ...) float32`.
        valid: `(batch, steps, 1) float32` as `Flow.valid`; None where all steps are.
    """
    from keras import ops
    from keras.layers import Cropping1D, Cropping2D

    if valid is None:
        rank, before = len(x.shape), x.shape[1] - 1
        layer, cropped = (Cropping1D, (before, 0)) if rank == 3 else (Cropping2D, ((before, 0), (0, 0)))
        return ops.squeeze(layer(cropped, name=added("last"))(x), axis=1)
    number = ops.cumsum(valid, axis=1)
    last = ops.multiply(valid, ops.cast(ops.equal(number, ops.max(number, axis=1, keepdims=True)), "float32"))
    for _ in range(len(x.shape) - 3):
        last = ops.expand_dims(last, -1)
    return ops.sum(ops.multiply(x, last), axis=1)
