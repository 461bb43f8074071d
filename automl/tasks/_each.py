"""What is measured of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def of_classes(
    truth: np.ndarray, given: np.ndarray, classes: Sequence[str], labels: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Returns precision, recall, F1 and the number of examples of each class, a row each; 0 where there is nothing.

    Args:
        truth: Places of the classes, `(examples,)`; or 0 and 1 for each, `(examples, classes)`.
        given: What a model tells, in the same form.
        classes: Their names.
        labels: The places that there are, of the first form.
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(truth, given, labels=labels, zero_division=0)
    rows = zip(classes, *(column.tolist() for column in columns), strict=True)
    return [{"class": name, "precision": p, "recall": r, "f1": f, "examples": n} for name, p, r, f, n in rows]
