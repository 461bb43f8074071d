"""What a built model consists of: layers with their shapes, weights, and multiply-accumulates for one example."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_KERNELS = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel")
BYTES = 4
"""Of a weight: float32."""


@dataclass(frozen=True)
class Layer:
    """One layer of a model.

    Args:
        name: Its name.
        kind: Its class.
        output: Shape of its output, without the batch.
        parameters: Number of its weights.
        macs: Multiply-accumulates for one example: the products of its kernels. Sums, norms and activations are left
            out, as in the figures that papers give.
        steps: Steps it must take one after the other; 0 unless it is recurrent.
        width: Bytes of a number of its output.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    steps: int = 0
    width: int = 4


@dataclass(frozen=True)
class Summary:
    """A whole model.

    Args:
        layers: Its layers, in order.
        parameters: Number of weights.
        trainable_parameters: Those that training changes.
    """

    layers: tuple[Layer, ...]
    parameters: int
    trainable_parameters: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example."""
        return sum(layer.macs for layer in self.layers)

    @property
    def steps(self) -> int:
        """Steps that recurrent layers take one after the other."""
        return sum(layer.steps for layer in self.layers)

    def memory_mb(self, batch_size: int) -> float:
        """Returns a lower bound of what training takes: weights, gradient, two moments, and all activations, in MB."""
        activations = sum(layer.width * math.prod(layer.output) for layer in self.layers)
        return (BYTES * 4 * self.trainable_parameters + activations * batch_size) / 1e6


def summary(model: Any) -> Summary:
    """Takes a built Keras model apart."""
    layers = tuple(_layer(layer) for layer in model.layers if type(layer).__name__ != "InputLayer")
    trainable = sum(_size(weight) for weight in model.trainable_weights)
    return Summary(layers, int(model.count_params()), trainable)


def _layer(layer: Any) -> Layer:
    output = layer.output[0] if isinstance(layer.output, list) else layer.output
    shape = tuple(int(side) for side in output.shape[1:])
    sizes = int(_count(layer)), _macs(layer), _steps(layer), 2 if "16" in layer.compute_dtype else 4
    return Layer(layer.name, type(layer).__name__, shape, *sizes)


def _count(layer: Any) -> int:
    return sum(_size(weight) for weight in layer.weights)


def _size(weight: Any) -> int:
    return math.prod(int(side) for side in weight.shape)


def _macs(layer: Any) -> int:
    kernels = sum(_size(weight) for weight in layer.weights if weight.name in _KERNELS)
    return kernels * (_steps(layer) * _width(layer) or _positions(layer))


def _positions(layer: Any) -> int:
    """Returns how often a kernel is applied: once for every place of the output, of the input where that is larger."""
    sides = [math.prod(int(side) for side in x.shape[1:-1]) for x in (layer.input, layer.output) if hasattr(x, "shape")]
    transposed = "Transpose" in type(layer).__name__
    return sides[0] if transposed else sides[-1] if sides else 1


def _steps(layer: Any) -> int:
    import keras

    inner = getattr(layer, "forward_layer", layer)
    return int(_entered(layer)[0]) if isinstance(inner, keras.layers.RNN) else 0


def _width(layer: Any) -> int:
    """Returns at how many places a step of a recurrent layer applies its kernels: more than one if it convolves."""
    return math.prod(_entered(layer)[1:-1])


def _entered(layer: Any) -> tuple[int, ...]:
    first = layer.input[0] if isinstance(layer.input, list) else layer.input
    return tuple(int(side) for side in first.shape[1:])
