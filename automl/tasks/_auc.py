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
"""Log-odds beyond this count as equal: probabilities of 1e-7 and less."""


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
            """Adds a batch; weights of examples are not read."""
            del sample_weight
            y_pred = ops.clip(ops.cast(y_pred, "float32"), 1e-7, 1.0 - 1e-7)
            odds = ops.log(y_pred) - ops.log1p(-y_pred)
            place = (odds + LIMIT) * (BINS / (2 * LIMIT))
            # A diverging model predicts NaN, whose cast to an integer is undefined: it goes to the lowest bin.
            place = ops.where(ops.isnan(place), 0.0, ops.clip(place, 0.0, BINS - 1.0))
            place = ops.cast(place, "int32") + ops.arange(self.classes, dtype="int32") * BINS
            hit = ops.cast(y_true, "float32")
            # Both rows in one call: the others lie behind all bins of the first row.
            index = ops.concatenate([ops.ravel(place), ops.ravel(place) + self.classes * BINS])
            weight = ops.concatenate([ops.ravel(hit), 1.0 - ops.ravel(hit)])
            found = ops.segment_sum(weight, index, num_segments=2 * self.classes * BINS)
            self.counts.assign_add(ops.reshape(found, (2, self.classes, BINS)))

        def result(self) -> Any:
            """Returns the mean area; 0 before there are two classes.

            Source: Hanley & McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747: the area is the chance that
            an example of the class scores above another one.
            """
            hits, rest = self.counts[0], self.counts[1]
            below = ops.cumsum(rest, axis=-1) - rest / 2
            pairs = ops.sum(hits, axis=-1) * ops.sum(rest, axis=-1)
            won = ops.sum(hits * below, axis=-1)
            occurs = ops.cast(pairs > 0, "float32")
            return ops.sum(won / ops.maximum(pairs, 1.0)) / ops.maximum(ops.sum(occurs), 1.0)

    return MacroAUC
