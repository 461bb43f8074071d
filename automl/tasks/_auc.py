"""Area under the ROC curve, one class against the rest, cheap enough to be computed at every batch.

`keras.metrics.AUC(multi_label=True)` took 30 % of a small model's epoch on the torch backend (it maps over labels one
by one), counts a class that does not occur as 0, and its thresholds, even in probability, cannot tell confident
predictions apart. Here one pass fills a histogram per class, even in log-odds.
"""

from __future__ import annotations

import functools
from typing import Any

BINS = 400
LIMIT = 16.0
"""Log-odds that the bins reach to, either way."""
EDGE = 1.2e-7
"""Probabilities nearer to 0 or 1 count as equal: float32 knows none between 1 - 1.2e-7 and 1; log-odds of 15.94."""


def macro_auc(classes: int, name: str = "auc") -> Any:
    """Returns a fresh metric: mean over the classes that occur, of the area under each one's ROC curve.

    Args:
        classes: Columns of targets and predictions.
        name: Name in the logs.
    """
    return _metric_class()(classes, name)


@functools.cache
def _metric_class() -> type:
    import keras
    from keras import ops

    class MacroAUC(keras.metrics.Metric):
        """Scores by class in histograms of log-odds; ties within a bin count half."""

        def __init__(self, classes: int, name: str) -> None:
            super().__init__(name=name)
            self.classes = classes
            # Row 0 counts the examples of the class, row 1 all others.
            self.counts = self.add_variable((2, classes, BINS), "zeros", name="counts")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            """Adds a batch; weights of examples are not read, a soft target counts for its larger side."""
            del sample_weight
            # A diverging model predicts NaN, whose cast to an integer is undefined: it counts as the lowest score.
            chance = ops.clip(ops.nan_to_num(ops.cast(y_pred, "float32"), nan=0.0), EDGE, 1.0 - EDGE)
            place = (ops.log(chance / (1.0 - chance)) + LIMIT) * (BINS / (2 * LIMIT))
            row = ops.cast(ops.cast(y_true, "float32") < 0.5, "int32")
            index = ops.cast(place, "int32") + BINS * (ops.arange(self.classes, dtype="int32") + self.classes * row)
            index = ops.reshape(index, (-1,))
            found = ops.segment_sum(ops.ones_like(index, dtype="float32"), index, num_segments=2 * self.classes * BINS)
            self.counts.assign_add(ops.reshape(found, (2, self.classes, BINS)))

        def result(self) -> Any:
            """Returns the mean area; 0 until two classes have occurred.

            Source: Hanley & McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747: the area is the chance that
            an example of the class scores above another one.
            """
            hits, rest = self.counts[0], self.counts[1]
            below = ops.cumsum(rest, axis=-1) - rest / 2
            totals = ops.sum(self.counts, axis=-1)
            pairs = totals[0] * totals[1]
            areas = ops.sum(hits * below, axis=-1) / ops.maximum(pairs, 1.0)
            return ops.sum(areas) / ops.maximum(ops.sum(ops.cast(pairs > 0, "float32")), 1.0)

    return MacroAUC
