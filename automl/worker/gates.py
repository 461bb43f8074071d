"""How far the gates of recurrent layers are open, worked out from what the layers read.

Imports Keras: for workers only.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

LOW, HIGH = 0.05, 0.95
"""Beyond these a gate is as good as shut or open: the slope of the sigmoid is there a fifth of what it is at most."""

_SINGLE = (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU)
CELLS = (*_SINGLE, keras.layers.Bidirectional)
"""The layers that have gates, or a state in their place; a convolutional LSTM is left out."""


class Gates:
    """The gates of one layer, over all steps of some examples, padded ones left out.

    They are computed in NumPy, without dropout: no layer gives them, and some gives its last state alone. A simple
    recurrent layer has none; there, the state itself is looked at, which saturates beyond 0.95 on either side.

    Args:
        layer: One of `CELLS`, called once.
    """

    def __init__(self, layer: Any) -> None:
        both = isinstance(layer, keras.layers.Bidirectional)
        self._layers = [layer.forward_layer, layer.backward_layer] if both else [layer]
        given = layer._inbound_nodes[0].arguments  # noqa: SLF001 - Keras tells nowhere else what a layer was called with
        mask = given.kwargs.get("mask")
        self.reads: list[Any] = [given.args[0], *([] if mask is None else [mask])]

    def saturated(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[int, int]:
        """Returns how many values are saturated, and of how many.

        Args:
            x: `(examples, steps, features)`.
            mask: `(examples, steps)`, true where there is data; None for all.
        """
        valid = np.ones(x.shape[:2], bool) if mask is None else mask.astype(bool).reshape(x.shape[:2])
        many = total = 0
        for layer in self._layers:
            if not isinstance(layer, _SINGLE) or not _is_stock(layer):
                continue
            way = slice(None, None, -1) if layer.go_backwards else slice(None)
            found = _followed(layer, x[:, way].astype(np.float32), valid[:, way])
            many, total = many + int(np.count_nonzero(found)), total + found.size
        return many, total


def _is_stock(layer: Any) -> bool:
    """Tells whether a layer saturates where a sigmoid, or a tanh in place of gates, does."""
    if isinstance(layer, keras.layers.SimpleRNN):
        return layer.activation is keras.activations.tanh
    known = (keras.activations.tanh, keras.activations.relu, keras.activations.linear)
    reset = not isinstance(layer, keras.layers.GRU) or layer.reset_after
    return layer.recurrent_activation is keras.activations.sigmoid and layer.activation in known and reset


def _followed(layer: Any, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Returns for each gate of each valid step whether it is saturated.

    Output: (valid steps, gates) bool.
    """
    kernel, recurrent, *bias = (np.asarray(keras.ops.convert_to_numpy(each), np.float32) for each in layer.weights[:3])
    units = recurrent.shape[0]
    before, inner = _biases(layer, bias[0] if layer.use_bias else None)
    activation = _ACTIVATIONS[layer.activation.__name__]
    h, c = np.zeros((2, len(x), units), np.float32)
    found = []
    for step in range(x.shape[1]):
        now = valid[:, step]
        own, own_c = h, c
        given, kept = x[:, step] @ kernel + before, h @ recurrent + inner
        if isinstance(layer, keras.layers.SimpleRNN):
            own = np.tanh(given + kept)
            looked = np.abs(own) > HIGH
        elif isinstance(layer, keras.layers.LSTM):
            i, f, g, o = np.split(given + kept, 4, axis=1)
            i, f, o = _sigmoid(i), _sigmoid(f), _sigmoid(o)
            own_c = f * c + i * activation(g)
            own = o * activation(own_c)
            looked = _is_saturated(i, f, o)
        else:
            z, r = np.split(_sigmoid(given[:, : 2 * units] + kept[:, : 2 * units]), 2, axis=1)
            own = z * h + (1 - z) * activation(given[:, 2 * units :] + r * kept[:, 2 * units :])
            looked = _is_saturated(z, r)
        h, c = np.where(now[:, None], own, h), np.where(now[:, None], own_c, c)
        found.append(looked[now])
    return np.concatenate(found)


def _biases(layer: Any, bias: np.ndarray | None) -> tuple[Any, Any]:
    """Returns what is added to the inputs' part and to the state's; a GRU has one of each."""
    if bias is None:
        return 0.0, 0.0
    return (bias[0], bias[1]) if isinstance(layer, keras.layers.GRU) else (bias, 0.0)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # exp would overflow


def _is_saturated(*gates: np.ndarray) -> np.ndarray:
    every = np.concatenate(gates, axis=1)
    return (every < LOW) | (every > HIGH)


_ACTIVATIONS: dict[str, Any] = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "linear": lambda x: x}
