"""Which weights a refit keeps, that has no validation part to tell. Imports Keras: for workers only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

SHARE = 0.1
"""The last part of the epochs among which the best is looked for."""


class Keeping(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least training loss, of the last tenth.

    The last epoch may be one in which the loss has just jumped up, as it does with few examples and a large rate.
    Before the last tenth the model has not seen its examples as often as it was found to need.

    Args:
        network: The whole model, whose weights are kept; what is fitted may be a part of it.
        epochs: Epochs of all phases together.
        averaged: Whether the weights are a mean over steps; the loss then is not theirs, and the last are kept.
    """

    def __init__(self, network: keras.Model, epochs: int, *, averaged: bool = False) -> None:
        super().__init__()
        self.network = network
        self.first = epochs if averaged else epochs - max(1, round(SHARE * epochs)) + 1
        self.weights: list[Any] = []
        self._least = math.inf

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Looks at an epoch; Keras counts from 0, through all phases."""
        loss = float((logs or {}).get("loss", math.nan))
        if epoch + 1 < self.first:
            return
        if not self.weights or loss < self._least:
            self.weights = self.network.get_weights()
            self._least = loss if math.isfinite(loss) else math.inf
