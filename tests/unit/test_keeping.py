"""Which epoch's weights a refit keeps."""

from __future__ import annotations

import math
from typing import Any

import pytest

from automl.worker.keeping import Keeping


class Network:
    """Its weights are the number of the epoch."""

    epoch = 0

    def get_weights(self) -> list[int]:
        return [self.epoch]


@pytest.mark.parametrize(
    ("losses", "averaged", "kept"),
    [
        # Of twenty epochs the last two are looked at: a jump in the last is not kept, an earlier low one is not either.
        ([*[0.1] * 18, 0.3, 9.0], False, 19),
        ([*[0.1] * 18, 0.3, 0.2], False, 20),
        ([3.0, 2.0, 1.0], False, 3),
        ([1.0], False, 1),
        # A loss that is no number is worse than any that is.
        ([*[0.1] * 18, 0.3, math.nan], False, 19),
        ([*[0.1] * 18, math.nan, 0.3], False, 20),
        ([*[0.1] * 18, math.nan, math.nan], False, 19),
        # Of a mean of weights the loss says nothing.
        ([*[0.1] * 18, 0.3, 9.0], True, 20),
    ],
)
def test_the_best_of_the_last_tenth(losses: list[float], averaged: bool, kept: int) -> None:
    network: Any = Network()
    keeping = Keeping(network, len(losses), averaged=averaged)
    for epoch, loss in enumerate(losses):
        network.epoch = epoch + 1
        keeping.on_epoch_end(epoch, {"loss": loss})
    assert keeping.weights == [kept]
