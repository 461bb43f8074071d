"""R squared, the share of a target's variance that is explained, added up batch by batch.

`keras.metrics.R2Score` takes the variance for the difference of two sums of squares, which in float32 are one number
where the mean is some thousand deviations; and a target of a single value gives it a number of mere rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

FLAT = 1e-6
"""Share of a target's squares that its variance is at least, to be more than rounding."""


def macro_r2(mean: Sequence[float], deviation: Sequence[float], name: str = "r2") -> Any:
    """Returns a fresh metric: mean over the targets that vary, of R squared; 0 where none does.

    Args:
        mean: About the mean of each target, from which its squares are taken.
        deviation: About the standard deviation of each, in which they are counted.
        name: Name in the logs.
    """
    return _metric_class()(mean, deviation, name)


@functools.cache
def _metric_class() -> type:
    import keras
    import numpy as np
    from keras import ops

    class MacroR2(keras.metrics.Metric):
        """Sums by target, in standard deviations from the training part's mean."""

        def __init__(self, mean: Sequence[float], deviation: Sequence[float], name: str) -> None:
            super().__init__(name=name)
            self.mean, self.deviation = (np.asarray(each, np.float32) for each in (mean, deviation))
            # Rows: the targets, their squares, the squares of the errors; and the number of examples.
            self.sums = self.add_variable((3, len(mean)), "zeros", name="sums")
            self.count = self.add_variable((), "zeros", name="count")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            """Adds a batch; weights of examples are not read."""
            del sample_weight
            y_pred = ops.cast(y_pred, "float32")
            y_true = ops.reshape(ops.cast(y_true, "float32"), ops.shape(y_pred))
            place = (y_true - self.mean) / self.deviation
            error = (y_true - y_pred) / self.deviation
            self.sums.assign_add(ops.stack([ops.sum(each, axis=0) for each in (place, place**2, error**2)]))
            self.count.assign_add(ops.cast(ops.shape(place)[0], "float32"))

        def result(self) -> Any:
            """Returns the mean over the targets."""
            total, squares, errors = self.sums[0], self.sums[1], self.sums[2]
            variance = squares - total**2 / ops.maximum(self.count, 1.0)
            varies = variance > FLAT * squares
            shares = ops.where(varies, 1.0 - errors / ops.where(varies, variance, 1.0), 0.0)
            return ops.sum(shares) / ops.maximum(ops.sum(ops.cast(varies, "float32")), 1.0)

    return MacroR2
